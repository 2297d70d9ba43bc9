//! [`Ending`]: how all ranks agree that the input has ended.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

/// What a rank says to all, itself included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) enum Saying {
    /// All sources of this rank have ended.
    Exhausted { rank: u32 },
    /// This rank enters no round above this number any more.
    Closing { rank: u32, number: u64 },
    /// This rank knows the least of those numbers, and has given up the snapshots above it.
    Closed { rank: u32 },
}

/// The agreement, as one rank sees it.
///
/// ```text
///  all sources of     all have         all have           all have
///  this rank ended    said it          said it            said it
///   ──► Exhausted  ──► Closing n    ──► Closed         ──► sources are done
///                      no later round   snapshots above
///                                       the least n are
///                                       given up
/// ```
///
/// Sources of a rank hold the frontier of all ranks. Were they done as soon as their own rank knows
/// the least number, the frontier could enter a later round elsewhere, and a rank that has not
/// heard it could acknowledge what the others have given up.
#[derive(Clone, Debug, Hash)]
pub(crate) struct Ending {
    rank: u32,
    tasks: u32,
    round: u64,
    exhausted: BTreeSet<u32>,
    closing: BTreeMap<u32, u64>,
    closed: BTreeSet<u32>,
    has_said: Option<Said>,
}

/// The last that this rank has said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Said {
    Exhausted,
    Closing,
    Closed,
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
            closed: BTreeSet::new(),
            has_said: None,
        }
    }

    /// This rank is asked for a checkpoint. Whether its sources may move there: if not, the last
    /// files stand for it.
    pub(crate) fn may_enter(&mut self, number: u64) -> bool {
        let may = self.has_said < Some(Said::Closing) && number > self.round;
        if may {
            self.round = number;
        }
        may
    }

    /// All sources of this rank have ended. What to say, once.
    pub(crate) fn exhausted(&mut self) -> Option<Saying> {
        let rank = self.rank;
        let is_first = self.has_said.is_none();
        is_first.then(|| self.say(Said::Exhausted, Saying::Exhausted { rank }))
    }

    /// A rank has said this. What to say now, if anything. Before others can hear that this rank
    /// has closed, it gives up what is above [`Ending::closed`].
    pub(crate) fn heard(&mut self, saying: Saying) -> Option<Saying> {
        match saying {
            Saying::Exhausted { rank } => {
                self.exhausted.insert(rank);
            }
            Saying::Closing { rank, number } => {
                self.closing.insert(rank, number);
            }
            Saying::Closed { rank } => {
                self.closed.insert(rank);
            }
        }
        let (rank, number) = (self.rank, self.round);
        match self.has_said {
            Some(Said::Exhausted) if self.is_all(self.exhausted.len()) => {
                Some(self.say(Said::Closing, Saying::Closing { rank, number }))
            }
            Some(Said::Closing) if self.is_all(self.closing.len()) => {
                Some(self.say(Said::Closed, Saying::Closed { rank }))
            }
            None | Some(_) => None,
        }
    }

    /// When all have said what they close with: the highest checkpoint that can still be made.
    /// Snapshots above it are given up.
    pub(crate) fn closed(&self) -> Option<u64> {
        let all = self.is_all(self.closing.len());
        all.then(|| self.closing.values().min().copied()).flatten()
    }

    /// When all have given them up: the sources of this rank are done.
    pub(crate) fn is_over(&self) -> bool {
        self.is_all(self.closed.len())
    }

    fn say(&mut self, said: Said, saying: Saying) -> Saying {
        self.has_said = Some(said);
        saying
    }

    fn is_all(&self, ranks: usize) -> bool {
        ranks == self.tasks as usize
    }
}

#[cfg(test)]
mod tests {
    use super::{Ending, Saying};

    const CLOSED: Saying = Saying::Closed { rank: 0 };

    fn exhausted(rank: u32) -> Saying {
        Saying::Exhausted { rank }
    }

    fn closing(rank: u32, number: u64) -> Saying {
        Saying::Closing { rank, number }
    }

    #[test]
    fn sources_are_done_when_all_have_given_up_what_one_has_not_seen() {
        let mut ending = Ending::new(0, 2, 3);
        assert!(ending.may_enter(5));
        assert_eq!(ending.exhausted(), Some(exhausted(0)));
        assert_eq!(ending.exhausted(), None);
        assert!(ending.may_enter(6), "others may still read");
        assert_eq!(ending.heard(exhausted(0)), None);
        assert_eq!(ending.heard(exhausted(1)), Some(closing(0, 6)));
        assert!(!ending.may_enter(7));
        assert_eq!(ending.heard(closing(1, 5)), None);
        assert_eq!(ending.closed(), None);
        assert_eq!(ending.heard(closing(0, 6)), Some(CLOSED));
        assert_eq!(ending.closed(), Some(5));
        assert_eq!(ending.heard(CLOSED), None);
        assert!(!ending.is_over());
        assert_eq!(ending.heard(Saying::Closed { rank: 1 }), None);
        assert!(ending.is_over());
    }

    #[test]
    fn another_may_be_ahead_by_a_saying() {
        let mut ending = Ending::new(0, 2, 0);
        ending.exhausted();
        assert_eq!(ending.heard(exhausted(1)), None);
        // The other has heard of both, this one not of itself.
        assert_eq!(ending.heard(closing(1, 4)), None);
        assert_eq!(ending.heard(exhausted(0)), Some(closing(0, 0)));
        assert_eq!(ending.heard(closing(0, 0)), Some(CLOSED));
        assert_eq!(ending.closed(), Some(0));
    }

    #[test]
    fn a_rank_that_is_alone_agrees_with_itself() {
        let mut ending = Ending::new(0, 1, 2);
        ending.exhausted();
        assert_eq!(ending.heard(exhausted(0)), Some(closing(0, 2)));
        assert_eq!(ending.heard(closing(0, 2)), Some(CLOSED));
        assert_eq!(ending.closed(), Some(2));
        ending.heard(CLOSED);
        assert!(ending.is_over());
    }
}
