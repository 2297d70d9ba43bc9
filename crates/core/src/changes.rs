//! What one reader has been told about a group's records, and what it has to be told next.
//!
//! Hints of a watch are prompt, and may lag, repeat, lie or be lost. Listings are certain and late.
//! Together they are prompt and miss nothing for good: a hint is passed on at once, and each
//! listing is compared with what the reader was told.
//!
//! ```text
//!   hint(name, version)  ──►  ┌──────┐
//!   begin, then listed(…) ──► │ Told │ ──► take(): names, each once, with the last that is known
//!                             └──────┘
//! ```

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::{RecordName, Version};

/// Something that may have happened to a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// It is there, and was created, written, sealed or deleted: all of these leave a record, or a
    /// tombstone, at a new version.
    Written(RecordName),
    /// It is not there any more, and has left no tombstone.
    Gone(RecordName),
}

impl Change {
    /// Which record it is.
    pub fn name(&self) -> &RecordName {
        match self {
            Self::Written(name) | Self::Gone(name) => name,
        }
    }
}

/// See the [module](self).
#[derive(Clone, Debug, Default)]
pub struct Told {
    /// The version of each record that the reader was told of, or is to be told of next. `None` if
    /// a hint did not name it, so that the next listing has to be told again.
    known: HashMap<RecordName, Option<Version>>,
    /// What comes next.
    next: BTreeMap<RecordName, Kind>,
    /// Records that hints were about since the listing that is under way began. That listing may
    /// have looked at them before, so it decides nothing about them.
    hinted: HashSet<RecordName>,
    /// Whether the present state is known: nothing is told before.
    informed: bool,
    /// Whether the reader was told the present state.
    begun: bool,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Written,
    Gone,
}

impl Told {
    /// Before the first listing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes a hint about one record.
    pub fn hint(&mut self, name: RecordName, version: Option<Version>) {
        if version.is_some() && self.known.get(&name) == Some(&version) {
            return;
        }
        self.known.insert(name.clone(), version);
        self.hinted.insert(name.clone());
        self.next.insert(name, Kind::Written);
    }

    /// A listing begins. It will contain all that was acknowledged before.
    pub fn begin(&mut self) {
        self.hinted.clear();
    }

    /// Takes the listing that has begun last.
    pub fn listed(&mut self, listed: impl IntoIterator<Item = (RecordName, Version)>) {
        let mut missing: HashSet<RecordName> = self.known.keys().cloned().collect();
        for (name, version) in listed {
            missing.remove(&name);
            let version = Some(version);
            if self.hinted.contains(&name) || self.known.get(&name) == Some(&version) {
                continue;
            }
            self.known.insert(name.clone(), version);
            self.next.insert(name, Kind::Written);
        }
        for name in missing {
            if !self.hinted.contains(&name) {
                self.known.remove(&name);
                self.next.insert(name, Kind::Gone);
            }
        }
        self.hinted.clear();
        self.informed = true;
    }

    /// What the reader is to be told now: first the present state, which may be nothing, then
    /// changes. `None` if there is nothing to tell.
    pub fn take(&mut self) -> Option<Vec<Change>> {
        if !self.informed || (self.begun && self.next.is_empty()) {
            return None;
        }
        self.begun = true;
        let next = std::mem::take(&mut self.next);
        let changes = next.into_iter().map(|(name, kind)| match kind {
            Kind::Written => Change::Written(name),
            Kind::Gone => Change::Gone(name),
        });
        Some(changes.collect())
    }
}

#[cfg(test)]
#[path = "changes_tests.rs"]
mod tests;
