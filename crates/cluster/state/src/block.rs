//! [`Block`]: some keys of one key group with their values, as they are stored.

use crate::KeyGroup;

/// One shard of one state: a run of MessagePack pairs, key and value, one behind the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// The name of the state.
    pub state: String,
    /// The group that all its keys belong to.
    pub group: KeyGroup,
    /// How many pairs there are.
    pub entries: u32,
    /// The pairs.
    pub bytes: Vec<u8>,
}
