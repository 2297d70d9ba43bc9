//! Ends what a command has started, and reaps it.

use std::os::fd::BorrowedFd;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{
    Pid, Signal, WaitOptions, WaitStatus, kill_process, kill_process_group, wait, waitpid,
};

use crate::{BootTime, Cause, End, Exit, proc, tree};

/// How long killing may take before the runner is informed. It normally takes milliseconds.
const PATIENCE: Duration = Duration::from_secs(5);

/// Pauses between two rounds of killing: short at first, then longer, so that a process that cannot
/// be killed costs little.
const SHORTEST_PAUSE: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_millis(200);

/// The bit of a wait status that says that a core was dumped: `WCOREDUMP`.
const CORE_DUMPED: i32 = 0x80;

/// Kills until there is no child left, and returns how COMMAND ended: `None` if that was never
/// seen. `lingering` hears once how many processes are left when that takes long.
///
/// Every descendant becomes a child of this process once the processes in between have ended. So if
/// there is no child, nothing is left. A process that cannot be killed keeps its children, so the
/// guard searches behind it, too. It continues as long as any process lives, because the liveness
/// listener must not be closed before.
pub(crate) fn end_everything(
    command: Pid,
    pidfd: BorrowedFd<'_>,
    lingering: impl Fn(usize),
) -> Option<WaitStatus> {
    let patience = BootTime::now() + PATIENCE;
    let mut pause = SHORTEST_PAUSE;
    let mut told = false;
    let mut end = None;
    loop {
        if end.is_none() {
            let _ = kill_process_group(command, Signal::KILL);
            let _ = kill_process(command, Signal::KILL);
        }
        // Usually COMMAND has left nothing behind, and there is nothing to look for.
        if reap(command, &mut end) == Left::Nothing {
            return end;
        }
        let left = tree::descendants();
        left.iter().for_each(proc::Process::kill);
        if !told && BootTime::now() >= patience {
            // At least one is left, even if /proc does not show it.
            let count = left.iter().filter(|process| process.runs()).count();
            lingering(count.max(1));
            told = true;
        }
        pause_for(pause, end.is_none().then_some(pidfd));
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// Reaps orphans of a running COMMAND that have ended, but not COMMAND. Each occupies a process id
/// until then.
pub(crate) fn collect_orphans(command: Pid) {
    for child in tree::children() {
        if child != command {
            let _ = waitpid(Some(child), WaitOptions::NOHANG);
        }
    }
}

/// What the runner hears of the end of COMMAND.
pub(crate) fn describe(status: WaitStatus, cause: Cause) -> End {
    let exit = match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => Exit::Code(code),
        (None, signal) => Exit::Signal(signal.expect("a process that ended has exited or not")),
    };
    let core_dumped = matches!(exit, Exit::Signal(_)) && status.as_raw() & CORE_DUMPED != 0;
    End {
        exit,
        cause,
        core_dumped,
    }
}

#[derive(PartialEq, Eq)]
enum Left {
    Something,
    Nothing,
}

/// Reaps all children that have ended, and notes how COMMAND ended.
fn reap(command: Pid, end: &mut Option<WaitStatus>) -> Left {
    loop {
        match wait(WaitOptions::NOHANG) {
            Ok(Some((pid, status))) if pid == command => *end = Some(status),
            Ok(Some(_)) | Err(Errno::INTR) => {}
            Err(Errno::CHILD) => return Left::Nothing,
            Ok(None) | Err(_) => return Left::Something,
        }
    }
}

/// Waits, but not longer than until COMMAND has ended.
fn pause_for(pause: Duration, command: Option<BorrowedFd<'_>>) {
    let mut fds: Vec<_> = command
        .iter()
        .map(|command| PollFd::new(command, PollFlags::IN))
        .collect();
    let _ = poll(&mut fds, Some(&timespec(pause)));
}

fn timespec(duration: Duration) -> Timespec {
    Timespec::try_from(duration).expect("the pauses above are short")
}
