//! [`Error`]: why a request of a task did not do what it should.

use std::io;
use std::path::PathBuf;

/// Why a request did not do what it should. Variants are named for the caller's next decision.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The program was not started as a task of a cluster: say so, and exit.
    #[error(
        "{variable} is not set: this program is meant to be a task of a cluster (incumbent job run)"
    )]
    NotATask {
        /// The variable that a task has.
        variable: &'static str,
    },
    /// The checkpoint is aborted, or another one is asked for by now. Go on working: what was
    /// staged for it belongs to the next one.
    #[error("checkpoint {number} is not asked for any more: {why}")]
    NotPending {
        /// Its number.
        number: u64,
        /// What its TaskManager says.
        why: String,
    },
    /// What the task was to start from is gone or altered. Exit: its TaskManager ends it anyway,
    /// and says which file of which checkpoint it is.
    #[error("the state to start from cannot be had: {why}")]
    NotRestored {
        /// What its TaskManager says.
        why: String,
    },
    /// The request is wrong, and would be at any other time: a fault of this program.
    #[error("refused with {status}: {why}")]
    Refused {
        /// The status of HTTP.
        status: u16,
        /// What its TaskManager says.
        why: String,
    },
    /// The TaskManager is gone, and has ended this task or will. Exit.
    #[error("the TaskManager does not answer")]
    Gone(#[source] io::Error),
    /// What the caller gave to store could not be read. Nothing was stored.
    #[error("what was to be stored could not be read")]
    Source(#[source] io::Error),
}

/// Why output could not be staged or published.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum SinkError {
    /// There is a file of this name that is not ours: the directory has output of another job, or
    /// of another sink of this name. Nothing was replaced. Use another directory.
    #[error("{} is there already, and is not of this job: use another directory for the output", path.display())]
    Taken {
        /// The file.
        path: PathBuf,
    },
    /// What a checkpoint has promised is neither staged nor published. Going on would lose it, so
    /// the job must not go on: is the directory the same on all machines?
    #[error(
        "{} is neither staged nor published: the directory has to be the same on all machines, \
         and output must not be taken away before a later checkpoint is committed", path.display()
    )]
    Lost {
        /// The file that should be published.
        path: PathBuf,
    },
    /// The name of a sink is not 1 to 64 letters, digits, `-` and `_`.
    #[error("{name:?} cannot be the name of a sink: 1 to 64 letters, digits, - and _")]
    Name {
        /// The name.
        name: String,
    },
    /// The file system refused. Nothing was published that was not before, or it is published.
    #[error("{what} {}", path.display())]
    Io {
        /// What was not done.
        what: &'static str,
        /// To which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}
