//! The first block of every file.
//!
//! ```text
//!    0  "incumb-L" or "incumb-S": log or snapshot
//!    8  format, 4
//!   12  id of the journal, 16
//!   28  number of the segment, or index of the snapshot, 8
//!   36  salt, 8: random, in every checksum of this file
//!   44  length of the file, 8; 0 for a snapshot, which ends by itself
//!   52  zeros
//! 4092  crc32 of all before: at this place in every format, so that damage is not taken for a newer format
//! ```

use super::sector::{is_zero, u32_of, u64_of};

/// Batches begin at multiples of this, so that no page is written twice.
pub(crate) const BLOCK: usize = 4096;
/// The format that this program writes, and the newest that it reads.
pub(crate) const FORMAT: u32 = 1;

const SUM: usize = BLOCK - 4;

/// The kind of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FileKind {
    Segment,
    Snapshot,
}

impl FileKind {
    fn magic(self) -> &'static [u8; 8] {
        match self {
            Self::Segment => b"incumb-L",
            Self::Snapshot => b"incumb-S",
        }
    }
}

/// The header of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) kind: FileKind,
    pub(crate) journal: u128,
    pub(crate) number: u64,
    pub(crate) salt: u64,
    pub(crate) length: u64,
}

/// Why a header cannot be read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum BadHeader {
    Short,
    Foreign,
    Damaged,
    Newer(u32),
}

impl Header {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(BLOCK);
        bytes.extend(self.kind.magic());
        bytes.extend(FORMAT.to_le_bytes());
        bytes.extend(self.journal.to_le_bytes());
        bytes.extend(self.number.to_le_bytes());
        bytes.extend(self.salt.to_le_bytes());
        bytes.extend(self.length.to_le_bytes());
        bytes.resize(SUM, 0);
        bytes.extend(crc32fast::hash(&bytes).to_le_bytes());
        bytes
    }

    /// Reads the first block of `file`.
    pub(crate) fn decode(kind: FileKind, file: &[u8]) -> Result<Self, BadHeader> {
        let Some(block) = file.get(..BLOCK) else {
            return Err(BadHeader::Short);
        };
        let (content, sum) = block.split_at(SUM);
        if sum != crc32fast::hash(content).to_le_bytes() {
            return Err(BadHeader::Damaged);
        }
        if &content[..8] != kind.magic() {
            return Err(BadHeader::Foreign);
        }
        match u32_of(&content[8..]) {
            FORMAT => {}
            newer if newer > FORMAT => return Err(BadHeader::Newer(newer)),
            _ => return Err(BadHeader::Foreign),
        }
        if !is_zero(&content[52..]) {
            return Err(BadHeader::Foreign);
        }
        let journal = u128::from(u64_of(&content[20..])) << 64 | u128::from(u64_of(&content[12..]));
        Ok(Self {
            kind,
            journal,
            number: u64_of(&content[28..]),
            salt: u64_of(&content[36..]),
            length: u64_of(&content[44..]),
        })
    }
}
