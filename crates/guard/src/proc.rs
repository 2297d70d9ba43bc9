//! One process, as `/proc` shows it.

use std::{fs, io};

use rustix::process::{
    Pid, PidfdFlags, Signal, getpid, kill_process, pidfd_open, pidfd_send_signal,
};

/// One process, with the fields that are needed here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Process {
    pub(crate) pid: i32,
    pub(crate) state: char,
    pub(crate) parent: i32,
    pub(crate) group: i32,
    pub(crate) session: i32,
    /// The start time in ticks. It distinguishes the process from a later one with the same id.
    pub(crate) start: u64,
}

/// Fails if `/proc` does not belong to the pid namespace of this process. Processes that a command
/// leaves behind could not be found there.
pub(crate) fn check() -> io::Result<()> {
    let shown = fs::read_link("/proc/self").ok();
    if shown.is_some_and(|pid| pid.as_os_str() == getpid().as_raw_nonzero().to_string().as_str()) {
        return Ok(());
    }
    Err(io::Error::other(FOREIGN))
}

/// The error message if [`check`] fails.
pub(crate) const FOREIGN: &str =
    "/proc is not that of this process's pid namespace; mount it (unshare --mount-proc)";

impl Process {
    pub(crate) fn runs(&self) -> bool {
        !"ZX".contains(self.state)
    }

    /// Kills this process, but never a later one with the same id.
    pub(crate) fn kill(&self) {
        let Some(pid) = Pid::from_raw(self.pid) else {
            return;
        };
        let me = getpid().as_raw_nonzero().get();
        if self.parent == me {
            // A child keeps its id until it is reaped here.
            let _ = kill_process(pid, Signal::KILL);
            return;
        }
        let Ok(pidfd) = pidfd_open(pid, PidfdFlags::empty()) else {
            return;
        };
        // Read the process again while the pidfd holds it. If its parent has died meanwhile, it is
        // a child now.
        let same = read(self.pid)
            .is_some_and(|now| now.start == self.start && [self.parent, me].contains(&now.parent));
        if same {
            let _ = pidfd_send_signal(pidfd, Signal::KILL);
        }
    }
}

/// Whether a group of this session has a member that still runs.
///
/// Comparing the session excludes a later group with the same id.
pub(crate) fn group_runs(group: Pid) -> bool {
    let group = group.as_raw_nonzero().get();
    // Read in the same way as the others: it is 0 for a session that was started outside this pid
    // namespace.
    let Some(Process { session, .. }) = read(getpid().as_raw_nonzero().get()) else {
        return false;
    };
    all().any(|process| process.group == group && process.session == session && process.runs())
}

/// All processes. A process that ends meanwhile may be missing.
pub(crate) fn all() -> impl Iterator<Item = Process> {
    fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| entry.file_name().as_encoded_bytes()[0].is_ascii_digit())
        .filter_map(|entry| fs::read(entry.path().join("stat")).ok())
        .filter_map(|stat| parse(&stat))
}

pub(crate) fn read(pid: i32) -> Option<Process> {
    parse(&fs::read(format!("/proc/{pid}/stat")).ok()?)
}

/// Parses `pid (name) state parent group session …`, with the start as field 22. The name may
/// contain anything, also spaces and parentheses.
fn parse(stat: &[u8]) -> Option<Process> {
    let open = stat.iter().position(|&byte| byte == b'(')?;
    let close = stat.iter().rposition(|&byte| byte == b')')?;
    let pid = std::str::from_utf8(&stat[..open])
        .ok()?
        .trim()
        .parse()
        .ok()?;
    let mut rest = std::str::from_utf8(&stat[close + 1..])
        .ok()?
        .split_ascii_whitespace();
    Some(Process {
        pid,
        state: rest.next()?.chars().next()?,
        parent: rest.next()?.parse().ok()?,
        group: rest.next()?.parse().ok()?,
        session: rest.next()?.parse().ok()?,
        start: rest.nth(15)?.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::CommandExt;

    use super::*;

    #[test]
    fn a_name_may_hold_anything() {
        let process =
            parse(b"12 (a) Z (1 2\xff) S 3 4 5 0 -1 7 8 9 10 11 12 13 14 15 16 17 18 19 4711 21")
                .unwrap();
        let expected = Process {
            pid: 12,
            state: 'S',
            parent: 3,
            group: 4,
            session: 5,
            start: 4711,
        };
        assert_eq!(process, expected);
        assert_eq!(parse(b"12 (cut"), None);
        assert_eq!(parse(b")("), None);
    }

    #[test]
    fn only_the_process_that_was_seen_is_killed() {
        let mut child = std::process::Command::new("sleep")
            .arg("1000")
            .spawn()
            .unwrap();
        let seen = read(child.id().cast_signed()).unwrap();
        // The view of a process that is not its parent, from a time when another process had this
        // number.
        let earlier = Process {
            parent: 1,
            start: seen.start - 1,
            ..seen
        };
        earlier.kill();
        assert!(child.try_wait().unwrap().is_none());
        Process { parent: 1, ..seen }.kill();
        assert!(!child.wait().unwrap().success());
    }

    #[test]
    fn a_group_runs_until_its_last_member_is_gone() {
        let mut child = std::process::Command::new("sleep")
            .arg("1000")
            .process_group(0)
            .spawn()
            .unwrap();
        let group = Pid::from_child(&child);
        assert!(group_runs(group));
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(!group_runs(group));
    }

    #[test]
    #[expect(clippy::print_stderr, reason = "skipped aloud")]
    fn a_group_is_found_in_a_session_that_was_begun_outside_of_the_pid_namespace() {
        let namespace = ["--pid", "--fork", "--mount-proc"];
        let inside = |program: &std::ffi::OsStr, args: &[&str]| {
            let mut command = std::process::Command::new("unshare");
            command.args(namespace).arg(program).args(args);
            command.output()
        };
        if !inside("true".as_ref(), &[]).is_ok_and(|ended| ended.status.success()) {
            eprintln!("SKIPPED: a pid namespace may not be made here");
            return;
        }
        let this = std::env::current_exe().unwrap();
        let claim = "proc::tests::a_group_runs_until_its_last_member_is_gone";
        let ended = inside(this.as_os_str(), &["--exact", claim]).unwrap();
        let said = String::from_utf8_lossy(&ended.stdout);
        assert!(
            ended.status.success() && said.contains("1 passed"),
            "{said}"
        );
    }

    #[test]
    fn this_process_is_among_all() {
        let me = getpid().as_raw_nonzero().get();
        assert!(all().any(|process| process.pid == me));
    }
}
