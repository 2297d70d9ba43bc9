//! The signals that a guard receives.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

/// Signals that are meant for the runner or for COMMAND, but reach every process of this name or
/// control group, as `killall` and service managers send them.
const OF_OTHERS: [Signal; 6] = [
    Signal::SIGTERM,
    Signal::SIGINT,
    Signal::SIGHUP,
    Signal::SIGQUIT,
    Signal::SIGUSR1,
    Signal::SIGUSR2,
];

/// SIGCHLD as a file that becomes readable. Unlike a handler, it cannot be missed between looking
/// and waiting, so the guard need not look again from time to time.
#[derive(Debug)]
pub(crate) struct Children(SignalFd);

/// From now on this process survives the signals above, and receives SIGCHLD through the result.
///
/// The signals are blocked, and neither caught nor ignored: what was ignored from the start, as
/// under `nohup`, stays so in COMMAND. SIGCHLD is not ignored at the start of a guard, because its
/// runner catches it.
pub(crate) fn receive() -> io::Result<Children> {
    let child = SigSet::from_iter([Signal::SIGCHLD]);
    held_back().thread_block()?;
    let flags = SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK;
    Ok(Children(SignalFd::with_flags(&child, flags)?))
}

/// Ends in the shim what it has inherited of [`receive`], so that COMMAND gets its signals.
pub(crate) fn pass_on() -> io::Result<()> {
    Ok(held_back().thread_unblock()?)
}

fn held_back() -> SigSet {
    OF_OTHERS.into_iter().chain([Signal::SIGCHLD]).collect()
}

impl Children {
    /// Waits no more until the next SIGCHLD.
    pub(crate) fn clear(&self) {
        while let Ok(Some(_)) = self.0.read_signal() {}
    }
}

impl AsFd for Children {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
