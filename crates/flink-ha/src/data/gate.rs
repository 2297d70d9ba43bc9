//! A closed gate: Flink elects nobody here, and this is why.
//!
//! In ConfigMaps the gate is an annotation that stands in the place of the lock's: without that one
//! no Flink elects a leader, however long it waits. In ZooKeeper it is a child of the latch whose
//! name comes before all others, so that everybody waits behind it.

use serde::{Deserialize, Serialize};

/// Why nobody may lead here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "closed", rename_all = "kebab-case")]
pub(crate) enum Gate {
    /// The data were copied elsewhere, and a Flink may go on with them there.
    Moved {
        /// The address of the copy.
        to: String,
        /// Of the data that were copied.
        fingerprint: String,
    },
    /// The data are being copied here, and are not complete.
    Copying {
        /// The address of the original.
        from: String,
        /// Of the data that are copied.
        fingerprint: String,
    },
    /// It is closed, and why is not readable.
    #[serde(skip)]
    Unreadable,
}

impl Gate {
    pub(crate) fn of(text: &str) -> Self {
        serde_json::from_str(text).unwrap_or(Self::Unreadable)
    }

    pub(crate) fn text(&self) -> String {
        serde_json::to_string(self).expect("a gate is strings only")
    }

    /// In words: why nobody may lead.
    pub(crate) fn why(&self) -> String {
        match self {
            Self::Moved { to, .. } => format!("it was moved to {to}"),
            Self::Copying { from, .. } => format!("it is an unfinished copy of {from}"),
            Self::Unreadable => "its gate is closed, and does not say why".into(),
        }
    }
}
