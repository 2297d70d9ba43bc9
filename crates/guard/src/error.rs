//! Errors, as the runner sees them.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;

/// Why the command was not started. No part of it is running.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum SpawnError {
    /// The program does not exist, on the search path or at the given path; or its interpreter is
    /// missing.
    #[error("command not found: {}", program.display())]
    NotFound {
        /// As it was given.
        program: OsString,
        /// The system's error.
        source: io::Error,
    },
    /// The program is there and cannot be executed.
    #[error("cannot execute {}", program.display())]
    NotExecutable {
        /// As it was given.
        program: OsString,
        /// The system's error.
        source: io::Error,
    },
    /// The command cannot run in this directory.
    #[error("cannot change to directory {}", path.display())]
    Directory {
        /// As it was given.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The name is empty or has a `=`, or name or value have a zero byte: no process can have such
    /// a variable.
    #[error("no process can have the environment variable {name:?}")]
    Environment {
        /// The name, as it was given.
        name: OsString,
    },
    /// The hard deadline passed before the command could be started: the right to run it has to be
    /// renewed first.
    #[error("the deadline passed before the command was started")]
    TooLate,
    /// The guard could not be started or could not do its part.
    #[error("cannot guard the command")]
    Guard(#[source] io::Error),
    /// The guard ended before the command was started.
    #[error("the guard of the command was lost before it started")]
    Lost(#[source] GuardLost),
}

/// The guard did not see the command to its end.
#[non_exhaustive]
#[derive(Clone, Debug, thiserror::Error)]
pub enum GuardLost {
    /// The guard is dead. The command was killed with it, but processes that it put into other
    /// process groups may have survived.
    #[error("the guard of the command ended unexpectedly{}", how(*.status))]
    Died {
        /// How it ended, if known.
        status: Option<ExitStatus>,
    },
    /// Guard and runner did not understand each other, which is a bug. The command and everything
    /// it started are dead.
    #[error("the guard of the command received a message it does not know")]
    Broken,
    /// Some processes do not end. The guard keeps trying and keeps the liveness listener. Wait
    /// again, or give up.
    #[error("{count} processes of the command could not be ended yet")]
    Lingering {
        /// How many such processes the guard knows of.
        count: usize,
    },
}

/// Why a request did not reach the guard.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum LeashError {
    /// The guard and the command have ended; [`Guarded::wait`](crate::Guarded::wait) returns why.
    #[error("the guard of the command is gone")]
    Gone,
    /// The guard does not read its messages. Unless it continues, deadlines are not enforced.
    #[error("the guard of the command does not read")]
    Stuck,
    /// There is no such signal, or it is a real-time signal, which cannot be forwarded.
    #[error("cannot send signal {0}")]
    NoSuchSignal(i32),
}

impl SpawnError {
    /// The exit code that a shell would use: 127 for a program that does not exist, 126 for one
    /// that cannot be executed.
    ///
    /// 125 means that the program is not at fault.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::NotFound { .. } => 127,
            Self::NotExecutable { .. } | Self::Directory { .. } => 126,
            Self::Environment { .. } | Self::TooLate | Self::Guard(_) | Self::Lost(_) => {
                crate::OUR_FAULT
            }
        }
    }

    /// Why `program` could not be executed.
    pub(crate) fn exec(program: OsString, source: io::Error) -> Self {
        if source.kind() == io::ErrorKind::NotFound {
            Self::NotFound { program, source }
        } else {
            Self::NotExecutable { program, source }
        }
    }
}

fn how(status: Option<ExitStatus>) -> String {
    status.map_or_else(String::new, |status| format!(" ({status})"))
}
