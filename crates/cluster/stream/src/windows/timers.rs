//! [`Timers`]: which keys have something to do when event time gets somewhere.

use std::collections::BTreeMap;

use incumbent_state::KeyGroup;

/// No timer is set.
pub(crate) const NEVER: i64 = i64::MAX;

/// How many timers a logic works on before others have a turn.
pub(crate) const SLICE: usize = 1_000;

/// What serde takes for a timer, as they are not stored.
pub(crate) fn never() -> i64 {
    NEVER
}

/// Keys in the order of their deadlines. They are derived from a table and no part of a checkpoint.
///
/// A key that has several timers remembers which one counts; the others are no harm.
#[derive(Debug)]
pub(crate) struct Timers<K> {
    /// By key group too, so that no list is long, and sorting one is no pause.
    waiting: BTreeMap<(i64, u32), Vec<(u64, K)>>,
    /// The rest of the list that is being worked on, of this deadline, the first at its end.
    due: Vec<(u64, K)>,
    deadline: i64,
}

impl<K: Ord> Timers<K> {
    pub(crate) fn new() -> Self {
        Self {
            waiting: BTreeMap::new(),
            due: Vec::new(),
            deadline: NEVER,
        }
    }

    /// Sets one. [`NEVER`] sets none.
    pub(crate) fn set(&mut self, deadline: i64, hash: u64, key: K) {
        if deadline == NEVER {
            return;
        }
        let list = self
            .waiting
            .entry((deadline, KeyGroup::of(hash).number()))
            .or_insert_with(|| Vec::with_capacity(1));
        list.push((hash, key));
    }

    /// The next one whose deadline is at most `until`, by deadline and then by hash and key.
    pub(crate) fn next(&mut self, until: i64) -> Option<(i64, u64, K)> {
        if let Some((hash, key)) = self.due.pop() {
            return Some((self.deadline, hash, key));
        }
        let first = self.waiting.first_entry()?;
        if first.key().0 > until {
            return None;
        }
        self.deadline = first.key().0;
        self.due = first.remove();
        self.due.sort_unstable_by(|one, other| other.cmp(one));
        let (hash, key) = self.due.pop()?;
        Some((self.deadline, hash, key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timers_come_in_the_order_of_deadlines_then_of_hashes() {
        let mut timers = Timers::new();
        let (low, high) = (1 << 57, 100 << 57);
        for (deadline, hash, key) in [
            (20, low, 'a'),
            (10, high, 'b'),
            (10, low, 'd'),
            (10, low, 'c'),
        ] {
            timers.set(deadline, hash, key);
        }
        timers.set(NEVER, low, 'e');
        let mut next = |until| timers.next(until).map(|(deadline, _, key)| (deadline, key));
        assert_eq!(next(9), None);
        assert_eq!(next(10), Some((10, 'c')));
        assert_eq!(next(10), Some((10, 'd')));
        assert_eq!(next(10), Some((10, 'b')));
        assert_eq!(next(19), None);
        assert_eq!(next(i64::MAX), Some((20, 'a')));
        assert_eq!(next(i64::MAX), None);
    }
}
