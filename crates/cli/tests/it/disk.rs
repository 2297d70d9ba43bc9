//! A disk that is full, read-only, or owned by another user.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::harness::{NOTE, Place, free_port, over_tcp, runs, until};

/// A separate small file system, where the test may mount one.
pub(crate) struct SmallDisk(PathBuf);

impl SmallDisk {
    /// Prints a message if it cannot be mounted.
    pub(crate) fn mount(at: &Path) -> Option<Self> {
        fs::create_dir(at).unwrap();
        let mut mount = Command::new("mount");
        mount
            .args(["-t", "tmpfs", "-o", "size=512k,mode=755", "e2e"])
            .arg(at);
        match mount.output() {
            Ok(output) if output.status.success() => Some(Self(at.to_owned())),
            Ok(output) => {
                eprintln!(
                    "SKIPPED, mounting is not allowed here: {}",
                    String::from_utf8_lossy(&output.stderr).trim()
                );
                None
            }
            Err(error) => {
                eprintln!("SKIPPED, there is no mount: {error}");
                None
            }
        }
    }

    pub(crate) fn fill(&self) {
        let mut left = 64 * 1024;
        let mut number = 0;
        while left > 0 {
            number += 1;
            if fs::write(self.0.join(format!("fill-{number}")), vec![0; left]).is_err() {
                left /= 2;
            }
        }
    }

    pub(crate) fn free(&self) {
        for entry in fs::read_dir(&self.0).unwrap().flatten() {
            if entry.file_name().to_string_lossy().starts_with("fill-") {
                fs::remove_file(entry.path()).unwrap();
            }
        }
    }

