//! Real processes on one record, killed and stopped at random moments.

use std::collections::HashSet;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

use incumbent_backend::{Backend, Expected, Key, Swapped};
use rustix::process::{Pid, Signal, kill_process};

use crate::open;

/// Set for the processes that this test starts from its own binary.
const DIR: &str = "INCUMBENT_TEST_DIR";
const NAME: &str = "INCUMBENT_TEST_NAME";

/// Processes at once, and how many are started in place of killed ones.
const AT_ONCE: usize = 4;
const LIVES: usize = 24;

fn key() -> Key {
    Key::record("demo".parse().unwrap(), "counter".parse().unwrap())
}

/// Not a test of its own: the work of the processes, until they are killed. The body is the list of
/// all increments.
#[tokio::test]
async fn increments_until_killed() {
    let (Ok(dir), Ok(name)) = (std::env::var(DIR), std::env::var(NAME)) else {
        return;
    };
    let store = open(Path::new(&dir));
    let mut count = 0;
    loop {
        let found = store.read(&key()).await.unwrap();
        let (expected, mut body) = match &found {
            None => (Expected::Absent, Vec::new()),
            Some(found) => (Expected::At(&found.version), found.body.clone()),
        };
        let mark = format!("{name}.{count}");
        body.extend(format!("{mark} ").as_bytes());
        let done = match store.swap(&key(), expected, &body).await {
            Ok(Swapped::Committed(_)) => true,
            Ok(Swapped::Conflict) => false,
            Err(incumbent_backend::Failure::Unknown(_)) => {
                let now = store.read(&key()).await.unwrap().unwrap();
                marks(&now.body).contains(&mark)
            }
            Err(why) => panic!("{why:?}"),
        };
        if done {
            let mut out = std::io::stdout().lock();
            writeln!(out, "\nacknowledged {mark}").unwrap();
            out.flush().unwrap();
            count += 1;
        }
    }
}

fn start(dir: &Path, name: usize) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "processes::increments_until_killed",
            "--nocapture",
        ])
        .env(DIR, dir)
        .env(NAME, name.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap()
}

/// Lets a process live until it has acknowledged this many increments, then kills it. Returns all
/// increments that it acknowledged.
fn live(dir: &Path, name: usize, increments: usize, stopped: bool) -> Vec<String> {
    let mut child = start(dir, name);
    let mut acknowledged = Vec::new();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    for line in &mut lines {
        if let Some(mark) = line.unwrap().strip_prefix("acknowledged ") {
            acknowledged.push(mark.to_owned());
        }
        if acknowledged.len() == increments {
            break;
        }
    }
    assert_eq!(
        acknowledged.len(),
        increments,
        "process {name} ended by itself"
    );
    if stopped {
        // The process is most likely in the middle of a swap. Meanwhile another one lives its whole
        // life.
        let pid = Pid::from_child(&child);
        kill_process(pid, Signal::STOP).unwrap();
        acknowledged.extend(live(dir, name + 1000, 100, false));
        kill_process(pid, Signal::CONT).unwrap();
    }
    child.kill().unwrap();
    // Output that the process wrote before it was killed, and that is not read yet, counts too.
    acknowledged.extend(
        lines.filter_map(|line| line.ok()?.strip_prefix("acknowledged ").map(str::to_owned)),
    );
    child.wait().unwrap();
    acknowledged
}

fn marks(body: &[u8]) -> Vec<String> {
    String::from_utf8_lossy(body)
        .split_terminator(' ')
        .map(str::to_owned)
        .collect()
}

#[tokio::test]
async fn killed_and_stopped_processes_lose_no_acknowledged_increment_and_apply_none_twice() {
    let dir = tempfile::tempdir().unwrap();
    let lives = AtomicUsize::new(0);
    let acknowledged: Vec<String> = std::thread::scope(|scope| {
        let worker = || {
            let mut acknowledged = Vec::new();
            loop {
                let life = lives.fetch_add(1, Ordering::Relaxed);
                if life >= LIVES {
                    return acknowledged;
                }
                acknowledged.extend(live(dir.path(), life, 20 + life * 7 % 40, life % 4 == 3));
            }
        };
        let workers: Vec<_> = (0..AT_ONCE).map(|_| scope.spawn(worker)).collect();
        workers
            .into_iter()
            .flat_map(|worker| worker.join().unwrap())
            .collect()
    });
    let found = open(dir.path()).read(&key()).await.unwrap().unwrap();
    let written = marks(&found.body);
    let different: HashSet<&String> = written.iter().collect();
    assert_eq!(
        different.len(),
        written.len(),
        "an increment was applied twice"
    );
    let lost: Vec<&String> = acknowledged
        .iter()
        .filter(|mark| !different.contains(mark))
        .collect();
    assert!(lost.is_empty(), "acknowledged and lost: {lost:?}");
    // Each killed process may have made one more increment whose acknowledgement was not sent, or
    // was cut off.
    let stopped = LIVES / 4;
    assert!(
        written.len() <= acknowledged.len() + 2 * (LIVES + stopped),
        "written by nobody"
    );
}
