//! A full disk. It must be mounted, which only root may do; otherwise the test prints that it is
//! skipped.

use std::path::Path;
use std::process::Command;

use incumbent_zk_proto::Response;

use crate::harness::{Running, ask, children, create, create_with, done, kept_in, soon};

/// A small file system in memory, gone when this is dropped.
struct Mounted<'a>(&'a Path);

impl<'a> Mounted<'a> {
    #[expect(clippy::print_stderr, reason = "says that it is skipped")]
    fn new(dir: &'a Path) -> Option<Self> {
        let arguments = ["-t", "tmpfs", "-o", "size=8m", "none", dir.to_str()?];
        let mounted = run("mount", &arguments).then_some(Self(dir));
        if mounted.is_none() {
            eprintln!("SKIPPED: no file system can be mounted here");
        }
        mounted
    }
}

impl Drop for Mounted<'_> {
    fn drop(&mut self) {
        run("umount", &["-l", self.0.to_str().unwrap()]);
    }
}

fn run(command: &str, arguments: &[&str]) -> bool {
    let output = Command::new(command).args(arguments).output();
    output.is_ok_and(|output| output.status.success())
}

#[tokio::test]
async fn a_full_disk_ends_the_server_and_loses_nothing_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    let Some(_mounted) = Mounted::new(dir.path()) else {
        return;
    };
    let data_dir = dir.path().join("data");
    let server = Running::start(kept_in(&data_dir)).await;
    let hog = dir.path().join("hog");
    assert!(std::fs::write(&hog, vec![0; 16 << 20]).is_err());
    let mut probe = server.client().await;
    done(&mut probe, &create("/n")).await;
    let mut acknowledged = 0;
    loop {
        let path = format!("/n/{acknowledged}");
        match soon(probe.call(&create_with(&path, 0, &[b'x'; 30_000]))).await {
            Ok(reply) => drop(reply.response().unwrap()),
            Err(_) => break,
        }
        acknowledged += 1;
        assert!(acknowledged < 10_000, "it is never full");
    }
    // More than one file of the log, or the test proves nothing.
    assert!(acknowledged > 20, "{acknowledged}");
    let error = server.ended().await.unwrap_err();
    let said = error.to_string();
    assert!(said.contains(data_dir.to_str().unwrap()), "{said}");
    assert!(said.contains("acknowledged nothing after that"), "{said}");
    let cause = std::error::Error::source(&error).unwrap();
    let root = cause.source().unwrap().to_string();
    assert!(root.contains("No space left"), "{cause}: {root}");

    std::fs::remove_file(hog).unwrap();
    let server = Running::start(kept_in(&data_dir)).await;
    let mut probe = server.client().await;
    let Response::Children(names, _) = done(&mut probe, &children("/n")).await else {
        panic!()
    };
    assert!(
        names.len() >= acknowledged,
        "{} of {acknowledged}",
        names.len()
    );
    assert!(ask(&mut probe, &create("/on")).await.is_ok());
}
