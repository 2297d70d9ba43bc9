//! What goes wrong, named for what the caller or a person should do next.

use std::error::Error as StdError;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Any error of the caller's.
pub type BoxError = Box<dyn StdError + Send + Sync>;

/// Why a journal cannot be opened. Nothing was changed, except that rests of what was never
/// finished may be gone.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process, or another journal of this one, has the directory open: there can be only
    /// one.
    #[error("{} is in use by {holder}: stop that one first", dir.display())]
    Locked {
        /// The directory.
        dir: PathBuf,
        /// Who has it, as far as is known: process, program and host.
        holder: String,
    },
    /// The directory has no journal, and something else is in it. Nothing was changed: name an empty
    /// directory, or one that this program has written.
    #[error("{} holds {name:?}, which {what}, and no journal of this program; {advice}", dir.display())]
    Foreign {
        /// The directory.
        dir: PathBuf,
        /// The name of what is in it.
        name: String,
        /// What that is.
        what: &'static str,
        /// What can be done.
        advice: &'static str,
    },
    /// Something was changed behind our back. Nothing is guessed: a person has to look at it.
    #[error("{} is damaged at byte {offset}: {what}; {advice}", file.display())]
    Damaged {
        /// The file.
        file: PathBuf,
        /// Where in the file.
        offset: u64,
        /// What is wrong.
        what: String,
        /// What can be done.
        advice: &'static str,
    },
    /// Files that have to be there are not.
    #[error("{} lacks {what}; {advice}", dir.display())]
    Missing {
        /// The directory.
        dir: PathBuf,
        /// What is missing.
        what: String,
        /// What can be done.
        advice: &'static str,
    },
    /// The file was written by a newer version of this program: use that one.
    #[error("{} has format {found}, and this program knows formats up to {known}: use the program that wrote it", file.display())]
    Newer {
        /// The file.
        file: PathBuf,
        /// Its format.
        found: u32,
        /// The newest that we know.
        known: u32,
    },
    /// The caller refused what was found. The file is whole, so its content was wrong when it was
    /// written.
    #[error("{} at byte {offset}: what was stored as {index} was refused", file.display())]
    Refused {
        /// The file.
        file: PathBuf,
        /// Where in the file: of the batch that the entry is in.
        offset: u64,
        /// The index of the entry or snapshot.
        index: u64,
        /// What the caller said.
        source: BoxError,
    },
    /// The options contradict each other: correct them.
    #[error("{0}")]
    Options(String),
    /// The operating system refused.
    #[error("cannot {doing} {}", path.display())]
    Io {
        /// What was tried.
        doing: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

/// Why an entry was not taken. It was not, so the caller may go on as if it had not tried.
#[non_exhaustive]
#[derive(Clone, Debug, thiserror::Error)]
pub enum AppendError {
    /// Too much waits for the disk: wait with [`Journal::room`](crate::Journal::room).
    #[error("{waiting} bytes wait to be written, and the limit is {limit}")]
    Full {
        /// How much waits.
        waiting: usize,
        /// [`Options::buffer_bytes`](crate::Options::buffer_bytes).
        limit: usize,
    },
    /// It can never be taken: split it.
    #[error("an entry of {size} bytes is larger than {limit}")]
    TooLarge {
        /// Its size.
        size: usize,
        /// The largest size.
        limit: usize,
    },
    /// Indexes have to rise: a mistake of the caller's.
    #[error("index {index} does not come after {last}")]
    NotRising {
        /// That of the entry.
        index: u64,
        /// That of the entry before it.
        last: u64,
    },
    /// The journal failed before, and takes nothing any more.
    #[error(transparent)]
    Failed(#[from] Failure),
    /// The journal was closed.
    #[error("the journal was closed")]
    Closed,
}

/// Why nothing becomes durable any more. It is final: the process has to be started again, after
/// what is wrong was corrected.
///
/// After a failed sync nobody knows what is on the disk, and the kernel may have forgotten what is
/// not. So it is never tried again. What was acknowledged is safe. What was appended after that may
/// be found at the next start, or not.
#[derive(Clone, Debug, thiserror::Error)]
#[error("cannot {doing} {}: nothing is written any more", path.display())]
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

    /// Whether there is no room on the disk: make some, and start again.
    #[must_use]
    pub fn is_disk_full(&self) -> bool {
        is_full(&self.source)
    }
}

/// Also a quota is a disk that is full.
pub(crate) fn is_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    )
}

/// Why there is no new snapshot. What was there before is as it was, and the log is kept: try again
/// when more was appended.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// The one before is still being written.
    #[error("a snapshot is being written")]
    Busy,
    /// No entry with this index, or a later one, was appended, or there is a snapshot that covers
    /// it.
    #[error(
        "no snapshot can be made at {index}: the newest is at {newest}, and the last entry is {last}"
    )]
    OutOfPlace {
        /// What was asked for.
        index: u64,
        /// Index of the newest snapshot, or 0.
        newest: u64,
        /// Index of the last entry.
        last: u64,
    },
    /// The log failed before it had all entries that the snapshot covers.
    #[error(transparent)]
    Failed(#[from] Failure),
    /// The journal was closed before it was written.
    #[error("the journal was closed")]
    Closed,
    /// It could not be written.
    #[error("cannot {doing} {}", path.display())]
    Io {
        /// What was tried.
        doing: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not: also what the caller's closure returned.
        source: io::Error,
    },
}
