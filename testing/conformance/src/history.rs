//! Checks whether one order explains everything that the clients of one key saw.
//!
//! Every write has an ID of its own, and its body names the ID that it replaces. So the committed
//! writes must form one chain, and their order is the order in that chain. It remains to check that
//! the order agrees with time: if an event began after another was over, it must not come before
//! it.

use std::collections::{HashMap, HashSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use incumbent_backend::Version;

/// Names one write; 0 means that there is no body.
pub(crate) type Id = u64;

/// A counter that orders moments: if one thing is over before another begins, its number is
/// smaller.
#[derive(Default)]
pub(crate) struct Clock(AtomicU64);

/// Everything that all clients saw.
#[derive(Default)]
pub(crate) struct History {
    pub(crate) clock: Clock,
    events: Mutex<Vec<Event>>,
}

/// One operation of one client.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) begin: u64,
    pub(crate) end: u64,
    pub(crate) what: What,
}

/// The operation and its answer.
#[derive(Clone, Debug)]
pub(crate) enum What {
    Read { saw: Id, version: Option<Version> },
    Write { id: Id, after: Id, told: Told },
}

/// The answer to a write.
#[derive(Clone, Debug)]
pub(crate) enum Told {
    Committed(Version),
    Conflict,
    NotApplied,
    Unknown,
}

impl Clock {
    pub(crate) fn now(&self) -> u64 {
        self.0.fetch_add(1, Ordering::SeqCst)
    }
}

impl History {
    pub(crate) fn add(&self, begin: u64, what: What) {
        let event = Event {
            begin,
            end: self.clock.now(),
            what,
        };
        self.events.lock().expect("no client panicked").push(event);
    }

    /// Checks the whole history, given the last write that the key held in the end.
    ///
    /// # Panics
    ///
    /// If events contradict each other. The message shows them.
    pub(crate) fn check(self, last: Id) {
        let events = self.events.into_inner().expect("no client panicked");
        versions_name_bodies(&events);
        let chain = Chain::back_from(last, &events);
        for event in &events {
            chain.check_told(event);
        }
        chain.check_order(&events);
    }
}

/// The committed writes, in order.
struct Chain {
    places: HashMap<Id, usize>,
    /// For each write, when the write that replaced it began.
    followed: HashMap<Id, u64>,
}

impl Chain {
    fn back_from(last: Id, events: &[Event]) -> Self {
        let mut writes = HashMap::new();
        for event in events {
            if let What::Write { id, after, .. } = event.what {
                writes.insert(id, (after, event.begin));
            }
        }
        let (mut ids, mut followed, mut at) = (vec![last], HashMap::new(), last);
        while at != 0 {
            let (after, begin) = *writes
                .get(&at)
                .unwrap_or_else(|| panic!("body {at} was written by nobody"));
            assert!(
                followed.insert(after, begin).is_none(),
                "bodies replace each other in a circle at {after}"
            );
            ids.push(after);
            at = after;
        }
        let places = ids
            .into_iter()
            .rev()
            .enumerate()
            .map(|(place, id)| (id, place))
            .collect();
        Self { places, followed }
    }

    /// The event's position in the chain, if it has one, and whether it is a write.
    fn place(&self, event: &Event) -> Option<(usize, bool)> {
        match &event.what {
            What::Read { saw, .. } => self.places.get(saw).map(|place| (*place, false)),
            What::Write { id, .. } => self.places.get(id).map(|place| (*place, true)),
        }
    }

    fn check_told(&self, event: &Event) {
        let stands = self.place(event).is_some();
        match &event.what {
            What::Read { .. } => assert!(
                stands,
                "a body was read that was never committed, or lost later: {event:?}"
            ),
            What::Write {
                told: Told::Committed(_),
                ..
            } => assert!(stands, "a committed write was lost: {event:?}"),
            What::Write {
                told: Told::Conflict,
                after,
                ..
            } => {
                assert!(
                    !stands,
                    "a write happened that was told as conflict: {event:?}"
                );
                let reason = self
                    .followed
                    .get(after)
                    .is_some_and(|begin| *begin < event.end);
                assert!(
                    reason || !self.places.contains_key(after),
                    "a conflict without a reason: {event:?}"
                );
            }
            What::Write {
                told: Told::NotApplied,
                ..
            } => {
                assert!(
                    !stands,
                    "a write happened that was told as not applied: {event:?}"
                );
            }
            What::Write {
                told: Told::Unknown,
                ..
            } => {}
        }
    }

