//! What a directory holds when a journal is opened.

use std::path::PathBuf;

use crate::error::BoxError;

/// What is replayed: the newest snapshot first, if there is one, then every entry after it in
/// order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found<'a> {
    /// A snapshot, as it was written with [`Journal::snapshot`](crate::Journal::snapshot).
    Snapshot {
        /// Index of the last entry that it covers.
        index: u64,
        /// Its bytes.
        bytes: &'a [u8],
    },
    /// An entry, as it was appended with [`Journal::append`](crate::Journal::append).
    Entry {
        /// Its index.
        index: u64,
        /// Its bytes.
        bytes: &'a [u8],
    },
}

/// The last write before a crash, which was cut off. It was not acknowledged, and has been removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Torn {
    /// The file.
    pub file: PathBuf,
    /// Where it began.
    pub offset: u64,
    /// Up to how many bytes of it were written.
    pub length: u64,
}

/// How much was appended, in all or since some moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amount {
    /// Number of entries.
    pub entries: u64,
    /// Bytes in them.
    pub bytes: u64,
}

pub(crate) type Replay<'a> = &'a mut dyn FnMut(Found<'_>) -> Result<(), BoxError>;
