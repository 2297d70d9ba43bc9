//! [`BlockReader`]: reads a file from its beginning to its end.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::ops::Range;

use super::frame::{
    FOOTER_BYTES, FRAME_BYTES, HEADER_BYTES, Kind, check_frame, check_header, group_of, read_block,
    read_footer, read_frame_head,
};
use super::index::Index;
use crate::{Block, Damaged, Error};

/// Reads a file of state from its beginning to its end, and gives the blocks of some key groups.
///
/// It holds one block in memory. After the last block it compares what it has read with the index:
/// a file of which something is missing is an error, never a shorter file.
#[derive(Debug)]
pub struct BlockReader<R> {
    from: R,
    groups: Range<u32>,
    offset: u64,
    body: Vec<u8>,
    /// How many blocks there were.
    blocks: usize,
    has_ended: bool,
}

/// The body of a frame is read in pieces of this size at first, as its length may be damaged.
const FIRST_RESERVE: usize = 1 << 20;

impl<R: Read> BlockReader<R> {
    /// Begins to read.
    ///
    /// # Errors
    ///
    /// It is no file of state, or of a version that this build does not know.
    pub fn new(mut from: R, groups: Range<u32>) -> Result<Self, Error> {
        let mut header = [0; HEADER_BYTES];
        read_exactly(&mut from, &mut header)?;
        check_header(&header)?;
        Ok(Self {
            from,
            groups,
            offset: HEADER_BYTES as u64,
            body: Vec::new(),
            blocks: 0,
            has_ended: false,
        })
    }

    /// The next block of these key groups; `None` when the file has ended as it should.
    ///
    /// # Errors
    ///
    /// The file cannot be read, or is damaged.
    pub fn next_block(&mut self) -> Result<Option<Block>, Error> {
        while !self.has_ended {
            match self.frame()? {
                Kind::Block => {
                    self.blocks += 1;
                    if self.groups.contains(&group_of(&self.body)?.number()) {
                        return Ok(Some(read_block(&self.body)?));
                    }
                }
                Kind::Index => self.end()?,
            }
        }
        Ok(None)
    }

    /// Reads a frame into `body`.
    fn frame(&mut self) -> Result<Kind, Error> {
        let mut head = [0; FRAME_BYTES];
        read_exactly(&mut self.from, &mut head)?;
        let (kind, length) = read_frame_head(&head)?;
        self.body.clear();
        self.body.reserve(length.min(FIRST_RESERVE));
        let read = (&mut self.from)
            .take(length as u64)
            .read_to_end(&mut self.body)?;
        if read < length {
            return Err(Damaged::CUT.into());
        }
        check_frame(&head, &self.body)?;
        if kind == Kind::Block {
            self.offset += (FRAME_BYTES + length) as u64;
        }
        Ok(kind)
    }

    /// The index has been read: it says the same as the blocks did, and nothing follows but the
    /// footer.
    fn end(&mut self) -> Result<(), Error> {
        let index = Index::decode(&self.body, self.offset)?;
        let blocks: usize = index.states.values().map(|state| state.blocks.len()).sum();
        let ends: BTreeMap<u64, u64> = index
            .states
            .values()
            .flat_map(|state| &state.blocks)
            .map(|at| (at.range().start, at.range().end))
            .collect();
        // Blocks that lie one behind the other, from the header to the index, are all there are.
        let mut next = HEADER_BYTES as u64;
        for (start, end) in &ends {
            if *start != next {
                return Err(Damaged("its index names other blocks").into());
            }
            next = *end;
        }
        if blocks != self.blocks || next != self.offset {
            return Err(Damaged("its index names other blocks").into());
        }
        let end = self.offset + (FRAME_BYTES + self.body.len()) as u64;
        let mut footer = Vec::with_capacity(FOOTER_BYTES + 1);
        (&mut self.from)
            .take(FOOTER_BYTES as u64 + 1)
            .read_to_end(&mut footer)?;
        if read_footer(&footer, end + FOOTER_BYTES as u64)? != (self.offset..end) {
            return Err(Damaged("its footer points elsewhere").into());
        }
        self.has_ended = true;
        Ok(())
    }
}

impl<R: Read> Iterator for BlockReader<R> {
    type Item = Result<Block, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = self.next_block().transpose();
        // Nothing is certain behind an error.
        self.has_ended |= matches!(next, Some(Err(_)));
        next
    }
}

fn read_exactly(from: &mut impl Read, into: &mut [u8]) -> Result<(), Error> {
    from.read_exact(into).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => Damaged::CUT.into(),
        _ => error.into(),
    })
}
