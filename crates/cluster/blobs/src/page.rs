//! Lists that are asked for piece by piece.

use object_store::path::Path;

/// The most entries of one [`Page`].
pub const MAX_PAGE: usize = 1000;

/// A piece of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// The entries, in order.
    pub entries: Vec<T>,
    /// Whether there are more, after the last of these.
    pub more: bool,
}

/// A file in a listing.
#[derive(Debug)]
pub(crate) struct Entry {
    /// Its path below the directory that was listed.
    pub(crate) name: String,
    /// Its whole path.
    pub(crate) path: Path,
    /// Its length in bytes.
    pub(crate) size: u64,
    /// When it was written, in seconds, by the clock of the store: compared with others of the
    /// same store only.
    pub(crate) last_modified: i64,
}

impl<T> Page<T> {
    /// From one entry more than are asked for, if there are so many. Files whose names are not ours
    /// are left out.
    pub(crate) fn of(
        mut found: Vec<Entry>,
        most: usize,
        read: impl Fn(&Entry) -> Option<T>,
    ) -> Self {
        let more = found.len() > most;
        found.truncate(most);
        Self {
            entries: found.iter().filter_map(read).collect(),
            more,
        }
    }
}
