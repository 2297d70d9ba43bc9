//! [`Index`]: what a file of state has, and where.

use std::collections::BTreeMap;
use std::ops::Range;

use serde::{Deserialize, Serialize, Serializer};

use super::frame::{
    FOOTER_BYTES, FRAME_BYTES, HEADER_BYTES, Kind, read_block, read_footer, whole_frame,
};
use crate::{Block, Damaged, msgpack};

/// What is read of a file first: the index of a file of 64 MiB, in one piece.
const FIRST_BYTES: u64 = 128 << 10;

/// What a file has, and where. It never changes, so it can be kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Index {
    /// The states of the file, by name.
    pub states: BTreeMap<String, IndexedState>,
}

/// What a file has of one state.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct IndexedState {
    /// How many keys.
    pub keys: u64,
    /// How many bytes their pairs take.
    pub bytes: u64,
    /// One of its keys, encoded: it shows the shape of them all.
    #[serde(serialize_with = "as_bytes")]
    pub example: Vec<u8>,
    /// Its blocks, in the order of the file.
    pub blocks: Vec<BlockAt>,
}

/// Where a block is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockAt {
    /// No key has a lower hash.
    pub first: u64,
    /// No key has a higher hash.
    pub last: u64,
    /// How many pairs there are.
    pub entries: u32,
    /// Where its frame begins.
    pub offset: u64,
    /// How long its frame is.
    pub length: u32,
}

/// An index, or what has to be read for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Opening {
    /// The index.
    Index(Index),
    /// These bytes of the file are needed.
    Needs(Range<u64>),
}

impl Index {
    /// The bytes of a file of this length that are to be read first.
    pub fn first_range(length: u64) -> Range<u64> {
        length.saturating_sub(FIRST_BYTES)..length
    }

    /// Opens a file of this length, of which these bytes of this range were read. One that was
    /// asked for by [`Opening::Needs`] is enough.
    ///
    /// # Errors
    ///
    /// The file was cut or changed.
    pub fn open(length: u64, range: Range<u64>, bytes: &[u8]) -> Result<Opening, Damaged> {
        if length < (HEADER_BYTES + FRAME_BYTES + FOOTER_BYTES) as u64
            || range.end != length
            || range.end.checked_sub(range.start) != Some(bytes.len() as u64)
            || bytes.len() < FOOTER_BYTES
        {
            return Err(Damaged::CUT);
        }
        let (before, footer) = bytes.split_at(bytes.len() - FOOTER_BYTES);
        let index = read_footer(footer, length)?;
        if index.start < range.start {
            return Ok(Opening::Needs(index.start..length));
        }
        let frame = &before[(index.start - range.start) as usize..];
        match whole_frame(frame)? {
            (Kind::Index, body) => Self::decode(body, index.start).map(Opening::Index),
            (Kind::Block, _) => Err(Damaged("its footer points to a block")),
        }
    }

    /// Reads the body of an index, of a file whose blocks end here.
    pub(super) fn decode(body: &[u8], blocks_end: u64) -> Result<Self, Damaged> {
        let index: Self =
            msgpack::decode(body).map_err(|_| Damaged("its index is something else"))?;
        let places = index.states.values().flat_map(|state| &state.blocks);
        for at in places {
            let end = at.offset.checked_add(u64::from(at.length));
            let is_inside = end.is_some_and(|end| end <= blocks_end)
                && at.offset >= HEADER_BYTES as u64
                && at.first <= at.last;
            if !is_inside {
                return Err(Damaged("its index points elsewhere"));
            }
        }
        Ok(index)
    }

    /// What the file has of a state.
    pub fn state(&self, name: &str) -> Option<&IndexedState> {
        self.states.get(name)
    }
}

impl IndexedState {
    /// The blocks that may have a key with this hash: usually one or none.
    pub fn blocks_of(&self, hash: u64) -> impl Iterator<Item = &BlockAt> {
        self.blocks
            .iter()
            .filter(move |at| at.first <= hash && hash <= at.last)
    }

    /// The blocks of some key groups, in the order of the file.
    pub fn blocks_in(&self, groups: Range<u32>) -> impl Iterator<Item = &BlockAt> {
        let group = |at: &BlockAt| crate::KeyGroup::of(at.first).number();
        self.blocks
            .iter()
            .filter(move |at| groups.contains(&group(at)))
    }
}

impl BlockAt {
    /// The bytes of the file that it takes.
    pub fn range(&self) -> Range<u64> {
        self.offset..self.offset + u64::from(self.length)
    }

    /// The block, out of its bytes.
    ///
    /// # Errors
    ///
    /// The bytes are not those of this block, or were changed.
    pub fn decode(&self, bytes: &[u8]) -> Result<Block, Damaged> {
        let (Kind::Block, body) = whole_frame(bytes)? else {
            return Err(Damaged("its index points to something else"));
        };
        let block = read_block(body)?;
        if (block.first, block.last, block.entries) != (self.first, self.last, self.entries) {
            return Err(Damaged("its index points to another block"));
        }
        Ok(block)
    }
}

// There are many of them, so they are stored without names.

impl Serialize for BlockAt {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (
            self.first,
            self.last,
            self.entries,
            self.offset,
            self.length,
        )
            .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for BlockAt {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (first, last, entries, offset, length) = Deserialize::deserialize(deserializer)?;
        Ok(Self {
            first,
            last,
            entries,
            offset,
            length,
        })
    }
}

fn as_bytes<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_bytes(bytes)
}
