//! An exhaustive model of the safety rule: *a write of an old leader never lands after a new leader
//! has read.*
//!
//! [`explore`] goes through every state that two or three leaders can reach within [`Bounds`] and
//! looks whether each [`Promise`] is kept. There are no clocks: anyone may campaign at any time, so
//! nothing here depends on a lease. With a [`Mutation`], one rule is left out, and the shortest
//! trace to a broken promise is found. So every rule is seen to be needed, and every promise is
//! seen to be looked at.
//!
//! # The rules
//!
//! 1. A record is written only by compare-and-swap: create if absent, or replace if still at this
//!    version.
//! 2. One compare-and-swap of the *root* wins a term. Its epoch is one above the highest seen
//!    anywhere; its nonce is new.
//! 3. A leader *seals* a record before it reads it: it swaps the same body back under its own seal,
//!    the epoch and nonce of its term. What the successful swap was made on is the state. An absent
//!    record is created vacant.
//! 4. A leader writes a record only from a version it sealed or wrote itself. If it finds a seal
//!    that outranks its own, it is fenced and stops.
//! 5. Deleting writes a tombstone that keeps the seal; or it *erases* the record at a version, and
//!    leaves nothing. An older leader could then create the record again. So a leader that opens a
//!    vacant record looks at the floor afterwards, and the record is open only if the floor still
//!    bears its own seal. If the root is absent, a candidate reads the seals of all records before
//!    it creates the root. A candidate that has won the root seals the *floor*, a separate record,
//!    before it counts as leading: so no epoch is led twice, even if the root was lost. A leader
//!    that finds its own root by reading, and not by an answer, seals the floor again before it
//!    counts as leading on: another may have led before that root was put back.
//! 6. An answer may be lost. Then the very same swap is sent again. If it is refused, the record is
//!    read: bearing this very attempt, it landed. Otherwise nobody can tell any more, since it may
//!    have landed and been written over, and the outcome stays unknown until the record is opened,
//!    and so sealed, again. Only a swap that was refused at once, with no answer lost before, is
//!    known not to have landed.
//! 7. A process that does not lead may *create* a record, if it is absent. It replaces nothing, not
//!    even a tombstone. The record keeps the number of its creation through seals, commits and
//!    deletions, so that the creator recognizes its own after a lost answer. Until a leader has
//!    written the record it may be younger than an erasure, so a leader that opens it looks at the
//!    floor, as for a vacant one.
//!
//! # What may go wrong
//!
//! Requests travel for as long as they like and arrive in any order. An answer may be lost, whether
//! or not the request has landed or lands later. Leaders stop without warning, campaign again, and
//! may have forgotten what they saw. The root may be deleted by hand, and its versions may then
//! start again; or the root of the term before is put back, under a new version. Not modelled: a
//! floor deleted by hand together with the root, records changed by hand, and reads that are not
//! linearizable. Where records are erased *and* a creator repeats a request that was not answered,
//! an erased record may come back: that promise is not made.
//!
//! # Reading a trace
//!
//! ```text
//! B hears about its write 2/B1#2{} to record 1; record 1 = 2/B1#2{}
//! ```
//!
//! `A`, `B` and `C` are leaders, `B1` is the nonce of B's first term, `2/B1` the seal of that term
//! at epoch 2, `#2` the sequence number of an attempt, and `{c0 c3}` the commits a body holds; `{}`
//! is vacant. `X` and `Y` create without leading, and `+X` stands on a body that X created. After
//! the semicolon stands what the step changed.
//!
//! Start reading in `step/`, which is the protocol; `state.rs` is what it works on and
//! `properties.rs` the promises.

mod creator;
mod fingerprint;
mod mutation;
mod properties;
mod search;
mod state;
mod step;
mod trace;

use std::fmt;

pub use creator::MAX_CREATORS;
pub use mutation::Mutation;
pub use properties::Promise;
pub use search::{explore, explore_promises};
pub use state::{MAX_EPOCHS, MAX_HANDLES, MAX_LEADERS, MAX_RECORDS, MAX_TERMS};

