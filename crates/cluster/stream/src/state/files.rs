//! State on its way into and out of the files of a checkpoint.

use std::io::{self, Cursor};
use std::ops::Range;

use incumbent_state::{Block, KeyGroup};
use incumbent_task::Restore;

use crate::Result;

/// The files of one snapshot.
pub(crate) struct StateFiles {
    blocks: Vec<(String, u64, u32, Vec<u8>)>,
}

impl StateFiles {
    pub(crate) fn new() -> Self {
        Self { blocks: Vec::new() }
    }

    pub(crate) fn add(&mut self, block: Block) -> io::Result<()> {
        let group = u64::from(block.group.number()) << 57;
        self.blocks
            .push((block.state, group, block.entries, block.bytes));
        Ok(())
    }

    /// The files, with their names.
    pub(crate) fn into_files(self) -> io::Result<Vec<(String, Cursor<Vec<u8>>)>> {
        let bytes = rmp_serde::to_vec(&self.blocks).map_err(io::Error::other)?;
        Ok(vec![("state-0-128".to_owned(), Cursor::new(bytes))])
    }
}

/// Adds the blocks of a file that belong to these key groups; of other files, nothing.
pub(crate) fn read_blocks(
    restore: &Restore,
    rank: u32,
    file: &str,
    owned: Range<u32>,
    into: &mut Vec<Block>,
) -> Result<()> {
    if !file.starts_with("state-") {
        return Ok(());
    }
    let bytes = restore.bytes(rank, file)?;
    let blocks: Vec<(String, u64, u32, Vec<u8>)> = rmp_serde::from_slice(&bytes)
        .map_err(|error| crate::Error::DoesNotFit(vec![error.to_string()]))?;
    for (state, group, entries, bytes) in blocks {
        let group = KeyGroup::of(group);
        if owned.contains(&group.number()) {
            into.push(Block {
                state,
                group,
                entries,
                bytes,
            });
        }
    }
    Ok(())
}
