//! [`Error`]: why a job does not start, or ends.

/// Any error, of a source or a sink.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// What functions of this crate return.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a job does not start, or ends.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The job is not well-formed. Nothing was started: mend the job.
    #[error("the job is not well-formed: {}", .0.join("; "))]
    Malformed(Vec<String>),
    /// The checkpoint to start from does not fit this job. Nothing was started: mend the job, or
    /// say what is meant to be forgotten.
    #[error("the checkpoint does not fit this job: {}", .0.join("; "))]
    DoesNotFit(Vec<String>),
    /// A source failed. The attempt ends; the next one starts from the last checkpoint.
    #[error("source {name}")]
    Source {
        /// Its name.
        name: String,
        /// What it says.
        #[source]
        cause: BoxError,
    },
    /// A sink failed. The attempt ends; the next one starts from the last checkpoint.
    #[error("sink {name}")]
    Sink {
        /// Its name.
        name: String,
        /// What it says.
        #[source]
        cause: BoxError,
    },
    /// Something in a state cannot be stored, so the job cannot have checkpoints. The attempt ends:
    /// mend the job.
    #[error("{0}")]
    State(String),
    /// The TaskManager does not answer, or refuses. The attempt ends.
    #[error("the TaskManager")]
    Task(#[from] incumbent_task::Error),
    /// The other tasks of the job were not reached in time, or one of them is gone. The attempt
    /// ends; the cause is elsewhere.
    #[error("the other tasks of this job")]
    Peers(#[source] BoxError),
    /// This machine refuses something that every job needs.
    #[error("{doing}")]
    Io {
        /// What was done.
        doing: String,
        /// Why it failed.
        #[source]
        cause: std::io::Error,
    },
}
