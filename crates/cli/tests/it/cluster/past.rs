//! A TaskManager whose clock is one year late: nothing that is decided depends on it.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use rustix::process::Signal;

use super::running::{Cluster, gone, task_pids, tasks};
use super::witness::Witness;
use crate::harness::{Place, kill};

/// The same as the C library's function, but for the year.
const LATE_CLOCK: &str = r"
#define _GNU_SOURCE
#include <time.h>
#include <sys/syscall.h>
#include <unistd.h>
int clock_gettime(clockid_t id, struct timespec *at) {
  int done = syscall(SYS_clock_gettime, id, at);
  if (done == 0 && id == CLOCK_REALTIME) at->tv_sec -= 366L * 24 * 3600;
  return done;
}
";

/// The clock as a library that a program loads before others. Prints a message if it cannot be
/// made.
fn late_clock(place: &Place) -> Option<PathBuf> {
    let (source, made) = (place.path("clock.c"), place.path("clock.so"));
    fs::write(&source, LATE_CLOCK).unwrap();
    let mut compile = Command::new("cc");
    compile
        .args(["-shared", "-fPIC", "-o"])
        .arg(&made)
        .arg(&source);
    match compile.output() {
        Ok(done) if done.status.success() => Some(made),
        Ok(done) => {
            let why = String::from_utf8_lossy(&done.stderr);
            eprintln!("SKIPPED, a late clock cannot be compiled: {}", why.trim());
            None
        }
        Err(error) => {
            eprintln!("SKIPPED, there is no cc to compile a late clock with: {error}");
            None
        }
    }
}

#[test]
fn a_task_manager_with_a_clock_of_last_year_works_and_dies_as_any_other() {
    let flags = ["--task-managers", "1", "--lease", "3s"];
    let cluster = Cluster::with(Place::new(), &flags);
    let Some(clock) = late_clock(&cluster.place) else {
        return;
    };
    let dir = |name: &str| {
        let path = cluster.place.path(&format!("cluster/{name}"));
        format!("file://{}", path.display())
    };
    let mut command = cluster.place.incumbent(&["task-manager", "--name", "past"]);
    command.args(["--ha", &dir("ha"), "--blobs", &dir("blobs"), "--slots", "2"]);
    command.arg("--dir").arg(cluster.place.path("past-tasks"));
    command.env("LD_PRELOAD", clock);
    let mut past = cluster.place.start("past", command);
    cluster.until_live("past");

    let witness = Witness::new(&cluster.place, "both");
    cluster.run(&["--name", "both", "--tasks", "4"], &witness.sleeping());
    let first = cluster.running("both", 1);
    let is_past = |task: &&serde_json::Value| task["node"] == "past";
    let year =
        |task: &serde_json::Value| -> u32 { task["since"].as_str().unwrap()[..4].parse().unwrap() };
    let (late, other): (Vec<_>, Vec<_>) = tasks(&first).iter().partition(is_past);
    assert_eq!((late.len(), other.len()), (2, 2));
    assert!(year(late[0]) < year(other[0]), "the clock is late: {first}");

    // Its tasks are adopted, also past the isolation timeout of a clock that were believed.
    let leader = cluster.leader();
    kill(leader, Signal::KILL);
    cluster.leader_after(leader);
    let adopted = cluster.running("both", 1);
    assert_eq!(task_pids(&adopted), task_pids(&first));
    assert_eq!(adopted["restarts"], 0);

    // Its death is proven as any other's.
    let _spare = cluster.task_manager("spare", &["--slots", "2"]);
    past.kill();
    let second = cluster.running("both", 2);
    gone("the first attempt is gone", &task_pids(&first));
    assert!(tasks(&second).iter().all(|task| task["node"] != "past"));
    witness.assert_never_two();
}
