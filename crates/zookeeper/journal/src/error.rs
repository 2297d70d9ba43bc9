//! Errors, named for what the caller or a person should do next.

use std::error::Error as StdError;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Any error of the caller's.
pub type BoxError = Box<dyn StdError + Send + Sync>;

/// Why a journal cannot be opened. Nothing was changed, except that unfinished files may have been
/// removed.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process, or this one, has the directory open. Only one can.
    #[error("{} is in use by {holder}: stop it first", dir.display())]
    Locked {
        /// The directory.
        dir: PathBuf,
        /// The holder as it named itself: process, program and host.
        holder: String,
    },
    /// The directory has no journal, and something else is in it. Nothing was changed: name an
    /// empty directory, or one that this program has written.
    #[error("{} has no journal of this program, and holds {name:?}, which {what}; {advice}", dir.display())]
    Foreign {
        /// The directory.
        dir: PathBuf,
        /// The name of what is in it.
        name: String,
        /// What that is.
        what: &'static str,
        /// What to do.
        advice: &'static str,
    },
    /// Another program, or the disk, changed a file. Nothing is guessed: a person must look at it.
    #[error("{} is damaged at byte {offset}: {what}; {advice}", file.display())]
    Damaged {
        /// The file.
        file: PathBuf,
        /// Where in the file.
        offset: u64,
        /// What is wrong.
        what: String,
        /// What to do.
        advice: &'static str,
    },
    /// Files are missing.
    #[error("{} lacks {what}; {advice}", dir.display())]
    Missing {
        /// The directory.
        dir: PathBuf,
        /// What is missing.
        what: String,
        /// What to do.
        advice: &'static str,
    },
    /// A newer version of this program wrote the file: use that version.
    #[error("{} has format {found}, and this program knows formats up to {known}: use the program that wrote it", file.display())]
    Newer {
        /// The file.
        file: PathBuf,
        /// Its format.
        found: u32,
        /// The newest format that this program knows.
        known: u32,
    },
    /// The caller refused an entry or a snapshot. The file is intact, so its content was wrong when
    /// it was written.
    #[error("{} at byte {offset}: entry {index} cannot be replayed", file.display())]
    Refused {
        /// The file.
        file: PathBuf,
        /// Where in the file the batch of the entry begins.
        offset: u64,
        /// The index of the entry or snapshot.
        index: u64,
        /// The caller's error.
        source: BoxError,
    },
    /// The options contradict each other: correct them.
    #[error("{0}")]
    Options(String),
    /// The operating system reported an error.
    #[error("cannot {doing} {}", path.display())]
    Io {
        /// What failed.
        doing: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Why an entry was not taken. The caller may go on as if it had not tried.
#[non_exhaustive]
#[derive(Clone, Debug, thiserror::Error)]
pub enum AppendError {
    /// Too many bytes wait for the disk: wait with [`Journal::room`](crate::Journal::room).
    #[error("{waiting} bytes wait to be written, and the limit is {limit}")]
    Full {
        /// How many bytes wait.
        waiting: usize,
        /// [`Options::buffer_bytes`](crate::Options::buffer_bytes).
        limit: usize,
    },
    /// The entry is too large: split it.
    #[error("an entry of {size} bytes is larger than {limit}")]
    TooLarge {
        /// Its size.
        size: usize,
        /// The largest size.
        limit: usize,
    },
    /// Indexes must rise: a mistake of the caller.
    #[error("index {index} does not come after {last}")]
    NotRising {
        /// The index of the entry.
        index: u64,
        /// The index of the entry before it.
        last: u64,
    },
    /// The journal failed before, and takes no entries any more.
    #[error(transparent)]
    Failed(#[from] Failure),
    /// The journal was closed.
    #[error("the journal was closed")]
    Closed,
}

/// Why nothing becomes durable any more. It is final: correct the cause, and start the process
/// again.
///
/// After a failed sync it is unknown what is on the disk, and the kernel may have dropped the rest.
/// So a sync is never retried. What was acknowledged is safe. What was appended after that may be
/// found at the next start, or not.
#[derive(Clone, Debug, thiserror::Error)]
#[error("cannot {doing} {}; nothing is written any more", path.display())]
pub struct Failure {
    doing: &'static str,
    path: PathBuf,
    #[source]
    source: Arc<io::Error>,
}

impl Failure {
    pub(crate) fn new(doing: &'static str, path: &Path, source: io::Error) -> Self {
        Self {
            doing,
            path: path.to_owned(),
            source: Arc::new(source),
        }
    }

    /// Whether the disk is full: make room, and start again.
    #[must_use]
    pub fn is_disk_full(&self) -> bool {
        is_full(&self.source)
    }
}

/// A quota that is used up counts as a full disk.
pub(crate) fn is_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    )
}

/// Why there is no new snapshot. Earlier snapshots and the log are kept: try again after more
/// entries.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// The previous one is still being written.
    #[error("a snapshot is being written")]
    Busy,
    /// No entry with this index or a later one was appended, or a snapshot covers it already.
    #[error(
        "no snapshot can be made at {index}: the newest is at {newest}, and the last entry is {last}"
    )]
    OutOfPlace {
        /// The index that was asked for.
        index: u64,
        /// Index of the newest snapshot, or 0.
        newest: u64,
        /// Index of the last entry.
        last: u64,
    },
    /// The log failed before all entries that the snapshot covers were durable.
    #[error(transparent)]
    Failed(#[from] Failure),
    /// The journal was closed before it was written.
    #[error("the journal was closed")]
    Closed,
    /// The snapshot could not be written.
    #[error("cannot {doing} {}", path.display())]
    Io {
        /// What failed.
        doing: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// Why; also the error of the caller's closure.
        source: io::Error,
    },
}
