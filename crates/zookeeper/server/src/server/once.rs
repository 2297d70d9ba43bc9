//! What is logged once for each client, since a client tries again every second or so.

use std::collections::HashSet;
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The clients that were logged, by what tells them apart.
pub(super) struct Once<T> {
    known: Mutex<HashSet<T>>,
}

/// With more of them, all are forgotten and logged again.
const MOST: usize = 4096;

impl<T: Eq + Hash> Once<T> {
    /// Notes one that is logged now. Returns whether it is the first time.
    pub(super) fn note(&self, one: T) -> bool {
        let mut known = self.known();
        if known.len() >= MOST {
            known.clear();
        }
        known.insert(one)
    }

    /// Forgets one, since it is over. Returns whether it was logged.
    pub(super) fn forget(&self, one: &T) -> bool {
        self.known().remove(one)
    }

    fn known(&self) -> MutexGuard<'_, HashSet<T>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Default for Once<T> {
    fn default() -> Self {
        Self {
            known: Mutex::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_new_once_until_it_is_over() {
        let once = Once::default();
        assert!(once.note(1) && once.note(2));
        assert!(!once.note(1));
        assert!(once.forget(&1) && !once.forget(&1));
        assert!(once.note(1));
        for other in 3..10_000 {
            once.note(other);
        }
        assert!(once.known().len() <= MOST);
    }
}
