//! A process of a container, and everything that it has started.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command};

use rustix::process::{Pid, Signal, kill_process};

/// The process of a container.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
}

impl Process {
    pub(super) fn start(mut command: Command) -> std::io::Result<Self> {
        let child = command.spawn()?;
        Ok(Self { child })
    }

    pub(super) fn pid(&self) -> i32 {
        self.child.id().cast_signed()
    }

    /// How it ended, if it has: as a shell would say.
    pub(super) fn ended(&mut self) -> Option<i32> {
        let status = self.child.try_wait().ok()??;
        let by_signal = status.signal().map(|signal| 128 + signal);
        Some(status.code().or(by_signal).unwrap_or(255))
    }

    /// Asks it to end.
    pub(super) fn terminate(&self) {
        signal(self.pid(), Signal::TERM);
    }

    /// Ends it and all that it has started, at once: as a container ends with its first process.
    pub(super) fn kill_all(&mut self) -> i32 {
        let all = with_descendants(self.pid());
        // The first one first: what it would still start is not started.
        for pid in all {
            signal(pid, Signal::KILL);
        }
        let _ = self.child.wait();
        137
    }

    /// Stops it and all that it has started, or lets it go on.
    pub(super) fn stop_all(&self, is_stopped: bool) {
        let how = if is_stopped {
            Signal::STOP
        } else {
            Signal::CONT
        };
        for pid in with_descendants(self.pid()) {
            signal(pid, how);
        }
    }
}

fn signal(pid: i32, signal: Signal) {
    if let Some(pid) = Pid::from_raw(pid) {
        // It may have ended.
        let _ = kill_process(pid, signal);
    }
}

/// The process and all that it has started, itself first.
fn with_descendants(first: i32) -> Vec<i32> {
    let mut children: BTreeMap<i32, Vec<i32>> = BTreeMap::new();
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    for pid in entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok()) {
        if let Some(parent) = parent(pid) {
            children.entry(parent).or_default().push(pid);
        }
    }
    let mut all = vec![first];
    let mut at = 0;
    while let Some(pid) = all.get(at) {
        let of = children.remove(pid).unwrap_or_default();
        all.extend(of);
        at += 1;
    }
    all
}

fn parent(pid: i32) -> Option<i32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, fields) = stat.rsplit_once(')')?;
    fields.split_whitespace().nth(1)?.parse().ok()
}
