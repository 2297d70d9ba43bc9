//! What can be chosen, and its limits.

use crate::format::batch;
use crate::format::header::BLOCK;

/// The sizes of a journal. All have defaults that suit a server with a few hundred megabytes of
/// state.
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
    /// Length of one file of the log, all of which is written with zeros before it is used.
    /// Default: 64 MiB.
    ///
    /// The first ones are shorter, each half as long as the next, so that beginning takes no time.
    /// Twice this much is taken at least: the file that is written to and the next one, which is
    /// prepared meanwhile.
    pub segment_bytes: u64,
    /// How much may wait to be written, and so the size of the largest entry too. Default: 8 MiB.
    ///
    /// Three times this much memory is used at most: one buffer gathers while another one is
    /// written, which takes a copy. A segment has to have room for all of it.
    pub buffer_bytes: usize,
    /// After how many bytes of entries [`Journal::snapshot_due`](crate::Journal::snapshot_due) says
    /// so. Default: 256 MiB.
    pub snapshot_after_bytes: u64,
    /// After how many entries [`Journal::snapshot_due`](crate::Journal::snapshot_due) says so.
    /// Default: 100 000, as ZooKeeper has it.
    pub snapshot_after_entries: u64,
    /// How many snapshots are kept, with the log since the oldest of them. Default: 2, so that one
    /// can be lost.
    pub keep_snapshots: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            segment_bytes: 64 << 20,
            buffer_bytes: 8 << 20,
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
        let least = self.least_segment();
        (self.segment_bytes < least).then(|| {
            format!(
                "segment_bytes has to be {least} at least for buffer_bytes of {}",
                self.buffer_bytes
            )
        })
    }

    /// The header, the largest batch, and the mark that ends the segment.
    fn least_segment(&self) -> u64 {
        (2 * BLOCK + batch::blocks(self.buffer_bytes) * BLOCK) as u64
    }

    /// Length of the segment with this number: the first ones are shorter, as all of it is written
    /// at the start.
    pub(crate) fn segment_length(&self, number: u64) -> u64 {
        let doublings = number.saturating_sub(1).min(32);
        let grown = self.least_segment().saturating_mul(1 << doublings);
        grown.min(self.segment_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_double_until_they_are_as_long_as_they_may_be() {
        let options = Options::default();
        let lengths: Vec<_> = (1..6)
            .map(|number| options.segment_length(number))
            .collect();
        assert!(lengths[0] < options.segment_bytes / 4);
        assert_eq!(lengths[1], 2 * lengths[0]);
        assert_eq!(lengths[4], options.segment_bytes);
        assert_eq!(options.segment_length(u64::MAX), options.segment_bytes);
        assert!(
            lengths
                .iter()
                .all(|length| length.is_multiple_of(BLOCK as u64))
        );
    }
}
