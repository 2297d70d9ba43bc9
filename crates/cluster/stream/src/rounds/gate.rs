//! [`Gate`]: what an operator with state may apply now, and when its state is a snapshot.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::{Marks, Time};
use crate::Timestamp;

/// The rule of rounds for one operator. `B` is a batch of records of one time.
///
/// Give it what arrives ([`batch`](Self::batch), [`marks`](Self::marks)), then the frontier, then
/// take steps until there is none.
#[derive(Clone, Debug, Hash)]
pub(crate) struct Gate<B> {
    /// The present round. All records of earlier ones have been applied.
    round: u64,
    frontier: Option<Time>,
    kept: BTreeMap<u64, VecDeque<B>>,
    /// Kept batches of the present round.
    due: VecDeque<B>,
    asked: BTreeSet<u64>,
    marks: Marks,
}

/// What to do next, completely, before the next step is taken.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step<B> {
    /// The watermark has risen; what follows from it has this time.
    Watermark(Time, Timestamp),
    /// The state is now that of this checkpoint.
    Snapshot(u64),
    /// These records may be applied.
    Apply(B),
}

impl<B> Gate<B> {
    /// Of an operator that has restored round `round`, or begins with 0.
    pub(crate) fn new(round: u64, marks: Marks) -> Self {
        Self {
            round,
            frontier: Some(Time::begin(round)),
            kept: BTreeMap::new(),
            due: VecDeque::new(),
            asked: BTreeSet::new(),
            marks,
        }
    }

    /// Whether a batch of this time would be given back.
    pub(crate) fn would_apply(&self, time: Time) -> bool {
        time.round() <= self.round && self.due.is_empty()
    }

    /// A batch of this time: it is given back if it may be applied now, and kept if not.
    pub(crate) fn batch(&mut self, time: Time, batch: B) -> Option<B> {
        if self.would_apply(time) {
            return Some(batch);
        }
        let round = time.round();
        match round <= self.round {
            true => self.due.push_back(batch),
            false => self.kept.entry(round).or_default().push_back(batch),
        }
        None
    }

    /// What sources have said of event time.
    pub(crate) fn marks(&mut self) -> &mut Marks {
        &mut self.marks
    }

    /// This rank was asked for a checkpoint. It is said before any source of this rank moves.
    pub(crate) fn asked(&mut self, number: u64) {
        self.asked.insert(number);
    }

    /// The checkpoint will not be.
    pub(crate) fn aborted(&mut self, number: u64) {
        self.asked.remove(&number);
    }

    /// The least time that can still arrive; `None` at the end of the input.
    pub(crate) fn frontier(&mut self, frontier: Option<Time>) {
        self.frontier = frontier;
    }

    /// The present round.
    pub(crate) fn round(&self) -> u64 {
        self.round
    }

    /// Whether records of later rounds wait.
    #[cfg(test)]
    pub(crate) fn is_keeping(&self) -> bool {
        !self.kept.is_empty() || !self.due.is_empty()
    }

    /// The next step, if there is one.
    pub(crate) fn next(&mut self) -> Option<Step<B>> {
        loop {
            if let Some(batch) = self.due.pop_front() {
                return Some(Step::Apply(batch));
            }
            // What was said in this round, as far as the frontier has passed it.
            let end = Time::begin(self.round + 1);
            let until = self.frontier.map_or(end, |frontier| frontier.min(end));
            if let Some((time, watermark)) = self.marks.apply(Some(until)) {
                return Some(Step::Watermark(time, watermark));
            }
            self.round = self.next_round()?;
            self.due = self.kept.remove(&self.round).unwrap_or_default();
            if self.asked.remove(&self.round) {
                return Some(Step::Snapshot(self.round));
            }
        }
    }

    /// The next round in which there is something to do, if the frontier has entered it.
    fn next_round(&self) -> Option<u64> {
        let asked = self.asked.range(self.round + 1..).next().copied();
        let kept = self.kept.keys().next().copied();
        let marked = self.marks.next().map(Time::round);
        let entered = self.frontier.map(Time::round);
        let next = [asked, kept, marked, entered].into_iter().flatten().min();
        next.filter(|next| *next > self.round && entered.is_none_or(|entered| *next <= entered))
    }
}
