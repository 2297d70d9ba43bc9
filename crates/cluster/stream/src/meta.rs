//! [`Meta`]: what each rank says of itself in a checkpoint, besides its state.

use std::collections::BTreeMap;
use std::ops::Range;

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub(crate) use incumbent_state::{META_FILE, StateFile};

use crate::{Staged, Timestamp};

/// The file of a checkpoint that has the bytes that a sink has staged, all in one: there may be
/// more of them than a checkpoint may have files.
pub(crate) fn sink_file(name: &str) -> String {
    format!("sink-{name}")
}

/// The version of the format that this build writes.
pub(crate) const META_VERSION: u32 = 1;

/// The part of a rank in a checkpoint that is not keyed state: `meta.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Meta {
    /// The version of the format.
    pub(crate) version: u32,
    /// Every keyed state of the job, by name.
    pub(crate) states: BTreeMap<String, StateMeta>,
    /// The files of this rank that have its state.
    #[serde(default)]
    pub(crate) files: Vec<StateFile>,
    /// Every source of the job, by name, with the splits of this rank.
    pub(crate) sources: BTreeMap<String, SourceMeta>,
    /// Every sink of the job, by name, with what this rank has promised.
    pub(crate) sinks: BTreeMap<String, SinkMeta>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StateMeta {
    /// What made it: `state`, `window`, `session`, `join`.
    pub(crate) kind: String,
    /// What must be the same for it to be restored, besides names and types: the length of windows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) shape: Option<String>,
    /// How many keys this rank had.
    pub(crate) keys: u64,
    /// The watermark that it had seen.
    pub(crate) watermark: Timestamp,
}

impl StateMeta {
    /// Whether a state that is made so can go on with it. Checkpoints of older builds have no
    /// shape.
    pub(crate) fn is_of(&self, kind: &str, shape: Option<&str>) -> bool {
        let is_other = |then: &str| shape.is_some_and(|now| now != then);
        self.kind == kind && !self.shape.as_deref().is_some_and(is_other)
    }
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct SourceMeta {
    pub(crate) splits: BTreeMap<String, SplitMeta>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct SplitMeta {
    /// What its reader said of it.
    pub(crate) position: Value,
    /// It has been read to its end.
    pub(crate) has_ended: bool,
    /// The latest time that was seen in it.
    pub(crate) latest: Option<Timestamp>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct SinkMeta {
    pub(crate) staged: Vec<StagedMeta>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct StagedMeta {
    pub(crate) staged: Staged,
    /// Where its bytes are in the file of its sink ([`sink_file`]), of the same rank.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) bytes: Option<Range<usize>>,
}