    pub(crate) fn read_only(&self, yes: bool) {
        let option = if yes { "remount,ro" } else { "remount,rw" };
        assert!(
            Command::new("mount")
                .args(["-o", option])
                .arg(&self.0)
                .status()
                .unwrap()
                .success()
        );
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // A lazy unmount, since processes may still have it open.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn a_leader_whose_disk_is_full_says_so_and_stops_and_goes_on_when_there_is_room() {
    let place = Place::new();
    let Some(disk) = SmallDisk::mount(&place.path("disk")) else {
        return;
    };
    let ha = format!("file://{}/ha", disk.0.display());
    let script = format!("{NOTE} exec sleep 1000");
    let start = |name: &str| {
        let mut command =
            place.incumbent(&["--ha", &ha, "run", "--lease", "1500ms", "--holder", name]);
        command.args(["--", "sh", "-c", &script]);
        place.start(name, command)
    };
    place
        .ask(&["--ha", &ha, "records", "put", "x", "[1,2,3]"])
        .assert_code(0);
    let (a, b) = (start("a"), start("b"));
    let first = place.started(1);
    let leader = if first.holder == "a" { &a } else { &b };

    disk.fill();
    // The command ends before another node could lead.
    until("its command has ended", || !runs(first.pid));
    let told = leader.logged("No space left on device");
    assert!(told.contains("WARN"), "{told}");
    leader.logged("leadership lost");
    assert_eq!(place.starts().len(), 1);
    assert_eq!(
        place
            .ask(&["--ha", &ha, "records", "get", "x"])
            .assert_code(0)
            .out,
        "[1,2,3]\n"
    );
    let forced = place.ask(&["--ha", &ha, "records", "put", "x", "4", "--force"]);
    assert!(
        matches!(forced.code, Some(5 | 7)) && forced.err.contains("No space left"),
        "{:?} {}",
        forced.code,
        forced.err
    );
    // A write that would lead for a moment says the same, and not that somebody may lead.
    let put = place.ask(&["--ha", &ha, "records", "put", "x", "4"]);
    let put = put.assert_code(7);
    let last = put.err.lines().last().unwrap();
    assert!(
        last.contains("No space left") && last.ends_with("nothing was written"),
        "{}",
        put.err
    );

    disk.free();
    let second = place.started(2);
    assert!(second.epoch > first.epoch);
    until("it is active", || {
        let status = place.ask(&["--ha", &ha, "status"]);
        status.code == Some(0) && status.json()["state"] == "active"
    });
    assert_eq!(
        place
            .ask(&["--ha", &ha, "records", "get", "x"])
            .assert_code(0)
            .out,
        "[1,2,3]\n"
    );
    place.assert_one_at_a_time();
    drop((a, b));
    until("all have ended", || place.processes().is_empty());
}

#[test]
fn a_disk_that_becomes_read_only_ends_the_term() {
    let place = Place::new();
    let Some(disk) = SmallDisk::mount(&place.path("disk")) else {
        return;
    };
    let ha = format!("file://{}/ha", disk.0.display());
    let mut command = place.incumbent(&["--ha", &ha, "run", "--lease", "1500ms", "--holder", "a"]);
    command.args(["--", "sh", "-c", &format!("{NOTE} exec sleep 1000")]);
    let a = place.start("a", command);
    let first = place.started(1);
    disk.read_only(true);
    until("its command has ended", || !runs(first.pid));
    a.logged("Read-only file system");
    disk.read_only(false);
    assert_eq!(place.started(2).holder, "a");
    drop(a);
    until("all have ended", || place.processes().is_empty());
}

#[test]
fn a_node_that_could_not_take_over_is_not_ready_and_leads_once_it_can() {
    let place = Place::new();
    let Some(disk) = SmallDisk::mount(&place.path("disk")) else {
        return;
    };
    let ha = format!("file://{}/ha", disk.0.display());
    place
        .ask(&["--ha", &ha, "records", "put", "x", "1"])
        .assert_code(0);
    disk.read_only(true);
    let status = format!("127.0.0.1:{}", free_port());
    let mut command = place.incumbent(&["--ha", &ha, "run", "--lease", "1500ms", "--holder", "a"]);
    command.args(["--status-listen", &status, "--", "sh", "-c"]);
    command.arg(format!("{NOTE} exec sleep 1000"));
    let a = place.start("a", command);
    let ready = || over_tcp(&status, "GET", "/readyz", &[], "").ok();
    until("it is not ready, and says why", || {
        ready().is_some_and(|answer| {
            let report = answer.json();
            let reason = report["reason"].as_str().unwrap_or_default();
            answer.status == 503 && reason.contains("Read-only file system")
        })
    });
    let reported = || a.log().matches("Read-only file system").count();
    until("it is logged", || reported() == 1);
    assert_eq!(place.starts().len(), 0, "no command was started");
    disk.read_only(false);
    assert_eq!(place.started(1).holder, "a");
    until("it is ready", || {
        ready().is_some_and(|answer| answer.status == 200)
    });
    assert_eq!(reported(), 1, "{}", a.log());
    drop(a);
    until("all have ended", || place.processes().is_empty());
}

#[test]
fn a_place_that_cannot_be_used_is_named() {
    let place = Place::new();
    fs::create_dir(place.path("foreign")).unwrap();
    fs::write(place.path("foreign/thesis.txt"), "mine").unwrap();
    fs::write(place.path("file"), "mine").unwrap();
    for (path, word) in [
        ("foreign", "thesis.txt"),
        ("file", "file"),
        ("file/below", "file"),
    ] {
        let path = place.path(path);
        let ha = format!("file://{}", path.display());
        for (args, code) in [
            (&["status"][..], 2),
            (&["records", "ls"], 2),
            (&["observe", "--lines", "1"], 2),
            (&["run", "--", "true"], 2),
        ] {
            let done = place
                .ask(&[&["--ha", &ha], args].concat())
                .assert_code(code);
            let named = path.to_str().unwrap();
            assert!(
                done.err.contains(named) && done.err.contains(word),
                "{args:?}: {}",
                done.err
            );
            assert_eq!(
                done.err.matches("os error").count().max(1),
                1,
                "said once: {}",
                done.err
            );
        }
    }
    assert_eq!(
        fs::read_dir(place.path("foreign")).unwrap().count(),
        1,
        "nothing was added"
    );
}

#[test]
fn a_directory_without_permission_is_named() {
    let place = Place::new();
    fs::create_dir(place.path("closed")).unwrap();
    fs::set_permissions(place.path("closed"), fs::Permissions::from_mode(0o555)).unwrap();
    if fs::write(place.path("closed/probe"), "").is_ok() {
        eprintln!("SKIPPED: this user may write everywhere");
        return;
    }
    let ha = format!("file://{}/ha", place.path("closed").display());
    let done = place.ask(&["--ha", &ha, "observe"]).assert_code(2);
    assert!(done.err.contains("closed"), "{}", done.err);
}
