//! One thing that may go, and what becomes of it.

use serde::Serialize;

use crate::data::{Contents, Item};

/// Something that no job needs, or that keeps a JobManager from starting.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The kind.
    pub kind: FindingKind,
    /// The keys of what would be removed or set.
    pub keys: Vec<String>,
    /// The files that they point to. They stay.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<String>,
    /// Why.
    pub why: String,
    /// What Flink does afterwards.
    pub follows: String,
    /// Why it stays although it was found. `None` if `--apply` removes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kept: Option<String>,
    /// Whether a leading JobManager would notice.
    #[serde(skip)]
    pub(crate) needs_stop: bool,
    #[serde(skip)]
    pub(crate) changes: Vec<Change>,
}

/// The kinds of findings.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FindingKind {
    /// An entry of a leader that is gone.
    Leader,
    /// What is left of a job that has no plan any more.
    EndedJob,
    /// A pointer that cannot be decoded.
    Unreadable,
    /// A pointer that Flink fails on: its file is gone, or it is of the wrong class.
    Broken,
    /// A pointer whose removal has begun.
    Deleting,
    /// A checkpoint that newer ones supersede.
    Superseded,
    /// A counter that is behind, gone or unreadable.
    Counter,
    /// An unfinished copy of another cluster.
    HalfDoneCopy,
    /// What a person has named.
    Named,
}

impl FindingKind {
    /// The kind as it is written in JSON: `ended-job`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Leader => "leader",
            Self::EndedJob => "ended-job",
            Self::Unreadable => "unreadable",
            Self::Broken => "broken",
            Self::Deleting => "deleting",
            Self::Superseded => "superseded",
            Self::Counter => "counter",
            Self::HalfDoneCopy => "half-done-copy",
            Self::Named => "named",
        }
    }
}

/// A change of the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// Removes one entry, by its key, with what is below it.
    Entry(String),
    /// Removes all that is stored of a job besides its plan.
    Job(String),
    /// Sets the counter of a job.
    Counter { job: String, next: u64 },
    /// Removes the whole copy, and its gate at last.
    Copy,
}

/// An unfinished copy: nobody has ever used it.
pub(super) fn half_done(contents: &Contents, from: &str) -> Finding {
    let entries = contents.entries.values().map(|entry| entry.key.clone());
    let damaged = contents.damaged.iter().map(|noted| noted.key.clone());
    Finding {
        kind: FindingKind::HalfDoneCopy,
        keys: entries.chain(damaged).collect(),
        files: Vec::new(),
        why: format!("it is an unfinished copy of {from}, and no Flink has used it"),
        follows: "Nothing of it is left here. The original keeps its data; `incumbent flink \
                  reopen` opens it."
            .into(),
        kept: None,
        needs_stop: false,
        changes: vec![Change::Copy],
    }
}

/// The file of an entry, if it has one.
pub(super) fn file(contents: &Contents, item: &Item) -> Option<String> {
    contents.entries.get(item)?.handle.as_ref()?.path.clone()
}
