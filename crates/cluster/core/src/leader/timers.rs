//! [`Timers`]: when a leader looks at something again although nobody tells it anything.

use std::collections::{BTreeMap, BTreeSet};

use incumbent_core::Time;

use crate::{JobId, NodeNonce};

/// What is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    /// The list of records, and records that could not be opened.
    Adoption,
    /// Gangs that wait for slots: one may reserve now.
    Gangs,
    /// Questions that were held for too long.
    Questions,
    /// One job.
    Job(JobId),
    /// One TaskManager: its silence, and orders that did not reach it.
    Node(NodeNonce),
}

/// At most one moment for each [`Timer`].
#[derive(Debug, Default)]
pub(super) struct Timers {
    at: BTreeMap<Timer, Time>,
    queue: BTreeSet<(Time, Timer)>,
}

impl Timers {
    /// Rings at `at`, or earlier if that was asked for before.
    pub(super) fn ring_by(&mut self, timer: Timer, at: Time) {
        if self.at.get(&timer).is_none_or(|earlier| at < *earlier) {
            self.clear(timer);
            self.at.insert(timer, at);
            self.queue.insert((at, timer));
        }
    }

    /// Does not ring.
    pub(super) fn clear(&mut self, timer: Timer) {
        if let Some(at) = self.at.remove(&timer) {
            self.queue.remove(&(at, timer));
        }
    }

    /// One that rings, which is then cleared.
    pub(super) fn pop_due(&mut self, now: Time) -> Option<Timer> {
        let (at, timer) = *self.queue.first()?;
        if at > now {
            return None;
        }
        self.clear(timer);
        Some(timer)
    }

    /// When the next one rings.
    pub(super) fn next(&self) -> Option<Time> {
        self.queue.first().map(|(at, _)| *at)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn at(ms: u64) -> Time {
        Time::from_origin(Duration::from_millis(ms))
    }

    #[test]
    fn a_timer_rings_once_at_the_earliest_moment_asked_for() {
        let mut timers = Timers::default();
        timers.ring_by(Timer::Gangs, at(20));
        timers.ring_by(Timer::Gangs, at(10));
        timers.ring_by(Timer::Gangs, at(30));
        timers.ring_by(Timer::Adoption, at(15));
        assert_eq!(timers.next(), Some(at(10)));
        assert_eq!(timers.pop_due(at(9)), None);
        assert_eq!(timers.pop_due(at(15)), Some(Timer::Gangs));
        assert_eq!(timers.pop_due(at(15)), Some(Timer::Adoption));
        assert_eq!(timers.pop_due(at(99)), None);
    }
}
