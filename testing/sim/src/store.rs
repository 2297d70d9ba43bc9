//! [`Store`]: what a backend promises, as one map. Every swap is one step.

use std::collections::BTreeMap;

use incumbent_core::Version;
use incumbent_core::election::SwapAnswer;
use incumbent_core::record::RecordBody;
use incumbent_core::root::Root;

use crate::faults::nanos;
use crate::history::{Body, Fact, Item, Value};

/// The bodies and their versions.
#[derive(Debug, Default)]
pub struct Store {
    items: BTreeMap<Item, (u64, Stored)>,
    /// Versions never repeat, also not after a deletion.
    last_version: u64,
}

/// A body as it is stored.
#[derive(Clone, Debug)]
pub enum Stored {
    /// Of the root.
    Root(Box<Root>),
    /// Of the floor or a record.
    Record(RecordBody),
}

/// What a node asks of the store.
#[derive(Clone, Debug)]
pub enum Call {
    /// What is there?
    Read,
    /// Put this in its place.
    Swap {
        /// What must be there.
        expected: Option<Version>,
        /// What is put there.
        body: Stored,
    },
    /// Take it away, and leave nothing.
    Erase {
        /// What must be there.
        expected: Version,
        /// The write that a tombstone would have shown. For the invariants; a real store is not
        /// told.
        body: Box<RecordBody>,
    },
}

/// What it answers.
#[derive(Clone, Debug)]
pub enum Reply {
    /// What was read.
    Found(Option<(Version, Stored)>),
    /// What came of a swap.
    Swapped(SwapAnswer),
}

impl Store {
    /// Performs a call in one step, and returns what changed.
    pub fn perform(&mut self, item: Item, call: Call) -> (Reply, Option<Fact>) {
        match call {
            Call::Read => (Reply::Found(self.read(item)), None),
            Call::Swap { expected, body } if self.is_at(item, expected.as_ref()) => {
                let (version, fact) = self.put(item, body, false);
                (Reply::Swapped(SwapAnswer::Committed(version)), Some(fact))
            }
            Call::Erase { expected, body } if self.is_at(item, Some(&expected)) => {
                let fact = self.remove(item, Some(describe(&Stored::Record(*body))));
                (Reply::Swapped(SwapAnswer::Committed(expected)), fact)
            }
            Call::Swap { .. } | Call::Erase { .. } => (Reply::Swapped(SwapAnswer::Conflict), None),
        }
    }

    /// What is there.
    pub fn read(&self, item: Item) -> Option<(Version, Stored)> {
        let (version, body) = self.items.get(&item)?;
        Some((name(*version), body.clone()))
    }

    /// The root, if there is one.
    pub fn root(&self) -> Option<(Version, &Root)> {
        match self.items.get(&Item::Root)? {
            (version, Stored::Root(root)) => Some((name(*version), root)),
            (_, Stored::Record(_)) => None,
        }
    }

    /// Replaces a body without regard to what is there.
    pub fn put(&mut self, item: Item, body: Stored, by_hand: bool) -> (Version, Fact) {
        self.last_version += 1;
        let fact = Fact::Written {
            item,
            version: self.last_version,
            body: describe(&body),
            by_hand,
        };
        self.items.insert(item, (self.last_version, body));
        (name(self.last_version), fact)
    }

    /// Takes something away: by an erasure, or by hand.
    pub fn remove(&mut self, item: Item, write: Option<Body>) -> Option<Fact> {
        self.items
            .remove(&item)
            .map(|_| Fact::Removed { item, write })
    }

    fn is_at(&self, item: Item, expected: Option<&Version>) -> bool {
        self.items.get(&item).map(|(version, _)| *version) == expected.map(number)
    }
}

/// The number of a version.
pub fn number(version: &Version) -> u64 {
    let text = version.as_str();
    text.parse().expect("the store made it from a number")
}

/// What the record carries that a commit put there: zero if it was deleted or never written.
pub fn value(body: &RecordBody) -> Value {
    body.json().map_or(0, |text| {
        let [value, _]: [Value; 2] =
            serde_json::from_str(text).expect("only commits of the workload are made");
        value
    })
}

/// A body, as the invariants see it.
pub fn describe(body: &Stored) -> Body {
    match body {
        Stored::Root(root) => Body::Root {
            seal: root.seal(),
            seq: root.seq,
            state: root.state.into(),
            lease: nanos(root.lease()),
            endpoint: endpoint(root),
        },
        Stored::Record(record) => Body::Record {
            seal: record.seal,
            seq: record.seq,
            value: value(record),
            unled: record.unled,
        },
    }
}

fn endpoint(root: &Root) -> u64 {
    root.endpoints.values().next().map_or(0, |address| {
        address.parse().expect("the ticket of the change")
    })
}

fn name(version: u64) -> Version {
    Version::new(version.to_string())
}
