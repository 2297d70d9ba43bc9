//! Who is whose child, as `/proc` tells it.

use std::fs;

use rustix::process::{Pid, getpid, getsid};

/// One process, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Process {
    pid: i32,
    state: char,
    parent: i32,
    group: i32,
    session: i32,
}

/// The children of this process that have not been reaped.
pub(crate) fn children() -> Vec<Pid> {
    let me = getpid().as_raw_nonzero().get();
    all()
        .filter(|process| process.parent == me)
        .filter_map(|process| Pid::from_raw(process.pid))
        .collect()
}

/// Whether a group of this session has a member that still runs.
///
/// That the session is ours tells the group from one that was given the same number later, after all of it was gone.
pub(crate) fn group_runs(group: Pid) -> bool {
    let group = group.as_raw_nonzero().get();
    let session = getsid(None).map_or(0, |session| session.as_raw_nonzero().get());
    all().any(|process| {
        process.group == group && process.session == session && !"ZX".contains(process.state)
    })
}

/// All processes. One that ends while we look is left out or not, as it happens.
fn all() -> impl Iterator<Item = Process> {
    fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| entry.file_name().as_encoded_bytes()[0].is_ascii_digit())
        .filter_map(|entry| fs::read(entry.path().join("stat")).ok())
        .filter_map(|stat| parse(&stat))
}

/// Reads `pid (name) state parent group session …`, where the name may hold anything, also spaces and parentheses.
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
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_hold_anything() {
        let process = parse(b"12 (a) Z (1 2\xff) S 3 4 5 0 -1").unwrap();
        let expected = Process {
            pid: 12,
            state: 'S',
            parent: 3,
            group: 4,
            session: 5,
        };
        assert_eq!(process, expected);
        assert_eq!(parse(b"12 (cut"), None);
        assert_eq!(parse(b")("), None);
    }

    #[test]
    fn this_process_is_among_all() {
        let me = getpid().as_raw_nonzero().get();
        assert!(all().any(|process| process.pid == me));
    }
}
