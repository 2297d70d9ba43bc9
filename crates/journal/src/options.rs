//! What can be chosen, and its limits.

use crate::format::batch;
use crate::format::header::BLOCK;

/// The sizes of a journal. All have defaults that suit a server with a few hundred megabytes of state.
///
/// They may differ from one start to the next: each file says its own length.
///
/// ```
/// use incumbent_journal::Options;
/// let options = Options { keep_snapshots: 3, ..Options::default() };
/// assert_eq!(options.segment_bytes, 64 << 20);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Length of one file of the log, all of which is written with zeros before it is used. Default: 64 MiB.
    ///
    /// Twice this much is taken at least: the file that is written to and the next one, which is prepared meanwhile.
    pub segment_bytes: u64,
    /// How much may wait to be written, and so the size of the largest entry too. Default: 16 MiB.
    ///
    /// Three times this much memory is used at most: one buffer gathers while another one is written, which takes a copy.
    /// A segment has to have room for all of it.
    pub buffer_bytes: usize,
    /// After how many bytes of entries [`Journal::snapshot_due`](crate::Journal::snapshot_due) says so. Default: 256 MiB.
    pub snapshot_after_bytes: u64,
    /// After how many entries [`Journal::snapshot_due`](crate::Journal::snapshot_due) says so. Default: 100 000, as ZooKeeper has it.
    pub snapshot_after_entries: u64,
    /// How many snapshots are kept, with the log since the oldest of them. Default: 2, so that one can be lost.
    pub keep_snapshots: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            segment_bytes: 64 << 20,
            buffer_bytes: 16 << 20,
            snapshot_after_bytes: 256 << 20,
            snapshot_after_entries: 100_000,
            keep_snapshots: 2,
        }
    }
}

impl Options {
    /// Longest segment: it is read as a whole, and a batch states its length in 32 bits.
    const MAX_SEGMENT: u64 = 1 << 30;

    /// What is wrong with them, if anything.
    pub(crate) fn nonsense(&self) -> Option<String> {
        if self.keep_snapshots == 0 {
            return Some("keep_snapshots has to be 1 at least".into());
        }
        if self.segment_bytes > Self::MAX_SEGMENT
            || !self.segment_bytes.is_multiple_of(BLOCK as u64)
        {
            return Some(format!(
                "segment_bytes has to be a multiple of {BLOCK} up to {}",
                Self::MAX_SEGMENT
            ));
        }
        // The header, the largest batch, and the mark that ends the segment.
        let least = 2 * BLOCK + batch::blocks(self.buffer_bytes) * BLOCK;
        (self.segment_bytes < least as u64).then(|| {
            format!(
                "segment_bytes has to be {least} at least for buffer_bytes of {}",
                self.buffer_bytes
            )
        })
    }
}
