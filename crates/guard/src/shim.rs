//! The exec shim: a process that does the work between fork and exec, and then becomes COMMAND.

use std::convert::Infallible;
use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode, Stdio};

use rustix::io::Errno;
use rustix::process::{Signal, getppid, set_parent_process_death_signal};

use crate::wire::FromGuard;
use crate::{OUR_FAULT, SpawnError, environment, fds, signals};

/// Ties this process to its parent, the guard, and becomes COMMAND: `PARENT COMMAND ARGS…`.
///
/// Its stdin is a socket to the guard, over which it receives COMMAND's own stdin and environment.
/// If COMMAND cannot be executed, the shim reports why. Otherwise the exec closes the socket, which
/// tells the guard that COMMAND runs.
pub fn shim_main(args: impl Iterator<Item = OsString>) -> ExitCode {
    // A copy that the exec closes; COMMAND's stdin replaces descriptor 0.
    let Ok(guard) = io::stdin().as_fd().try_clone_to_owned() else {
        return ExitCode::from(OUR_FAULT);
    };
    let (answer, code) = match become_command(&guard, args) {
        Ok(never) => match never {},
        Err(Failure::Exec(error)) => {
            let code = SpawnError::exec(OsString::new(), io::Error::from(error)).exit_code();
            (FromGuard::ExecFailed(error.raw_os_error()), code)
        }
        Err(Failure::Before(error)) => (FromGuard::Unable(error.raw_os_error()), OUR_FAULT),
    };
    // If the guard is gone, no process needs the answer.
    let _ = fds::send(&guard, answer, &[]);
    ExitCode::from(code)
}

enum Failure {
    Before(Errno),
    Exec(Errno),
}

fn before(error: io::Error) -> Failure {
    Failure::Before(errno(&error))
}

fn become_command(
    guard: &OwnedFd,
    mut args: impl Iterator<Item = OsString>,
) -> Result<Infallible, Failure> {
    set_parent_process_death_signal(Some(Signal::KILL)).map_err(Failure::Before)?;
    // If the parent died before the line above, no signal comes, but this process has another
    // parent.
    let parent = args.next().and_then(|pid| pid.to_str()?.parse().ok());
    let actual = getppid().map(|pid| pid.as_raw_nonzero().get());
    if parent.is_none() || parent != actual {
        return Err(Failure::Before(Errno::CHILD));
    }
    signals::pass_on().map_err(before)?;
    let program = args.next().ok_or(Failure::Before(Errno::INVAL))?;
    let packet = fds::receive(guard).map_err(before)?;
    let mut fds = packet.into_iter().flat_map(|packet| packet.fds);
    let (Some(environment), Some(stdin)) = (fds.next(), fds.next()) else {
        return Err(Failure::Before(Errno::PIPE));
    };
    let error = Command::new(program)
        .args(args)
        .env_clear()
        .envs(environment::unpack(environment).map_err(before)?)
        .stdin(Stdio::from(stdin))
        .exec();
    Err(Failure::Exec(errno(&error)))
}

/// The number of a system error.
pub(crate) fn errno(error: &io::Error) -> Errno {
    Errno::from_io_error(error).unwrap_or(Errno::INVAL)
}
