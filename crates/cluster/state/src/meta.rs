//! [`RankMeta`]: what a node has to know of the file `meta.json` that each rank of a stream job
//! stores.

use std::collections::BTreeMap;
use std::ops::Range;

use serde::{Deserialize, Serialize};

/// The name of the file.
pub const META_FILE: &str = "meta.json";

/// The part of `meta.json` that is about keyed state. The rest is the job's.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RankMeta {
    /// The version of the format of `meta.json`.
    pub version: u32,
    /// Every keyed state of the job, by name.
    #[serde(default)]
    pub states: BTreeMap<String, StateMeta>,
    /// The files of this rank that have its state.
    #[serde(default)]
    pub files: Vec<StateFile>,
}

/// What a rank says of one keyed state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateMeta {
    /// What made it: `state`, `window`, `session`, `join`.
    pub kind: String,
    /// How many keys this rank had.
    pub keys: u64,
}

/// A file of state, of one rank.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateFile {
    /// Its name in the checkpoint.
    pub name: String,
    /// No key in it is of a lower group.
    pub first_group: u32,
    /// No key in it is of a higher group.
    pub last_group: u32,
    /// How long it is.
    pub bytes: u64,
}

impl StateFile {
    /// Whether it may have keys of these groups.
    pub fn overlaps(&self, groups: &Range<u32>) -> bool {
        self.first_group <= self.last_group
            && self.first_group < groups.end
            && groups.start <= self.last_group
    }
}
