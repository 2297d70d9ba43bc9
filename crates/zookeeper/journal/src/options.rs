//! The sizes of a journal, and their limits.

use crate::format::batch;
use crate::format::header::BLOCK;

/// The sizes of a journal. The defaults suit a server with a few hundred megabytes of state.
///
/// They may differ from one start to the next: each file holds its own length.
///
/// ```
/// use incumbent_journal::Options;
/// let options = Options { keep_snapshots: 3, ..Options::default() };
/// assert_eq!(options.segment_bytes, 64 << 20);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Length of one file of the log. All of it is written with zeros before it is used. Default:
    /// 64 MiB.
    ///
    /// The first files are shorter, each half as long as the next, so that a start is fast. At
    /// least two exist: the one that is written to, and the next one, which is prepared beside it.
    pub segment_bytes: u64,
    /// How many bytes may wait to be written. It is also the size of the largest entry. Default: 8
    /// MiB.
    ///
    /// At most three times as much memory is used: one buffer gathers while a copy of another is
    /// written. A segment must have room for all of it.
    pub buffer_bytes: usize,
    /// A snapshot is due after so many bytes of entries; see
    /// [`Journal::snapshot_due`](crate::Journal::snapshot_due). Default: 256 MiB.
    pub snapshot_after_bytes: u64,
    /// A snapshot is due after so many entries. Default: 100,000, as in ZooKeeper.
    pub snapshot_after_entries: u64,
    /// How many snapshots are kept, with the log since the oldest of them. Default: 2, so that one
    /// may be damaged.
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
    /// The longest segment. It is read into memory as a whole, and a batch has 32 bits for its
    /// length.
    const MAX_SEGMENT: u64 = 1 << 30;

    /// What is wrong with the sizes, if anything.
    pub(crate) fn nonsense(&self) -> Option<String> {
        if self.keep_snapshots == 0 {
            return Some("keep_snapshots must be at least 1".into());
        }
        if self.segment_bytes > Self::MAX_SEGMENT
            || !self.segment_bytes.is_multiple_of(BLOCK as u64)
        {
            return Some(format!(
                "segment_bytes must be a multiple of {BLOCK} up to {}",
                Self::MAX_SEGMENT
            ));
        }
        let least = self.least_segment();
        (self.segment_bytes < least).then(|| {
            format!(
                "segment_bytes must be at least {least} for buffer_bytes of {}",
                self.buffer_bytes
            )
        })
    }

    /// The header, the largest batch, and the mark that ends the segment.
    fn least_segment(&self) -> u64 {
        (2 * BLOCK + batch::blocks(self.buffer_bytes) * BLOCK) as u64
    }

    /// The length of the segment with this number. The first ones are shorter, so that a start is
    /// fast.
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
