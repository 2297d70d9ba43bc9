//! Whether a history of one record could have come from one copy of it that does one thing at a
//! time.
//!
//! The algorithm is Wing and Gong's with Lowe's memory: take operations in every order that
//! respects who ended before whom began, undo when stuck, and never try the same set of operations
//! with the same value twice. An operation whose outcome nobody knows stays open to the end: it may
//! take effect at any moment after its beginning, or never.

use std::collections::HashSet;

use crate::clock::Instant;
use crate::fingerprint::Build;
use crate::history::Value;

/// Most steps of one search. A history that takes more is reported as undecided, which no test has
/// come near.
const MOST_STEPS: usize = 5_000_000;

/// Something that was done to a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Operation {
    /// When it began.
    pub began: Instant,
    /// When its outcome was known, `None` if never.
    pub ended: Option<Instant>,
    /// What it did.
    pub did: Did,
}

/// What an operation does if it takes effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Did {
    /// It finds this value.
    Read(Value),
    /// It finds one value and puts another in its place.
    Swap {
        /// What it finds.
        after: Value,
        /// What it puts there.
        value: Value,
    },
}

/// The verdict on a history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// There is an order.
    Linearizable,
    /// There is none.
    Not,
    /// The search was given up.
    Undecided,
}

/// Judges the history of one record, which is zero at first.
pub fn judge(history: &[Operation]) -> Verdict {
    Search::new(history).run()
}

struct Search {
    operations: Vec<Operation>,
    done: Vec<u64>,
    left: usize,
    value: Value,
    tried: HashSet<(Vec<u64>, Value), Build>,
    /// All operations before this one are done.
    first_open: usize,
    path: Vec<(usize, Value)>,
}

impl Search {
    fn new(history: &[Operation]) -> Self {
        let mut operations: Vec<_> = history
            .iter()
            .copied()
            .filter(|operation| operation.ended.is_some() || matters(operation, history))
            .collect();
        operations.sort_by_key(|operation| operation.began);
        let left = operations.iter().filter(|o| o.ended.is_some()).count();
        Self {
            done: vec![0; operations.len().div_ceil(64)],
            left,
            value: 0,
            tried: HashSet::default(),
            first_open: 0,
            path: Vec::new(),
            operations,
        }
    }

    fn run(&mut self) -> Verdict {
        let mut from = 0;
        for _ in 0..MOST_STEPS {
            if self.left == 0 {
                return Verdict::Linearizable;
            }
            if let Some(next) = self.next(from) {
                self.take(next);
                from = 0;
            } else if let Some((last, before)) = self.path.pop() {
                self.undo(last, before);
                from = last + 1;
            } else {
                return Verdict::Not;
            }
        }
        Verdict::Undecided
    }

    /// The first operation, from this index on, that can come next and leads somewhere new.
    fn next(&mut self, from: usize) -> Option<usize> {
        while self.first_open < self.operations.len() && self.is_done(self.first_open) {
            self.first_open += 1;
        }
        // Whatever began after some other operation ended cannot come before it.
        let mut first_end = None;
        for index in self.first_open..self.operations.len() {
            let operation = &self.operations[index];
            if first_end.is_some_and(|end| operation.began > end) {
                break;
            }
            if !self.is_done(index)
                && let Some(ended) = operation.ended
            {
                first_end = Some(first_end.map_or(ended, |end: Instant| end.min(ended)));
            }
        }
        let first_end = first_end?;
        for index in from.max(self.first_open)..self.operations.len() {
            let operation = &self.operations[index];
            if operation.began > first_end {
                return None;
            }
            if !self.is_done(index)
                && let Some(value) = operation.did.applied(self.value)
            {
                let mut done = self.done.clone();
                done[index / 64] |= 1 << (index % 64);
                if self.tried.insert((done, value)) {
                    return Some(index);
                }
            }
        }
        None
    }

    fn take(&mut self, index: usize) {
        self.path.push((index, self.value));
        let operation = self.operations[index];
        self.value = operation
            .did
            .applied(self.value)
            .expect("`next` has looked");
        self.done[index / 64] |= 1 << (index % 64);
        self.left -= usize::from(operation.ended.is_some());
    }

