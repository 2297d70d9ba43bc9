//! [`Marks`]: the watermark of an operator, from what sources say.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Time;
use crate::Timestamp;

/// What one rank of a source says of its event time, from a tick on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Mark {
    /// Nothing earlier will come. [`Timestamp::MAX`] at its end.
    At(Timestamp),
    /// It has nothing now, and holds nobody up.
    Idle,
}

/// The least of what all ranks of all sources above an operator have said.
#[derive(Clone, Debug)]
pub(crate) struct Marks {
    /// How many ranks of sources there are to hear of.
    expected: usize,
    heard: BTreeMap<(u32, u32), Mark>,
    waiting: BTreeMap<Time, Vec<((u32, u32), Mark)>>,
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

    /// Applies what was said before `until` (`None`: all of it). Returns the last time at which
    /// something was said, and the watermark if it has risen.
    pub(crate) fn apply(&mut self, until: Option<Time>) -> Option<(Time, Timestamp)> {
        let mut last = None;
        while let Some(entry) = self.waiting.first_entry() {
            if until.is_some_and(|until| *entry.key() >= until) {
                break;
            }
            last = Some(*entry.key());
            self.heard.extend(entry.remove());
        }
        let watermark = self.least()?;
        if watermark <= self.watermark {
            return None;
        }
        self.watermark = watermark;
        last.map(|last| (last, watermark))
    }

    /// `None` as long as some have said nothing, or all are idle.
    fn least(&self) -> Option<Timestamp> {
        if self.heard.len() < self.expected {
            return None;
        }
        let told = self.heard.values().filter_map(|mark| match mark {
            Mark::At(time) => Some(*time),
            Mark::Idle => None,
        });
        told.min()
    }
}
