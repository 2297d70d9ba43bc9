//! What can go wrong, as the runner sees it.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;

/// Why the command was not started. None of it is running.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum SpawnError {
    /// There is no such program, on the search path or where the name says; or its interpreter is
    /// missing.
    #[error("command not found: {}", program.display())]
    NotFound {
        /// As it was given.
        program: OsString,
        /// What the system said.
        source: io::Error,
    },
    /// The program is there and cannot be executed.
    #[error("cannot execute {}", program.display())]
    NotExecutable {
        /// As it was given.
        program: OsString,
        /// What the system said.
        source: io::Error,
    },
    /// The command cannot run in this directory.
    #[error("cannot change to directory {}", path.display())]
    Directory {
        /// As it was given.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
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
    /// The guard is dead. The command was killed with it; what it put into other process groups may
    /// have survived.
    #[error("the guard of the command ended unexpectedly{}", how(*.status))]
    Died {
        /// How it ended, if that is known.
        status: Option<ExitStatus>,
    },
    /// Guard and runner did not understand each other, which is a bug. The command and all it
    /// started are dead.
    #[error("the guard of the command received a message it does not know")]
    Broken,
    /// Something does not die. The guard keeps trying and keeps the liveness listener; wait again,
    /// or give up.
    #[error("{count} processes of the command could not be ended yet")]
    Lingering {
        /// How many the guard knows of.
        count: usize,
    },
}

/// Why a request did not reach the guard.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum LeashError {
    /// The guard is not there any more, nor is the command; [`Guarded::wait`](crate::Guarded::wait)
    /// tells why.
    #[error("the guard of the command is gone")]
    Gone,
    /// The guard has stopped reading. Unless it continues, deadlines are not enforced.
    #[error("the guard of the command does not read")]
    Stuck,
    /// There is no such signal, or it is a real-time signal, which cannot be forwarded.
    #[error("cannot send signal {0}")]
    NoSuchSignal(i32),
}

impl SpawnError {
    /// What a shell would exit with: 127 for a program that is not there, 126 for one that cannot
    /// be executed.
    ///
    /// 125 says that the fault is not the program's.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::NotFound { .. } => 127,
            Self::NotExecutable { .. } | Self::Directory { .. } => 126,
            Self::TooLate | Self::Guard(_) | Self::Lost(_) => crate::OUR_FAULT,
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
