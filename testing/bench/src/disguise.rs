//! The other programs that this executable can be: the command of a measured process, and a wrapper
//! that ties a process to this one.

use std::convert::Infallible;
use std::ffi::OsString;
use std::io::{self, Read};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitCode};

use rustix::process::{Signal, getppid, set_parent_process_death_signal};

use crate::arrival;
use crate::cluster::{stateful, task};
use crate::gateway::application;

/// `__arrive SOCKET`: the command that the leader runs. It reports at once, and lives until it is
/// ended.
pub(crate) const ARRIVE: &str = "__arrive";

/// `__answer SOCKET ADDRESS …`: the same, for a command that answers HTTP: see [`application`].
pub(crate) const ANSWER: &str = "__answer";

/// `__task SOCKET`: a task of a job: see [`task`].
pub(crate) const TASK: &str = "__task";

/// `__stateful SOCKET BYTES`: a task of a job that checkpoints: see [`stateful`].
pub(crate) const STATEFUL: &str = "__stateful";

/// `__tied PARENT PROGRAM ARGS…`: becomes PROGRAM, and dies with its parent, even if that is
/// killed.
pub(crate) const TIED: &str = "__tied";

/// The same for a program that has to be asked to end, so that it ends its own processes.
pub(crate) const TIED_SOFTLY: &str = "__tied_softly";

/// Runs as one of these if the arguments say so. Comes first in `main`: its start-up is part of the
/// measured time.
pub(crate) fn intercept() -> Option<ExitCode> {
    let mut args = std::env::args_os().skip(1);
    let ended = match args.next()?.to_str()? {
        ARRIVE => arrive(args),
        ANSWER => application::run(args),
        TASK => task::run(args),
        STATEFUL => stateful::run(args),
        TIED => tied(args, Signal::KILL).map(|never| match never {}),
        TIED_SOFTLY => tied(args, Signal::TERM).map(|never| match never {}),
        _ => return None,
    };
    Some(match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("incumbent-bench: {error}");
            ExitCode::FAILURE
        }
    })
}

fn arrive(mut args: impl Iterator<Item = OsString>) -> io::Result<()> {
    let socket = args.next().ok_or(io::ErrorKind::InvalidInput)?;
    let mut bench = arrival::report(Path::new(&socket))?;
    // Nothing is sent. The connection ends with the measurement.
    bench.read_to_end(&mut Vec::new())?;
    Ok(())
}

fn tied(mut args: impl Iterator<Item = OsString>, end: Signal) -> io::Result<Infallible> {
    set_parent_process_death_signal(Some(end))?;
    // If the parent died before the line above, no signal comes, and this process has another
    // parent.
    let parent = args.next().and_then(|pid| pid.to_str()?.parse().ok());
    if parent != getppid().map(|pid| pid.as_raw_nonzero().get()) {
        return Err(io::Error::other("the parent has ended"));
    }
    let program = args.next().ok_or(io::ErrorKind::InvalidInput)?;
    Err(Command::new(program).args(args).exec())
}
