//! The log as it is written: one batch after the other, from segment to segment. One thread does
//! that.

use crate::error::Failure;
use crate::files::Trouble;
use crate::format::batch::{self, Entries, Position};
use crate::format::header::BLOCK;
use crate::segment::Segment;
use crate::syncs::SyncTimes;

/// A segment to which nothing is added any more.
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
    /// Segments that have ended while nothing is in their successor yet. They must not be removed:
    /// the first batch of the log is known to be whole by the batch before it, or by being the
    /// first of all.
    pub(crate) ended: Vec<Ended>,
    pub(crate) encoded: Aligned,
    /// How long the syncs took that were made since they were last asked for.
    pub(crate) syncs: SyncTimes,
}

impl Log {
    /// Writes a batch and syncs it: it survives whatever happens after this. `next` gives the
    /// segment with a number, which is the one after the present one.
    ///
    /// Returns the segments that may be removed from now on, once a snapshot covers them.
    pub(crate) fn commit(
        &mut self,
        entries: Entries<'_>,
        mut next: impl FnMut(u64) -> Result<Segment, Failure>,
    ) -> Result<Vec<Ended>, Failure> {
        while !self.has_room(entries) {
            // The mark says that there is a next segment. So there has to be one before.
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

    /// The mark that ends a segment takes a block, which is always left for it.
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

/// A buffer that begins at a page. The kernel copies page by page, so if the process is killed
/// meanwhile, what it has copied ends at a page of the file too, and not within a sector.
#[derive(Debug, Default)]
pub(crate) struct Aligned(Vec<u8>);

impl Aligned {
    /// A part of it, of this length, with whatever was in it.
    pub(crate) fn take(&mut self, length: usize) -> &mut [u8] {
        if self.0.len() < length + BLOCK {
            self.0 = vec![0; length + BLOCK];
        }
        let start = self.0.as_ptr().align_offset(BLOCK);
        // Where no offset is known it is not aligned, which is not needed to be right.
        let start = if start < BLOCK { start } else { 0 };
        &mut self.0[start..start + length]
    }
}
