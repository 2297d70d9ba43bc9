//! What is found in a directory.

use std::path::PathBuf;

use crate::error::BoxError;

/// What is replayed: the newest snapshot first, if there is one, and then every entry after it, in
/// order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found<'a> {
    /// The state after the entry with this index, as
    /// [`Journal::snapshot`](crate::Journal::snapshot) was given it.
    Snapshot {
        /// Index of the last entry that it covers.
        index: u64,
        /// What was written.
        bytes: &'a [u8],
    },
    /// An entry, as [`Journal::append`](crate::Journal::append) was given it.
    Entry {
        /// Its index.
        index: u64,
        /// Its bytes.
        bytes: &'a [u8],
    },
}

/// The last write before a crash, which did not come to its end. Nobody was told that it did. It
/// was removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Torn {
    /// The file.
    pub file: PathBuf,
    /// Where it began.
    pub offset: u64,
    /// How far it came, at most.
    pub length: u64,
}

/// How much was appended: in all, or since something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amount {
    /// Number of entries.
    pub entries: u64,
    /// Bytes in them.
    pub bytes: u64,
}

pub(crate) type Replay<'a> = &'a mut dyn FnMut(Found<'_>) -> Result<(), BoxError>;
