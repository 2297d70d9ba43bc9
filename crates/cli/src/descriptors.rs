//! The limit of open files and sockets of this process.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Descriptors for everything but connections of clients: listeners, logs, certificates, the store,
/// metrics. If the limit is very low, half of it is reserved.
const RESERVE: u64 = 128;

/// Raises the limit of open files as far as the system allows. It is low by default for programs
/// that use `select`, and this one does not. Returns how many connections fit, if each needs this
/// many descriptors.
pub(crate) fn raise(each: u64) -> usize {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        ..limit
    };
    if limit.current != limit.maximum {
        // If it cannot be raised, the present limit is used.
        let _ = setrlimit(Resource::Nofile, raised);
    }
    room(getrlimit(Resource::Nofile).current, each)
}

/// As many of the `wanted` connections as fit. Logs a warning if those are fewer; `flag` is the
/// flag that sets the wanted number.
pub(crate) fn fit(wanted: usize, most: usize, flag: &str) -> usize {
    if wanted > most {
        let limit = getrlimit(Resource::Nofile).current;
        tracing::warn!(
            wanted,
            connections = most,
            open_files = limit,
            "accepting fewer connections than {flag} says, because the limit of open files is too low; \
             raise it (ulimit -Hn, LimitNOFILE= of systemd), or lower {flag}"
        );
    }
    wanted.min(most)
}

fn room(limit: Option<u64>, each: u64) -> usize {
    let Some(limit) = limit else {
        return usize::MAX;
    };
    let free = limit - RESERVE.min(limit / 2);
    usize::try_from(free / each).unwrap_or(usize::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_fit_into_the_limit_with_what_else_is_open() {
        assert_eq!(room(Some(1024), 2), 448);
        assert_eq!(room(Some(1024), 1), 896);
        assert_eq!(room(Some(64), 2), 16);
        assert_eq!(room(Some(1), 2), 1);
        assert_eq!(room(None, 2), usize::MAX);
    }

    #[test]
    fn the_limit_is_raised_as_far_as_the_system_allows() {
        let most = raise(1);
        let limit = getrlimit(Resource::Nofile);
        assert_eq!(limit.current, limit.maximum);
        assert_eq!(most, room(limit.maximum, 1));
    }

    #[test]
    fn no_more_are_taken_than_fit_and_no_more_than_wanted() {
        assert_eq!(fit(10_000, 448, "--connections"), 448);
        assert_eq!(fit(100, 448, "--connections"), 100);
    }
}
