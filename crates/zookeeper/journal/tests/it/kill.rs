//! A process that is killed many times: everything it printed as durable is found.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::{open, options};

/// Set for the processes that this test starts from its own binary.
const DIR: &str = "INCUMBENT_TEST_DIR";
const LIVES: u64 = 40;

fn entry(index: u64) -> Vec<u8> {
    let length = usize::try_from(index % 977).unwrap();
    index.to_le_bytes().repeat(length / 8 + 1)
}

fn state(index: u64) -> Vec<u8> {
    entry(index * 7)
}

/// Not a test: what the process does until it is killed.
#[tokio::test]
async fn appends_until_killed() {
    let Ok(dir) = std::env::var(DIR) else {
        return;
    };
    let (found, ..) = open(Path::new(&dir), options()).unwrap();
    let (journal, mut last) = (found.journal, found.last);
    let mut durable = journal.durable();
    println!("\ndurable {last}");
    loop {
        for _ in 0..last % 7 + 1 {
            last += 1;
            journal.append(last, &entry(last)).unwrap();
        }
        if last % 50 < 7 {
            // Whether it is busy or not.
            let _ = journal.snapshot(last, move |out| out.write_all(&state(last)));
        }
        // Not each time: one may still be being written.
        if last % 3 == 0 || journal.waiting() > 20_000 {
            durable.changed().await.unwrap();
        }
        let mut out = std::io::stdout().lock();
        writeln!(out, "\ndurable {}", durable.borrow_and_update().index).unwrap();
        out.flush().unwrap();
        drop(out);
        tokio::task::yield_now().await;
    }
}

fn start(dir: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["kill::appends_until_killed", "--exact", "--nocapture"])
        .env(DIR, dir)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

fn durable(line: &str) -> Option<u64> {
    line.strip_prefix("durable ")?.parse().ok()
}

#[test]
fn what_was_said_to_be_durable_survives_every_kill() {
    let dir = tempfile::tempdir().unwrap();
    let mut said = 0;
    for life in 0..LIVES {
        let mut child = start(dir.path());
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut lines = 0;
        let mut line = String::new();
        // Killed after a different number of lines each time, and not by a clock.
        while lines < life * life % 61 + 1 {
            line.clear();
            assert!(out.read_line(&mut line).unwrap() > 0, "it ended by itself");
            if let Some(index) = durable(line.trim()) {
                said = said.max(index);
                lines += 1;
            }
        }
        child.kill().unwrap();
        let mut rest = String::new();
        out.read_to_string(&mut rest).unwrap();
        child.wait().unwrap();
        // The last line may have been cut off.
        let whole = rest.rsplit_once('\n').map_or("", |(whole, _)| whole);
        said = said.max(whole.lines().filter_map(durable).max().unwrap_or(0));
        let (found, snapshot, entries) = open(dir.path(), options()).unwrap();
        assert!(found.last >= said, "{} of {said}", found.last);
        let mut next = 1;
        if let Some((index, bytes)) = snapshot {
            assert_eq!(bytes, state(index));
            next = index + 1;
        }
        for (index, bytes) in entries {
            assert_eq!((index, bytes), (next, entry(next)));
            next += 1;
        }
        assert_eq!(next, found.last + 1);
        drop(found);
        free(dir.path());
    }
    assert!(said > LIVES, "{said}");
}

/// Waits until the last handle's threads have ended.
fn free(dir: &Path) {
    while let Err(error) = open(dir, options()).map(|opened| close(opened.0.journal)) {
        assert!(
            matches!(error, incumbent_journal::OpenError::Locked { .. }),
            "{error}"
        );
        std::thread::yield_now();
    }
}

fn close(journal: incumbent_journal::Journal) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(journal.close()).unwrap();
}