/// How far to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Processes that campaign: 1 to [`MAX_LEADERS`].
    pub leaders: u8,
    /// How often each of them campaigns: 1 to [`MAX_TERMS`].
    pub terms: u8,
    /// Records beside the floor: 1 to [`MAX_RECORDS`].
    pub records: u8,
    /// Handles of one leader on each record: as many as [`MAX_HANDLES`] on all records. With more
    /// than one, a leader gets in its own way.
    pub handles_per_record: u8,
    /// How often each leader commits, in all its terms. All commits and deletions of all leaders
    /// and all creators are at most 16.
    pub commits: u8,
    /// How often each leader deletes.
    pub deletes: u8,
    /// Processes that create the first record without leading: up to [`MAX_CREATORS`].
    pub creators: u8,
    /// Whether deleting erases, and leaves no tombstone.
    pub erases: bool,
    /// How many answers are lost altogether.
    pub lost_answers: u8,
    /// How often the root is deleted by hand.
    pub root_deletions: u8,
    /// How often the root of the term before is put back by hand.
    pub root_restores: u8,
    /// How often the root is renewed altogether.
    pub renewals: u8,
    /// Whether the versions of a deleted and recreated root start again, as they do in ZooKeeper.
    pub versions_restart: bool,
    /// After how many states to stop.
    pub states: u64,
}

/// What an exploration found.
#[derive(Clone, Debug)]
#[must_use]
pub enum Outcome {
    /// Every state was visited, and every promise is kept in each.
    Holds {
        /// How many states there are.
        states: u64,
        /// How many steps lead to the last of them.
        depth: u32,
    },
    /// No promise was broken in the states visited; there are more.
    Stopped {
        /// How many states were visited.
        states: u64,
        /// Up to this many steps everything was visited.
        depth: u32,
    },
    /// A promise is broken.
    Broken(Violation),
}

/// A broken promise, and the shortest way to it.
#[derive(Clone, Debug)]
pub struct Violation {
    /// What does not hold.
    pub promise: Promise,
    /// How many states were visited before it was found.
    pub states: u64,
    /// One line for each step.
    pub trace: Vec<String>,
}

impl Default for Bounds {
    /// Two leaders that write one record once each, with two terms and one lost answer.
    fn default() -> Self {
        Self {
            leaders: 2,
            terms: 2,
            records: 1,
            handles_per_record: 1,
            commits: 1,
            deletes: 0,
            creators: 0,
            erases: false,
            lost_answers: 1,
            root_deletions: 0,
            root_restores: 0,
            renewals: 0,
            versions_restart: false,
            states: 100_000_000,
        }
    }
}

impl Bounds {
    /// Handles of one leader on ordinary records.
    fn handles(&self) -> u8 {
        self.records * self.handles_per_record
    }

    /// The number of the floor among the records.
    fn floor(&self) -> u8 {
        self.records
    }

    fn record_of(&self, handle: u8) -> u8 {
        if handle == step::FLOOR {
            return self.floor();
        }
        handle % self.records
    }

    fn check(&self) {
        assert!((1..=MAX_LEADERS).contains(&self.leaders.into()), "leaders");
        assert!((1..=MAX_TERMS).contains(&self.terms), "terms");
        assert!((1..=MAX_RECORDS).contains(&self.records.into()), "records");
        assert!(
            (1..=MAX_HANDLES).contains(&self.handles().into()),
            "handles"
        );
        assert!(
            self.leaders * (self.commits + self.deletes) + self.creators <= 16,
            "commits and deletions"
        );
        assert!(
            (0..=MAX_CREATORS).contains(&self.creators.into()),
            "creators"
        );
        assert!(
            self.states <= u64::from(u32::MAX),
            "more states than have a number"
        );
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Holds { states, depth } => {
                write!(f, "holds in all {states} states, up to {depth} steps away")
            }
            Self::Stopped { states, depth } => {
                write!(
                    f,
                    "holds in {states} states, all within {depth} steps; there are more"
                )
            }
            Self::Broken(violation) => violation.fmt(f),
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            promise,
            states,
            trace,
        } = self;
        let steps = trace.len();
        write!(f, "broken after {steps} steps, {states} states: {promise}")?;
        for (number, line) in trace.iter().enumerate() {
            write!(f, "\n{:4}. {line}", number + 1)?;
        }
        Ok(())
    }
}