    fn undo(&mut self, index: usize, before: Value) {
        self.value = before;
        self.done[index / 64] &= !(1 << (index % 64));
        self.first_open = self.first_open.min(index);
        self.left += usize::from(self.operations[index].ended.is_some());
    }

    fn is_done(&self, index: usize) -> bool {
        self.done[index / 64] & (1 << (index % 64)) != 0
    }
}

impl Did {
    /// The value afterwards, if it can take effect on this one.
    fn applied(self, on: Value) -> Option<Value> {
        match self {
            Self::Read(value) => (value == on).then_some(on),
            Self::Swap { after, value } => (after == on).then_some(value),
        }
    }
}

/// An open operation whose value nobody ever found can as well have had no effect.
fn matters(open: &Operation, history: &[Operation]) -> bool {
    let Did::Swap { value, .. } = open.did else {
        return false;
    };
    history.iter().any(|other| match other.did {
        Did::Read(found) => found == value,
        Did::Swap { after, .. } => after == value,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(began: u64, ended: u64, value: Value) -> Operation {
        Operation {
            began,
            ended: Some(ended),
            did: Did::Read(value),
        }
    }

    fn swap(began: u64, ended: Option<u64>, after: Value, value: Value) -> Operation {
        Operation {
            began,
            ended,
            did: Did::Swap { after, value },
        }
    }

    #[test]
    fn a_stale_read_is_rejected() {
        let history = [swap(0, Some(10), 0, 1), read(11, 12, 0)];
        assert_eq!(judge(&history), Verdict::Not);
        let concurrent = [swap(0, Some(10), 0, 1), read(9, 12, 0)];
        assert_eq!(judge(&concurrent), Verdict::Linearizable);
    }

    #[test]
    fn reads_that_go_back_are_rejected() {
        let history = [swap(0, Some(100), 0, 1), read(10, 20, 1), read(30, 40, 0)];
        assert_eq!(judge(&history), Verdict::Not);
    }

    #[test]
    fn a_lost_write_is_rejected() {
        let history = [swap(0, Some(1), 0, 1), swap(2, Some(3), 0, 2)];
        assert_eq!(judge(&history), Verdict::Not);
        let chain = [swap(0, Some(1), 0, 1), swap(2, Some(3), 1, 2)];
        assert_eq!(judge(&chain), Verdict::Linearizable);
    }

    #[test]
    fn two_writes_of_the_same_value_cannot_both_succeed() {
        let history = [swap(0, Some(10), 0, 1), swap(0, Some(10), 0, 2)];
        assert_eq!(judge(&history), Verdict::Not);
    }

    #[test]
    fn an_unknown_write_may_have_happened_or_not() {
        for seen in [0, 1] {
            let history = [swap(0, None, 0, 1), read(10, 11, seen)];
            assert_eq!(judge(&history), Verdict::Linearizable);
        }
        let late = [swap(0, None, 0, 1), read(10, 11, 0), read(20, 21, 1)];
        assert_eq!(judge(&late), Verdict::Linearizable);
        let twice = [
            swap(0, None, 0, 1),
            read(10, 11, 1),
            swap(12, Some(13), 1, 0),
            read(20, 21, 1),
        ];
        assert_eq!(judge(&twice), Verdict::Not);
        let before_it_began = [read(0, 1, 1), swap(2, None, 0, 1)];
        assert_eq!(judge(&before_it_began), Verdict::Not);
    }

    #[test]
    fn an_order_is_found_among_many() {
        let mut history = vec![];
        for n in 0..40 {
            if n < 9 {
                history.push(swap(0, None, n % 3, (n + 1) % 3));
            }
            history.push(swap(n, Some(n + 5), 100 + n, 101 + n));
            history.push(read(n, n + 5, 100 + n));
        }
        history.push(swap(0, Some(1), 0, 100));
        assert_eq!(judge(&history), Verdict::Linearizable);
        history.push(read(50, 51, 100));
        assert_eq!(judge(&history), Verdict::Not);
    }
}
