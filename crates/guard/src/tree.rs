//! The processes below this one.
//!
//! The kernel lists the children of each thread, so nothing but this process's own descendants is
//! read. A thousand guards that each look through all of `/proc` would keep several cores busy.
//!
//! A list may lack a child while others of it end. That is no loss: the guard looks again until it
//! has no child left.

use std::collections::{HashMap, VecDeque};
use std::fs;
use std::path::Path;
use std::sync::Once;

use rustix::process::{Pid, getpid};

use crate::proc::{self, Process};

/// The children of this thread, separated by spaces. Kernels without `CONFIG_PROC_CHILDREN` do not
/// have it; then all of `/proc` is looked through.
const OWN_CHILDREN: &str = "/proc/thread-self/children";

/// Logs once, in a runner, that its guards will have to look through all of `/proc`.
pub(crate) fn warn_if_slow() {
    static LOOKED: Once = Once::new();
    LOOKED.call_once(|| {
        if !are_listed() {
            tracing::warn!(
                "this kernel does not list the children of a process ({OWN_CHILDREN}, \
                 CONFIG_PROC_CHILDREN); guards look through all of /proc to end a command, which \
                 takes long where there are many processes"
            );
        }
    });
}

/// The children of this process that have not been reaped. It has one thread.
pub(crate) fn children() -> Vec<Pid> {
    let me = getpid().as_raw_nonzero().get();
    let numbers = if are_listed() {
        listed(OWN_CHILDREN)
    } else {
        let all = proc::all().filter(|process| process.parent == me);
        all.map(|process| process.pid).collect()
    };
    numbers.into_iter().filter_map(Pid::from_raw).collect()
}

/// All descendants of this process, parents before their children. It has one thread.
pub(crate) fn descendants() -> Vec<Process> {
    let me = getpid().as_raw_nonzero().get();
    if are_listed() {
        descend(me, listed(OWN_CHILDREN))
    } else {
        descendants_of(me, proc::all())
    }
}

fn are_listed() -> bool {
    Path::new(OWN_CHILDREN).exists()
}

/// The processes of these numbers, and all below them.
fn descend(me: i32, children: Vec<i32>) -> Vec<Process> {
    let is_child = |process: &Process| process.parent == me;
    let mut found: Vec<_> = children
        .into_iter()
        .filter_map(proc::read)
        .filter(is_child)
        .collect();
    let mut next = 0;
    while let Some(&parent) = found.get(next) {
        next += 1;
        let below: Vec<_> = children_of(parent.pid)
            .into_iter()
            .filter_map(proc::read)
            // It has become a child of this process if its parent has ended since, and may then be
            // here already.
            .filter(|process| process.parent == parent.pid)
            .collect();
        // The number may have passed to a foreign process. Then these are that one's children.
        if proc::read(parent.pid).is_some_and(|now| now.start == parent.start) {
            found.extend(below);
        }
    }
    found
}

/// The children of all threads of a process.
fn children_of(pid: i32) -> Vec<i32> {
    fs::read_dir(format!("/proc/{pid}/task"))
        .into_iter()
        .flatten()
        .flatten()
        .flat_map(|thread| listed(thread.path().join("children")))
        .collect()
}

fn listed(path: impl AsRef<Path>) -> Vec<i32> {
    let list = fs::read_to_string(path).unwrap_or_default();
    list.split_ascii_whitespace()
        .filter_map(|number| number.parse().ok())
        .collect()
}

/// The same, out of all processes.
fn descendants_of(ancestor: i32, all: impl IntoIterator<Item = Process>) -> Vec<Process> {
    let mut children: HashMap<i32, Vec<Process>> = HashMap::new();
    for process in all {
        children.entry(process.parent).or_default().push(process);
    }
    let mut found = Vec::new();
    let mut parents = VecDeque::from([ancestor]);
    while let Some(parent) = parents.pop_front() {
        // Entries are removed, so that the loop ends even if entries from different moments form a
        // circle.
        for process in children.remove(&parent).unwrap_or_default() {
            parents.push_back(process.pid);
            found.push(process);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader};
    use std::process::{Child, Command, Stdio};

    use super::*;

    /// A shell with a child of a child, which all end when it is dropped.
    struct Family(Child, Vec<i32>);

    impl Family {
        fn new() -> Self {
            let script = "sh -c 'sleep 1000 & echo $$ $!; wait' & echo $$; wait";
            let mut child = Command::new("sh")
                .args(["-c", script])
                .stdout(Stdio::piped())
                .spawn()
                .unwrap();
            let lines = BufReader::new(child.stdout.take().unwrap()).lines();
            let mut numbers: Vec<i32> = lines
                .take(2)
                .flat_map(|line| {
                    let numbers = line.unwrap();
                    numbers
                        .split(' ')
                        .map(|number| number.parse().unwrap())
                        .collect::<Vec<_>>()
                })
                .collect();
            numbers.sort_by_key(|&pid| pid != child.id().cast_signed());
            Self(child, numbers)
        }
    }

    impl Drop for Family {
        fn drop(&mut self) {
            for pid in &self.1 {
                let pid = Pid::from_raw(*pid).unwrap();
                let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
            }
            let _ = self.0.wait();
        }
    }

    fn pids(found: Vec<Process>) -> Vec<i32> {
        found.iter().map(|process| process.pid).collect()
    }

    #[test]
    fn lists_and_search_find_the_same_family() {
        let family = Family::new();
        let Family(child, numbers) = &family;
        let child = child.id().cast_signed();
        assert_eq!(numbers.len(), 3, "{numbers:?}");
        let me = getpid().as_raw_nonzero().get();
        if are_listed() {
            // Other tests of this process have children, too, but on threads of their own.
            assert_eq!(pids(descendants()), *numbers);
            assert_eq!(children(), [Pid::from_raw(child).unwrap()]);
        }
        let searched = descendants_of(child, proc::all());
        assert_eq!(pids(searched), numbers[1..]);
        assert!(pids(descendants_of(me, proc::all())).contains(&numbers[2]));
    }

    #[test]
    fn what_is_not_a_child_is_not_followed() {
        // A number that was read as a child's, and is a foreign process's now.
        let family = Family::new();
        assert_eq!(descend(1, vec![family.1[0]]), []);
        assert_eq!(descend(1, vec![i32::MAX]), []);
    }

    #[test]
    fn descendants_are_found_behind_any_parent_and_nobody_else_is() {
        let process = |(pid, parent, state)| Process {
            pid,
            state,
            parent,
            group: pid,
            session: pid,
            start: 1,
        };
        // In the order of their numbers, which need not be the order of birth. Process 5 cannot be
        // killed, and has children.
        let all = [
            (1, 0, 'S'),
            (2, 8, 'S'),
            (3, 2, 'T'),
            (4, 1, 'S'),
            (5, 9, 'D'),
            (6, 4, 'S'),
            (8, 5, 'Z'),
            (9, 1, 'S'),
            (10, 9, 'S'),
            // These were read at different moments: a separate circle, and a process that is its
            // own parent.
            (20, 21, 'S'),
            (21, 20, 'S'),
            (22, 22, 'S'),
        ];
        let of = |ancestor| pids(descendants_of(ancestor, all.map(process)));
        assert_eq!(of(9), [5, 10, 8, 2, 3]);
        assert_eq!(of(4), [6]);
        assert_eq!(of(3), [0; 0]);
        assert_eq!(of(20), [21, 20], "and it ends");
    }
}
