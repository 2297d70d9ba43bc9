//! [`Queue`]: what is due, in the order of time.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::clock::Instant;

/// Events by the moment at which they are due.
///
/// The heap holds numbers only. Events are large, and would be copied at each step of a sift.
#[derive(Debug)]
pub(crate) struct Queue<E> {
    due: BinaryHeap<Reverse<Due>>,
    events: Vec<Option<E>>,
    free: Vec<usize>,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Due {
    at: Instant,
    /// What is due at the same moment comes in any order.
    lot: u64,
    number: u64,
    /// Never compared: no two have the same number.
    slot: usize,
}

impl<E> Default for Queue<E> {
    fn default() -> Self {
        Self {
            due: BinaryHeap::new(),
            events: Vec::new(),
            free: Vec::new(),
        }
    }
}

impl<E> Queue<E> {
    /// Adds an event. `number` tells it from all others.
    pub(crate) fn push(&mut self, at: Instant, lot: u64, number: u64, event: E) {
        let slot = self.free.pop().unwrap_or(self.events.len());
        match self.events.get_mut(slot) {
            Some(place) => *place = Some(event),
            None => self.events.push(Some(event)),
        }
        self.due.push(Reverse(Due {
            at,
            lot,
            number,
            slot,
        }));
    }

    /// Takes the event that is due first.
    pub(crate) fn pop(&mut self) -> Option<(Instant, E)> {
        let Reverse(due) = self.due.pop()?;
        self.free.push(due.slot);
        let event = self.events[due.slot].take();
        Some((due.at, event.expect("a slot is free only after its event")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_come_in_the_order_of_time_and_slots_are_used_again() {
        let mut queue = Queue::default();
        for round in 0..3 {
            for at in [5, 1, 3] {
                queue.push(at, 0, round * 10 + at, at);
            }
            let all: Vec<_> = std::iter::from_fn(|| queue.pop()).collect();
            assert_eq!(all, [(1, 1), (3, 3), (5, 5)]);
        }
        assert_eq!(queue.events.len(), 3);
    }
}
