//! [`StateWriter`]: writes a file from its beginning to its end.

use std::collections::BTreeMap;
use std::io::{self, Write};

use super::frame::{Kind, MOST_BLOCK, MOST_INDEX, block_head, footer, frame_head, header};
use super::index::{BlockAt, Index};
use crate::{Block, StateFile, msgpack};

/// Writes a file of state from its beginning to its end. A file that was not finished is no file of
/// state, which its readers notice.
#[derive(Debug)]
pub struct StateWriter<W> {
    out: W,
    offset: u64,
    index: Index,
    groups: Option<(u32, u32)>,
}

/// What a finished file has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contents {
    /// The lowest and the highest key group, if it has blocks.
    pub groups: Option<(u32, u32)>,
    /// How many keys of each state.
    pub keys: BTreeMap<String, u64>,
    /// How long it is.
    pub bytes: u64,
}

impl Contents {
    /// This file as `meta.json` names it.
    pub fn named(&self, name: impl Into<String>) -> StateFile {
        // A file without blocks overlaps with nothing.
        let (first_group, last_group) = self.groups.unwrap_or((1, 0));
        StateFile {
            name: name.into(),
            first_group,
            last_group,
            bytes: self.bytes,
        }
    }
}

impl<W: Write> StateWriter<W> {
    /// Begins a file.
    ///
    /// # Errors
    ///
    /// Those of `out`.
    pub fn new(mut out: W) -> io::Result<Self> {
        let header = header();
        out.write_all(&header)?;
        Ok(Self {
            out,
            offset: header.len() as u64,
            index: Index::default(),
            groups: None,
        })
    }

    /// Writes a block.
    ///
    /// # Errors
    ///
    /// Those of `out`, and a block that is larger than [`MOST_BLOCK`]: the file cannot be finished
    /// then.
    pub fn push(&mut self, block: &Block) -> io::Result<()> {
        let head = block_head(block).map_err(io::Error::other)?;
        let length = head.len() + block.bytes.len();
        if length > MOST_BLOCK {
            let state = &block.state;
            let message =
                format!("a value of state `{state}` takes {length} bytes, more than {MOST_BLOCK}");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
        }
        let frame = frame_head(Kind::Block, &[&head, &block.bytes]);
        self.out.write_all(&frame)?;
        self.out.write_all(&head)?;
        self.out.write_all(&block.bytes)?;

        let length = (frame.len() + length) as u32;
        // Looked for by reference first: names are few, blocks are many.
        if !self.index.states.contains_key(&block.state) {
            self.index
                .states
                .insert(block.state.clone(), Default::default());
        }
        if let Some(state) = self.index.states.get_mut(&block.state) {
            state.keys += u64::from(block.entries);
            state.bytes += block.bytes.len() as u64;
            if state.example.is_empty()
                && let Some(Ok((key, _))) = block.pairs().next()
            {
                state.example = key.to_vec();
            }
            state.blocks.push(BlockAt {
                first: block.first,
                last: block.last,
                entries: block.entries,
                offset: self.offset,
                length,
            });
        }
        self.offset += u64::from(length);
        let group = block.group.number();
        let (low, high) = self.groups.unwrap_or((group, group));
        self.groups = Some((low.min(group), high.max(group)));
        Ok(())
    }

    /// How many bytes have been written.
    pub fn bytes(&self) -> u64 {
        self.offset
    }

    /// Ends the file with its index. It does not flush.
    ///
    /// # Errors
    ///
    /// Those of `out`.
    pub fn finish(mut self) -> io::Result<(W, Contents)> {
        let index = msgpack::to_vec(&self.index).map_err(io::Error::other)?;
        if index.len() > MOST_INDEX {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "a file of state has too many blocks",
            ));
        }
        let frame = frame_head(Kind::Index, &[&index]);
        self.out.write_all(&frame)?;
        self.out.write_all(&index)?;
        let start = self.offset;
        let end = start + (frame.len() + index.len()) as u64;
        let footer = footer(&(start..end));
        self.out.write_all(&footer)?;
        let keys = self
            .index
            .states
            .into_iter()
            .map(|(name, state)| (name, state.keys));
        let contents = Contents {
            groups: self.groups,
            keys: keys.collect(),
            bytes: end + footer.len() as u64,
        };
        Ok((self.out, contents))
    }
}
