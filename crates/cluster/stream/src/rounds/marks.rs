//! [`Marks`]: the watermark of an operator, from what sources say.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Time;
use crate::Timestamp;

/// What one rank of a source says of its event time, from a tick on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) enum Mark {
    /// Nothing earlier will come. [`Timestamp::MAX`] at its end.
    At(Timestamp),
    /// It has nothing now, and holds nobody up.
    Idle,
}

/// A source, and its rank.
type Origin = (u32, u32);

/// The least of what all ranks of all sources above an operator have said.
#[derive(Clone, Debug, Hash)]
pub(crate) struct Marks {
    /// How many ranks of sources there are to hear of.
    expected: usize,
    heard: BTreeMap<Origin, Mark>,
    waiting: BTreeMap<Time, Vec<(Origin, Mark)>>,
    watermark: Timestamp,
}

impl Marks {
    /// For this many ranks of sources, from this watermark on.
    pub(crate) fn new(expected: usize, watermark: Timestamp) -> Self {
        Self {
            expected,
            heard: BTreeMap::new(),
            waiting: BTreeMap::new(),
            watermark,
        }
    }

    /// The watermark that has been applied.
    #[cfg(test)]
    pub(crate) fn watermark(&self) -> Timestamp {
        self.watermark
    }

    /// A rank of a source says this, from this time on.
    pub(crate) fn say(&mut self, time: Time, source: u32, rank: u32, mark: Mark) {
        let waiting = self.waiting.entry(time).or_default();
        waiting.push(((source, rank), mark));
    }

    /// When the next thing was said that is not applied yet.
    pub(crate) fn next(&self) -> Option<Time> {
        self.waiting.keys().next().copied()
    }

    /// Applies what was said before `until` (`None`: all of it). Returns the watermark if it has
    /// risen, and the first time at which something was said. What the watermark puts out must have
    /// that time: an operator further down may apply what was said then as soon as nothing of that
    /// time is on its way, and what has a later one would come too late for it.
    pub(crate) fn apply(&mut self, until: Option<Time>) -> Option<(Time, Timestamp)> {
        let mut first = None;
        let mut risen = None;
        while let Some(entry) = self.waiting.first_entry() {
            if until.is_some_and(|until| *entry.key() >= until) {
                break;
            }
            first = first.or(Some(*entry.key()));
            self.heard.extend(entry.remove());
            // After each time: what is idle may go on behind the others, and ranks that apply the
            // same times in other portions must come to the same watermark.
            risen = risen.max(self.least());
        }
        let watermark = risen?;
        if watermark <= self.watermark {
            return None;
        }
        self.watermark = watermark;
        first.map(|first| (first, watermark))
    }

    /// `None` as long as some have said nothing, or all are idle or have ended.
    fn least(&self) -> Option<Timestamp> {
        if self.heard.len() < self.expected {
            return None;
        }
        let told = self.heard.values().filter_map(|mark| match mark {
            Mark::At(time) => Some(*time),
            Mark::Idle => None,
        });
        let is_idle = |mark: &Mark| *mark == Mark::Idle;
        let least = told.min()?;
        // That all others have ended does not end what is idle: it may go on where it was.
        let has_ended = least == Timestamp::MAX;
        (!has_ended || !self.heard.values().any(is_idle)).then_some(least)
    }
}

#[cfg(test)]
mod tests {
    use super::{Mark, Marks, Time, Timestamp};

    #[test]
    fn the_watermark_does_not_depend_on_the_portions_in_which_times_are_applied() {
        let say = |marks: &mut Marks| {
            marks.say(tick(1), 0, 0, at(100));
            marks.say(tick(1), 0, 1, Mark::Idle);
            marks.say(tick(2), 0, 1, at(20));
        };
        let (mut whole, mut portions) = (two(), two());
        say(&mut whole);
        say(&mut portions);
        assert_eq!(before(&mut whole, 9), Some(100));
        assert_eq!(before(&mut portions, 2), Some(100));
        assert_eq!(before(&mut portions, 9), None);
        assert_eq!(whole.watermark(), portions.watermark());
    }

    const END: Mark = Mark::At(Timestamp::MAX);

    fn two() -> Marks {
        Marks::new(2, Timestamp::MIN)
    }

    fn at(millis: i64) -> Mark {
        Mark::At(Timestamp(millis))
    }

    fn tick(tick: u64) -> Time {
        Time(tick)
    }

    /// The watermark that has risen, before this tick.
    fn before(marks: &mut Marks, until: u64) -> Option<i64> {
        let (_, watermark) = marks.apply(Some(tick(until)))?;
        Some(watermark.0)
    }

    #[test]
    fn the_watermark_is_the_least_of_what_the_frontier_has_passed() {
        let mut two = two();
        two.say(tick(2), 0, 0, at(50));
        two.say(tick(1), 0, 0, at(10));
        two.say(tick(1), 0, 1, at(20));
        assert_eq!(before(&mut two, 1), None);
        assert_eq!(before(&mut two, 2), Some(10));
        assert_eq!(before(&mut two, 2), None);
        assert_eq!(before(&mut two, 3), Some(20));
    }

    #[test]
    fn who_has_said_nothing_holds_event_time() {
        let mut two = two();
        two.say(tick(1), 0, 0, at(10));
        assert_eq!(before(&mut two, 9), None);
    }

    #[test]
    fn who_is_idle_or_has_ended_holds_nobody_up() {
        let mut two = two();
        two.say(tick(0), 0, 0, at(10));
        two.say(tick(0), 1, 0, Mark::Idle);
        assert_eq!(before(&mut two, 1), Some(10));
        two.say(tick(1), 0, 0, END);
        assert_eq!(before(&mut two, 2), None, "the idle one may go on");
        two.say(tick(2), 1, 0, at(5));
        assert_eq!(before(&mut two, 3), None, "it never falls");
        two.say(tick(3), 1, 0, at(30));
        assert_eq!(before(&mut two, 4), Some(30));
        two.say(tick(4), 1, 0, END);
        assert_eq!(two.apply(None).unwrap().1, Timestamp::MAX);
    }

    #[test]
    fn what_several_marks_put_out_comes_before_the_first_of_them_further_down() {
        let mut two = two();
        for (at_tick, millis) in [(3, 10), (5, 20), (8, 30)] {
            two.say(tick(at_tick), 0, 0, at(millis));
            two.say(tick(at_tick), 1, 0, at(millis));
        }
        let all = two.apply(Some(tick(9)));
        assert_eq!(all, Some((tick(3), Timestamp(30))));
    }

    #[test]
    fn the_watermark_of_the_checkpoint_is_not_applied_again() {
        let mut one = Marks::new(1, Timestamp(100));
        one.say(tick(0), 0, 0, at(90));
        assert_eq!(before(&mut one, 1), None);
        one.say(tick(1), 0, 0, at(101));
        assert_eq!(before(&mut one, 2), Some(101));
    }
}
