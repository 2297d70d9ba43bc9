//! Keyed state: tables that can be snapshotted while they change.

mod files;
mod table;

use incumbent_state::Block;

use crate::orders::{Answer, Asked};

pub(crate) use files::{StateFiles, read_blocks};
pub(crate) use table::Table;

/// A table of any key and value, as the engine sees it.
pub(crate) trait AnyTable {
    /// The name of the state.
    fn name(&self) -> &str;

    /// What made it: `state`, `window`, `session`, `join`.
    fn kind(&self) -> &'static str;

    /// How many keys it has.
    fn keys(&self) -> u64;

    /// Begins a snapshot of the table as it is now. One that is under way is given up.
    fn begin_snapshot(&mut self);

    /// Encodes the next shards of the snapshot, at most until about this many bytes have been
    /// encoded, and returns whether the snapshot is whole. Shards that had to be encoded since the
    /// last call, because they were about to change, come too.
    fn next_blocks(&mut self, bytes: usize, blocks: &mut Vec<Block>) -> bool;

    /// Gives the snapshot that is under way up.
    fn give_up_snapshot(&mut self);

    /// Takes a block of a checkpoint in: only keys of groups that this rank owns are given.
    ///
    /// # Errors
    ///
    /// What does not fit: the key, and serde's reason.
    fn restore(&mut self, block: &Block) -> Result<(), String>;

    /// Answers a query.
    ///
    /// # Errors
    ///
    /// Why the key cannot be one of this table.
    fn query(&self, asked: &Asked) -> Result<Answer, String>;
}
