//! Writes the log, one batch after the other, from segment to segment. One thread does that.

use crate::error::Failure;
use crate::files::Trouble;
use crate::format::batch::{self, Entries, Position};
use crate::format::header::BLOCK;
use crate::segment::Segment;
use crate::syncs::SyncTimes;

/// A segment that has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ended {
    pub(crate) number: u64,
    /// Index of its last entry, or of one before it.
    pub(crate) last: u64,
}

/// The end of the log.
#[derive(Debug)]
pub(crate) struct Log {
    pub(crate) segment: Segment,
    /// Where the next batch goes.
    pub(crate) offset: u64,
    pub(crate) position: Position,
    /// Segments that have ended while their successor is still empty. They must not be removed: the
    /// first batch of the log is checked against the batch before it, unless it is the first of
    /// all.
    pub(crate) ended: Vec<Ended>,
    pub(crate) encoded: Aligned,
    /// How long the syncs since the last publication took.
    pub(crate) syncs: SyncTimes,
}

impl Log {
    /// Writes a batch and syncs it. `next` returns the segment with the given number, which is the
    /// one after the present one.
    ///
    /// Returns the segments that may be removed once a snapshot covers them.
    pub(crate) fn commit(
        &mut self,
        entries: Entries<'_>,
        mut next: impl FnMut(u64) -> Result<Segment, Failure>,
    ) -> Result<Vec<Ended>, Failure> {
        while !self.has_room(entries) {
            // The mark promises a next segment, so that one must exist before.
            let next = next(self.segment.header.number + 1)?;
            self.put(Entries::END)?;
            self.ended.push(Ended {
                number: self.segment.header.number,
                last: self.position.index,
            });
            self.segment = next;
            self.offset = BLOCK as u64;
        }
        self.put(entries)?;
        Ok(std::mem::take(&mut self.ended))
    }

    /// One block is always left for the mark that ends a segment.
    fn has_room(&self, entries: Entries<'_>) -> bool {
        let needed = (batch::blocks(entries.body.len()) + batch::blocks(0)) * BLOCK;
        self.offset + needed as u64 <= self.segment.header.length
    }

    fn put(&mut self, entries: Entries<'_>) -> Result<(), Trouble> {
        let blocks = batch::blocks(entries.body.len());
        let bytes = self.encoded.take(blocks * BLOCK);
        let salt = self.segment.header.salt;
        let position = batch::encode(bytes, salt, self.offset, self.position, entries);
        self.segment.file.write_at(self.offset, bytes)?;
        #[expect(clippy::disallowed_methods, reason = "shown to people")]
        let started = std::time::Instant::now();
        self.segment.file.sync()?;
        self.syncs.record(started.elapsed());
        self.offset += (blocks * BLOCK) as u64;
        self.position = position;
        Ok(())
    }
}

/// A buffer that begins at a page. The kernel copies page by page, so if the process is killed in
/// between, the copy ends at a page of the file and not within a sector.
#[derive(Debug, Default)]
pub(crate) struct Aligned(Vec<u8>);

impl Aligned {
    /// A part of it, of this length. It holds earlier bytes.
    pub(crate) fn take(&mut self, length: usize) -> &mut [u8] {
        if self.0.len() < length + BLOCK {
            self.0 = vec![0; length + BLOCK];
        }
        let start = self.0.as_ptr().align_offset(BLOCK);
        // If no offset is found, the buffer is not aligned, which is slower and just as right.
        let start = if start < BLOCK { start } else { 0 };
        &mut self.0[start..start + length]
    }
}
