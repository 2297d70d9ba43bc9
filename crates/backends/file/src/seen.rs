//! The versions that a handle remembers, so that it does not have to list directories.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use incumbent_backend::{GroupName, Key};

use crate::names::Number;

/// Most keys remembered. When there are more, all are forgotten, which costs one listing for each.
const MOST_KEYS: usize = 10_000;

/// The newest versions that a handle has met. They are never the truth, only a place to start
/// searching.
#[derive(Debug, Default)]
pub(crate) struct Seen(Mutex<Memory>);

#[derive(Debug, Default)]
struct Memory {
    keys: HashMap<Key, Met>,
    groups: HashSet<GroupName>,
}

#[derive(Clone, Copy, Debug)]
struct Met {
    newest: Number,
    /// The newest version that is certainly on the disk.
    settled: Option<Number>,
}

impl Seen {
    /// A version that the key has or had.
    pub(crate) fn newest(&self, key: &Key) -> Option<Number> {
        self.memory().keys.get(key).map(|met| met.newest)
    }

    pub(crate) fn settled(&self, key: &Key) -> Option<Number> {
        self.memory().keys.get(key).and_then(|met| met.settled)
    }

    pub(crate) fn see(&self, key: &Key, newest: Number) {
        let mut memory = self.memory();
        match memory.keys.get_mut(key) {
            Some(met) => met.newest = newest,
            None => {
                if memory.keys.len() >= MOST_KEYS {
                    memory.keys.clear();
                }
                memory.keys.insert(
                    key.clone(),
                    Met {
                        newest,
                        settled: None,
                    },
                );
            }
        }
    }

    pub(crate) fn settle(&self, key: &Key, number: Number) {
        let mut memory = self.memory();
        match memory.keys.get_mut(key) {
            Some(met) => met.settled = Some(number),
            None => {
                memory.keys.insert(
                    key.clone(),
                    Met {
                        newest: number,
                        settled: Some(number),
                    },
                );
            }
        }
    }

    /// Forgets a key that is absent though it was there: somebody has removed it by hand.
    pub(crate) fn forget(&self, key: &Key) {
        self.memory().keys.remove(key);
    }

    /// True once for each group.
    pub(crate) fn is_new(&self, group: &GroupName) -> bool {
        self.memory().groups.insert(group.clone())
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
