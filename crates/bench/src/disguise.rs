//! What this executable is to the processes that are measured: their command, and what ties them to this one.

use std::convert::Infallible;
use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

use rustix::process::{Signal, getppid, set_parent_process_death_signal};

/// `__arrive SOCKET`: the command that is run by whoever leads. It says so at once, and lives until it is ended.
pub(crate) const ARRIVE: &str = "__arrive";

/// `__tied PARENT PROGRAM ARGS…`: becomes PROGRAM, and dies with its parent, even if that is killed.
pub(crate) const TIED: &str = "__tied";

/// Runs as one of these if this process was started so. Comes before everything else: its start-up is part of what is timed.
pub(crate) fn intercept() -> Option<ExitCode> {
    let mut args = std::env::args_os().skip(1);
    let ended = match args.next()?.to_str()? {
        ARRIVE => arrive(args),
        TIED => tied(args).map(|never| match never {}),
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
    let mut bench = UnixStream::connect(socket)?;
    let own = |name| std::env::var(name).unwrap_or_default();
    let line = format!("{} {}\n", own("INCUMBENT_HOLDER"), own("INCUMBENT_EPOCH"));
    bench.write_all(line.as_bytes())?;
    // Nothing comes. It ends when nobody measures any more.
    bench.read_to_end(&mut Vec::new())?;
    Ok(())
}

fn tied(mut args: impl Iterator<Item = OsString>) -> io::Result<Infallible> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    // If the parent died before the line above, no signal comes, and this process has another parent.
    let parent = args.next().and_then(|pid| pid.to_str()?.parse().ok());
    if parent != getppid().map(|pid| pid.as_raw_nonzero().get()) {
        return Err(io::Error::other("its parent is gone"));
    }
    let program = args.next().ok_or(io::ErrorKind::InvalidInput)?;
    Err(Command::new(program).args(args).exec())
}
