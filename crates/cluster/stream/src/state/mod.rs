//! Keyed state: tables that can be snapshotted while they change.
//!
//! Start reading in `table.rs`; `snapshot.rs` says how a snapshot does not stop the worker.

mod files;
mod fits;
mod misfits;
#[cfg(test)]
mod pause;
mod question;
mod restore;
mod shard;
mod snapshot;
mod table;

use std::ops::Range;

use incumbent_state::Block;

use crate::orders::{Answer, Asked};

pub(crate) use files::{StateFiles, WholeFile};
pub(crate) use fits::Names;
pub(crate) use misfits::Misfits;
pub(crate) use question::Question;
pub(crate) use restore::RestoredBlocks;
pub(crate) use table::Table;

/// A table of any key and value, as the engine sees it.
pub(crate) trait AnyTable {
    /// The name of the state.
    fn name(&self) -> &str;

    /// What made it: `state`, `window`, `session`, `join`.
    fn kind(&self) -> &'static str;

    /// What must be the same for a checkpoint to fit, besides names and types: the length of
    /// windows, for people.
    fn shape(&self) -> Option<&str>;

    /// How many keys it has.
    fn keys(&self) -> u64;

    /// How many keys it had when the last snapshot began.
    fn snapshot_keys(&self) -> u64;

    /// Says which key groups this rank owns. Before that, it owns all.
    fn own(&mut self, groups: Range<u32>);

    /// Begins a snapshot of the table as it is now. One that is under way is given up.
    fn begin_snapshot(&mut self);

    /// Encodes the next keys of the snapshot, at most until about this many bytes have been
    /// encoded, and returns whether the snapshot is whole. What had to be encoded since the last
    /// call, because it was about to change, comes with the keys around it.
    ///
    /// Blocks come in the order of their key groups. To have files that few ranks need to read
    /// after a restart, finish one table before the next.
    ///
    /// # Errors
    ///
    /// A key or a value cannot be encoded: the job cannot have checkpoints.
    fn next_blocks(&mut self, bytes: usize, blocks: &mut Vec<Block>) -> Result<bool, String>;

    /// Gives the snapshot that is under way up.
    fn give_up_snapshot(&mut self);

    /// How many bytes have been encoded of keys that were about to change, and have not been taken.
    fn saved_bytes(&self) -> usize;

    /// Takes a block of a checkpoint in: only keys of groups that this rank owns are given. What
    /// does not fit is added to `misfits`: ask it when all blocks have been given.
    fn restore(&mut self, block: &Block, misfits: &mut Misfits);

    /// Begins to answer a query. The state may change while it is answered.
    fn ask(&self, asked: &Asked) -> Question;

    /// Goes on with the answer for at most this many keys; `None` if it has to be called again.
    ///
    /// # Errors
    ///
    /// Why the key cannot be one of this table.
    fn answer(&self, question: &mut Question, keys: usize) -> Option<Result<Answer, String>>;
}
