//! The processes of a pod's containers, and everything that they have started.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command};

use rustix::process::{Pid, Signal, kill_process};

/// The processes of a pod: that of its first container, by which the pod is judged, and those
/// beside it.
#[derive(Debug)]
pub(super) struct Processes {
    first: Child,
    beside: Vec<Child>,
}

impl Processes {
    /// Starts all of them, or none.
    pub(super) fn start(commands: Vec<Command>) -> std::io::Result<Self> {
        let mut started: Vec<Child> = Vec::new();
        for mut command in commands {
            match command.spawn() {
                Ok(child) => started.push(child),
                Err(error) => {
                    started.iter_mut().for_each(kill);
                    return Err(error);
                }
            }
        }
        let beside = started.split_off(1.min(started.len()));
        let first = started.pop();
        let first = first.ok_or_else(|| std::io::Error::other("the pod has no container"))?;
        Ok(Self { first, beside })
    }

    /// That of the first container.
    pub(super) fn pid(&self) -> i32 {
        self.first.id().cast_signed()
    }

    /// How the first container ended, if it has: as a shell would say.
    pub(super) fn ended(&mut self) -> Option<i32> {
        let status = self.first.try_wait().ok()??;
        let by_signal = status.signal().map(|signal| 128 + signal);
        Some(status.code().or(by_signal).unwrap_or(255))
    }

    /// Whether all have ended.
    pub(super) fn all_ended(&mut self) -> bool {
        let has_ended = |child: &mut Child| !matches!(child.try_wait(), Ok(None));
        has_ended(&mut self.first) && self.beside.iter_mut().all(has_ended)
    }

    /// Asks them to end.
    pub(super) fn terminate(&self) {
        for child in self.all() {
            signal(child.id().cast_signed(), Signal::TERM);
        }
    }

    /// Ends them and all that they have started, at once: as a container ends with its first
    /// process.
    pub(super) fn kill_all(&mut self) -> i32 {
        kill(&mut self.first);
        self.beside.iter_mut().for_each(kill);
        137
    }

    /// Stops them and all that they have started, or lets them go on.
    pub(super) fn stop_all(&self, is_stopped: bool) {
        let how = if is_stopped {
            Signal::STOP
        } else {
            Signal::CONT
        };
        let all = self.all().map(|child| child.id().cast_signed());
        for pid in all.flat_map(with_descendants) {
            signal(pid, how);
        }
    }

    fn all(&self) -> impl Iterator<Item = &Child> {
        std::iter::once(&self.first).chain(&self.beside)
    }
}

fn kill(child: &mut Child) {
    // Its id may be another's by now.
    if !matches!(child.try_wait(), Ok(None)) {
        return;
    }
    // The first one first: what it would still start is not started.
    for pid in with_descendants(child.id().cast_signed()) {
        signal(pid, Signal::KILL);
    }
    let _ = child.wait();
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
