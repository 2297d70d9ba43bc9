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
mod tests {
    use super::*;

    fn name(text: &str) -> RecordName {
        text.parse().unwrap()
    }

    fn version(text: &str) -> Option<Version> {
        Some(Version::new(text))
    }

    fn written(names: &[&str]) -> Option<Vec<Change>> {
        Some(names.iter().map(|n| Change::Written(name(n))).collect())
    }

    fn list(told: &mut Told, listed: &[(&str, &str)]) {
        let listed = listed.iter().map(|(n, v)| (name(n), Version::new(*v)));
        told.listed(listed);
    }

    /// A reader that was told of these records.
    fn told(listed: &[(&str, &str)]) -> Told {
        let mut told = Told::new();
        told.begin();
        list(&mut told, listed);
        assert!(told.take().is_some());
        told
    }

    #[test]
    fn the_present_state_comes_first_even_if_it_is_nothing_and_then_once() {
        let mut told = Told::new();
        told.begin();
        told.hint(name("b"), version("1"));
        assert_eq!(told.take(), None, "hints say nothing of the others");
        list(&mut told, &[("a", "1"), ("b", "1")]);
        assert_eq!(told.take(), written(&["a", "b"]));
        assert_eq!(told.take(), None);
        let mut empty = Told::new();
        empty.begin();
        list(&mut empty, &[]);
        assert_eq!((empty.take(), empty.take()), (written(&[]), None));
    }

    #[test]
    fn nothing_is_told_twice_without_a_reason() {
        let mut told = told(&[("a", "1")]);
        told.hint(name("a"), version("2"));
        told.hint(name("a"), version("3"));
        assert_eq!(told.take(), written(&["a"]));
        told.hint(name("a"), version("3"));
        told.begin();
        list(&mut told, &[("a", "3")]);
        assert_eq!(told.take(), None);
    }

    #[test]
    fn a_change_without_a_hint_is_found_by_the_next_listing() {
        let mut told = told(&[("a", "1"), ("b", "1"), ("c", "1")]);
        told.begin();
        list(&mut told, &[("a", "1"), ("b", "2"), ("d", "1")]);
        let gone = Change::Gone(name("c"));
        let [b, d] = ["b", "d"].map(|n| Change::Written(name(n)));
        assert_eq!(told.take(), Some(vec![b, gone, d]));
    }

    /// It may have looked before the record was created.
    #[test]
    fn a_listing_that_was_under_way_does_not_take_back_what_was_hinted() {
        let mut told = told(&[("a", "1")]);
        told.begin();
        told.hint(name("new"), version("1"));
        told.hint(name("a"), version("2"));
        list(&mut told, &[("a", "1")]);
        assert_eq!(told.take(), written(&["a", "new"]));
        told.begin();
        list(&mut told, &[("a", "2"), ("new", "1")]);
        assert_eq!(told.take(), None);
    }

    /// What was hinted late may have been older than what came after it.
    #[test]
    fn a_hint_that_names_no_version_or_an_old_one_is_followed_by_certainty() {
        for late in [None, version("1")] {
            let mut told = told(&[("a", "2")]);
            told.hint(name("a"), late);
            assert_eq!(told.take(), written(&["a"]));
            told.begin();
            list(&mut told, &[("a", "2")]);
            assert_eq!(told.take(), written(&["a"]));
            told.begin();
            list(&mut told, &[("a", "2")]);
            assert_eq!(told.take(), None);
        }
    }

    #[test]
    fn a_record_that_comes_and_goes_unread_is_told_as_it_is() {
        let mut told = told(&[]);
        told.hint(name("a"), version("1"));
        told.begin();
        list(&mut told, &[]);
        assert_eq!(told.take(), Some(vec![Change::Gone(name("a"))]));
        told.hint(name("a"), version("2"));
        assert_eq!(told.take(), written(&["a"]));
    }
}
