//! A batch: what one write and one sync put on the disk. It is there as a whole or not at all.
//!
//! It begins at a block, and its content goes through the sectors of as many blocks as it needs:
//!
//! ```text
//!  0  kind, 4: entries, or the end of the segment
//!  4  length of the body, 4
//!  8  number of entries, 4
//! 12  checksum of the batch before, 4
//! 16  index before the first entry, 8
//! 24  index of the last entry, 8
//! 32  crc32 of the body, 4
//! 36  body: for each entry its index, 8, its length, 4, and its bytes
//! ```

use crc32fast::Hasher;

use super::header::BLOCK;
use super::sector::{self, CONTENT, SECTOR, u32_of, u64_of};

/// Length of the head.
pub(crate) const HEAD: usize = 36;
/// What an entry takes besides its bytes.
pub(crate) const ENTRY_HEAD: usize = 12;

const BLOCK_CONTENT: usize = BLOCK / SECTOR * CONTENT;
const ENTRIES: u32 = 1;
const END: u32 = 2;

/// How many blocks a batch with a body of this length takes.
pub(crate) const fn blocks(body: usize) -> usize {
    (HEAD + body).div_ceil(BLOCK_CONTENT)
}

/// Where the log stands: what the next batch follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Position {
    /// Number of the next batch.
    pub(crate) sequence: u64,
    /// Checksum of the last batch.
    pub(crate) checksum: u32,
    /// Index of the last entry.
    pub(crate) index: u64,
}

impl Position {
    /// Before the first batch.
    pub(crate) const START: Self = Self {
        sequence: 1,
        checksum: 0,
        index: 0,
    };
}

/// The head of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    /// Whether it is the mark that the log continues in the next segment.
    pub(crate) is_end: bool,
    pub(crate) body: usize,
    pub(crate) entries: u32,
    pub(crate) after: Position,
    pub(crate) last: u64,
    body_sum: u32,
}

impl Head {
    pub(crate) fn blocks(&self) -> usize {
        blocks(self.body)
    }

    /// Where the log stands after this batch.
    pub(crate) fn next(&self) -> Position {
        Position {
            sequence: self.after.sequence + 1,
            checksum: self.checksum(),
            index: self.last,
        }
    }

    fn checksum(&self) -> u32 {
        let mut hasher = Hasher::new();
        hasher.update(&self.after.sequence.to_le_bytes());
        hasher.update(&self.encode());
        hasher.finalize()
    }

    fn encode(&self) -> [u8; HEAD] {
        let mut bytes = [0; HEAD];
        let kind = if self.is_end { END } else { ENTRIES };
        bytes[..4].copy_from_slice(&kind.to_le_bytes());
        let body = u32::try_from(self.body).expect("a segment is no longer than 2^30");
        bytes[4..8].copy_from_slice(&body.to_le_bytes());
        bytes[8..12].copy_from_slice(&self.entries.to_le_bytes());
        bytes[12..16].copy_from_slice(&self.after.checksum.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.after.index.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.last.to_le_bytes());
        bytes[32..].copy_from_slice(&self.body_sum.to_le_bytes());
        bytes
    }

    /// Reads the head from the content of the first sector. Returns `None` if the kind is unknown.
    pub(crate) fn decode(sequence: u64, content: &[u8]) -> Option<Self> {
        Some(Self {
            is_end: match u32_of(content) {
                ENTRIES => false,
                END => true,
                _ => return None,
            },
            body: usize::try_from(u32_of(&content[4..])).ok()?,
            entries: u32_of(&content[8..]),
            after: Position {
                sequence,
                checksum: u32_of(&content[12..]),
                index: u64_of(&content[16..]),
            },
            last: u64_of(&content[24..]),
            body_sum: u32_of(&content[32..]),
        })
    }

    /// Whether this is its body.
    pub(crate) fn fits(&self, body: &[u8]) -> bool {
        crc32fast::hash(body) == self.body_sum
    }
}

/// Adds an entry to a body.
pub(crate) fn push(body: &mut Vec<u8>, index: u64, entry: &[u8]) {
    let length = u32::try_from(entry.len()).expect("no entry is larger than the buffer");
    body.extend(index.to_le_bytes());
    body.extend(length.to_le_bytes());
    body.extend(entry);
}

/// The entries of a body. Returns `None` if it contradicts its head.
pub(crate) fn entries<'a>(head: &Head, mut body: &'a [u8]) -> Option<Vec<(u64, &'a [u8])>> {
    let mut found = Vec::new();
    let mut last = head.after.index;
    while !body.is_empty() {
        let (entry_head, rest) = body.split_at_checked(ENTRY_HEAD)?;
        let index = u64_of(entry_head);
        let length = usize::try_from(u32_of(&entry_head[8..])).ok()?;
        let (entry, rest) = rest.split_at_checked(length)?;
        if index <= last {
            return None;
        }
        last = index;
        found.push((index, entry));
        body = rest;
    }
    let count = usize::try_from(head.entries).ok()?;
    (found.len() == count && last == head.last).then_some(found)
}

/// Encodes a batch for a place in a file into `out`, which has its length. Returns where the log
/// stands after it.
pub(crate) fn encode(
    out: &mut [u8],
    salt: u64,
    offset: u64,
    after: Position,
    entries: Entries<'_>,
) -> Position {
    let head = Head {
        is_end: entries.count == 0,
        body: entries.body.len(),
        entries: entries.count,
        after,
        last: entries.last.unwrap_or(after.index),
        body_sum: crc32fast::hash(entries.body),
    };
    debug_assert_eq!(
        out.len(),
        head.blocks() * BLOCK,
        "the caller counted the blocks"
    );
    out.fill(0);
    let encoded = head.encode();
    let (first, rest) = entries
        .body
        .split_at(entries.body.len().min(CONTENT - HEAD));
    out[..HEAD].copy_from_slice(&encoded);
    out[HEAD..HEAD + first.len()].copy_from_slice(first);
    for (sector, content) in out.chunks_mut(SECTOR).skip(1).zip(rest.chunks(CONTENT)) {
        sector[..content.len()].copy_from_slice(content);
    }
    for (sector, at) in out.chunks_mut(SECTOR).zip((offset..).step_by(SECTOR)) {
        sector::seal(salt, at, after.sequence, sector);
    }
    head.next()
}

/// The body of a batch, ready to be written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entries<'a> {
    pub(crate) body: &'a [u8],
    pub(crate) count: u32,
    /// Index of the last one, if there is one.
    pub(crate) last: Option<u64>,
}

impl Entries<'_> {
    /// The mark that ends a segment.
    pub(crate) const END: Self = Entries {
        body: &[],
        count: 0,
        last: None,
    };
}
