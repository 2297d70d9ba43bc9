//! [`Ending`]: how all ranks agree that the input has ended.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

/// What a rank says to all, itself included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Saying {
    /// All sources of this rank have ended.
    Exhausted { rank: u32 },
    /// This rank enters no round above this number any more.
    Closing { rank: u32, number: u64 },
}

/// The agreement, as one rank sees it.
#[derive(Clone, Debug)]
pub(crate) struct Ending {
    rank: u32,
    tasks: u32,
    round: u64,
    exhausted: BTreeSet<u32>,
    closing: BTreeMap<u32, u64>,
    has_said_exhausted: bool,
    has_said_closing: bool,
}

impl Ending {
    /// Nothing has ended yet.
    pub(crate) fn new(rank: u32, tasks: u32, round: u64) -> Self {
        Self {
            rank,
            tasks,
            round,
            exhausted: BTreeSet::new(),
            closing: BTreeMap::new(),
            has_said_exhausted: false,
            has_said_closing: false,
        }
    }

    /// This rank is asked for a checkpoint. Whether its sources may move there: if not, the last
    /// files stand for it.
    pub(crate) fn may_enter(&mut self, number: u64) -> bool {
        let may = !self.has_said_closing && number > self.round;
        if may {
            self.round = number;
        }
        may
    }

    /// All sources of this rank have ended. What to say, once.
    pub(crate) fn exhausted(&mut self) -> Option<Saying> {
        let is_first = !std::mem::replace(&mut self.has_said_exhausted, true);
        is_first.then_some(Saying::Exhausted { rank: self.rank })
    }

    /// A rank has said this. What to say now, if anything.
    pub(crate) fn heard(&mut self, saying: Saying) -> Option<Saying> {
        match saying {
            Saying::Exhausted { rank } => {
                self.exhausted.insert(rank);
            }
            Saying::Closing { rank, number } => {
                self.closing.insert(rank, number);
            }
        }
        let all = self.tasks as usize;
        if self.exhausted.len() < all || self.has_said_closing {
            return None;
        }
        self.has_said_closing = true;
        Some(Saying::Closing {
            rank: self.rank,
            number: self.round,
        })
    }

    /// When all have said what they close with: the highest checkpoint that can still be made.
    /// Snapshots above it are given up, and sources are done.
    pub(crate) fn closed(&self) -> Option<u64> {
        let all = self.tasks as usize;
        match self.closing.len() == all {
            true => self.closing.values().min().copied(),
            false => None,
        }
    }
}