    fn check_order(&self, events: &[Event]) {
        let mut by_end: Vec<&Event> = events
            .iter()
            .filter(|event| event.has_happened_by_its_end())
            .collect();
        by_end.sort_by_key(|event| event.end);
        let mut by_begin: Vec<&Event> = events.iter().collect();
        by_begin.sort_by_key(|event| event.begin);
        let (mut over, mut furthest) = (by_end.into_iter().peekable(), None::<(usize, &Event)>);
        for event in by_begin {
            while let Some(earlier) = over.next_if(|earlier| earlier.end < event.begin) {
                if let Some((place, _)) = self
                    .place(earlier)
                    .filter(|(place, _)| furthest.is_none_or(|f| f.0 < *place))
                {
                    furthest = Some((place, earlier));
                }
            }
            let (Some((place, is_write)), Some((reached, earlier))) = (self.place(event), furthest)
            else {
                continue;
            };
            let in_order = if is_write {
                place > reached
            } else {
                place >= reached
            };
            assert!(
                in_order,
                "time went backwards: {event:?} came after {earlier:?} was over"
            );
        }
    }
}

impl Event {
    /// Whether the event certainly happened before it ended. A write of unknown outcome may happen
    /// later.
    fn has_happened_by_its_end(&self) -> bool {
        !matches!(
            self.what,
            What::Write {
                told: Told::Unknown,
                ..
            }
        )
    }
}

/// Checks that each version names one body, and each body has one version.
fn versions_name_bodies(events: &[Event]) {
    let (mut bodies, mut pairs) = (HashMap::new(), HashSet::new());
    for event in events {
        let (id, version) = match &event.what {
            What::Read {
                saw,
                version: Some(version),
            } => (*saw, version),
            What::Write {
                id,
                told: Told::Committed(version),
                ..
            } => (*id, version),
            _ => continue,
        };
        let named = *bodies.entry(version).or_insert(id);
        assert_eq!(named, id, "version {version} names two bodies");
        pairs.insert((version, id));
    }
    let ids: HashSet<Id> = pairs.iter().map(|(_, id)| *id).collect();
    assert_eq!(ids.len(), pairs.len(), "a body has two versions");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(begin: u64, end: u64, saw: Id) -> Event {
        let version = (saw != 0).then(|| Version::new(saw.to_string()));
        Event {
            begin,
            end,
            what: What::Read { saw, version },
        }
    }

    fn write(begin: u64, end: u64, after: Id, id: Id) -> Event {
        told(
            begin,
            end,
            after,
            id,
            Told::Committed(Version::new(id.to_string())),
        )
    }

    fn told(begin: u64, end: u64, after: Id, id: Id, told: Told) -> Event {
        Event {
            begin,
            end,
            what: What::Write { id, after, told },
        }
    }

    fn check(events: &[Event], last: Id) {
        History {
            clock: Clock::default(),
            events: Mutex::new(events.to_vec()),
        }
        .check(last);
    }

    #[test]
    fn an_overlapping_read_may_see_either_side() {
        for saw in [1, 2] {
            check(&[write(0, 1, 0, 1), write(2, 5, 1, 2), read(3, 4, saw)], 2);
        }
    }

    #[test]
    #[should_panic(expected = "time went backwards")]
    fn a_read_older_than_an_acknowledged_write_is_found() {
        check(&[write(0, 1, 0, 1), write(2, 3, 1, 2), read(4, 5, 1)], 2);
    }

    #[test]
    #[should_panic(expected = "time went backwards")]
    fn two_reads_in_the_wrong_order_are_found() {
        check(
            &[
                write(0, 1, 0, 1),
                write(2, 9, 1, 2),
                read(3, 4, 2),
                read(5, 6, 1),
            ],
            2,
        );
    }

    #[test]
    #[should_panic(expected = "a committed write was lost")]
    fn two_writes_on_one_version_are_found() {
        check(
            &[write(0, 1, 0, 1), write(2, 5, 1, 2), write(3, 4, 1, 3)],
            3,
        );
    }

    #[test]
    #[should_panic(expected = "told as conflict")]
    fn a_conflict_that_happened_is_found() {
        check(&[write(0, 1, 0, 1), told(2, 3, 1, 2, Told::Conflict)], 2);
    }

    #[test]
    #[should_panic(expected = "without a reason")]
    fn a_conflict_with_nobody_is_found() {
        check(&[write(0, 1, 0, 1), told(2, 3, 1, 2, Told::Conflict)], 1);
    }

    #[test]
    fn an_unknown_write_may_happen_at_any_later_time_or_never() {
        let unknown = told(2, 3, 1, 2, Told::Unknown);
        check(
            &[
                write(0, 1, 0, 1),
                unknown.clone(),
                read(4, 5, 1),
                read(6, 7, 2),
            ],
            2,
        );
        check(
            &[write(0, 1, 0, 1), unknown, read(4, 5, 1), write(6, 7, 1, 3)],
            3,
        );
    }

    #[test]
    #[should_panic(expected = "names two bodies")]
    fn a_version_that_came_twice_is_found() {
        let twice = |begin, after, id| {
            told(
                begin,
                begin + 1,
                after,
                id,
                Told::Committed(Version::new("same")),
            )
        };
        check(&[twice(0, 0, 1), twice(2, 1, 2)], 2);
    }
}
