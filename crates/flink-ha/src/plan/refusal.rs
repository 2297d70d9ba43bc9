//! Why a migration must not be done.

use serde::Serialize;

/// Why a migration must not be done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Refusal {
    /// The kind of reason.
    pub kind: RefusalKind,
    /// The entry, or the address, that is the reason.
    pub key: String,
    /// Why.
    pub why: String,
}

/// The kinds of reasons. Variants are named for what a person does next.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RefusalKind {
    /// Somebody leads, or may: stop the JobManagers, and wait until their lease or session is over.
    InUse,
    /// Nothing is there that Flink would start: correct the address.
    Nothing,
    /// It is a copy, or was moved elsewhere: use that one.
    Closed,
    /// The target has data: choose another cluster id, or remove them.
    NotEmpty,
    /// An entry or its file cannot be used: restore it, or remove it with `incumbent flink clean`.
    Damaged,
    /// The counter of a job is behind or gone: set it with `incumbent flink clean`.
    Counter,
    /// More than the target takes in one object.
    TooLarge,
    /// The Flink that is to start at the target cannot read it: name another.
    Version,
    /// Rights are missing: grant them.
    Rights,
}

impl RefusalKind {
    /// The kind as it is written in JSON: `in-use`.
    pub fn name(self) -> &'static str {
        match self {
            Self::InUse => "in-use",
            Self::Nothing => "nothing",
            Self::Closed => "closed",
            Self::NotEmpty => "not-empty",
            Self::Damaged => "damaged",
            Self::Counter => "counter",
            Self::TooLarge => "too-large",
            Self::Version => "version",
            Self::Rights => "rights",
        }
    }
}

impl Refusal {
    pub(crate) fn of(kind: RefusalKind, key: impl Into<String>, why: impl Into<String>) -> Self {
        let (key, why) = (key.into(), why.into());
        Self { kind, key, why }
    }
}
