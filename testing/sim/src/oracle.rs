//! [`Oracle`]: sees every fact, asks every invariant, and says which promise was broken first.

use std::fmt;
use std::hash::{Hash, Hasher};

use crate::clock::Instant;
use crate::faults::Plan;
use crate::fingerprint::Fingerprint;
use crate::history::{Fact, Outcome};
use crate::invariants;

/// A promise that can be checked while things happen.
pub trait Invariant {
    /// What is promised.
    fn promise(&self) -> &'static str;

    /// Takes note of a fact.
    ///
    /// # Errors
    ///
    /// How it breaks the promise.
    fn see(&mut self, at: Instant, fact: &Fact) -> Result<(), String>;

    /// Nothing more happens.
    ///
    /// # Errors
    ///
    /// How the whole breaks the promise.
    fn end(&mut self) -> Result<(), String> {
        Ok(())
    }
}

/// A promise that was broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// When.
    pub at: Instant,
    /// What was promised.
    pub promise: &'static str,
    /// What happened instead.
    pub how: String,
}

/// Everything that is promised.
pub struct Oracle {
    invariants: Vec<Box<dyn Invariant>>,
    hash: Fingerprint,
    counts: Counts,
}

/// How much happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Facts.
    pub facts: u64,
    /// Terms that were granted.
    pub terms: u64,
    /// Commits that were acknowledged.
    pub commits: u64,
    /// Writes whose outcome was unknown.
    pub unknown: u64,
    /// Processes that were killed.
    pub kills: u64,
}

impl Oracle {
    /// An oracle for the promises of the plan's mode.
    pub fn new(plan: &Plan) -> Self {
        Self {
            invariants: invariants::all(plan),
            hash: Fingerprint::default(),
            counts: Counts::default(),
        }
    }

    /// Takes note of a fact.
    ///
    /// # Errors
    ///
    /// The promise that it breaks.
    pub fn see(&mut self, at: Instant, fact: &Fact) -> Result<(), Broken> {
        (at, fact).hash(&mut self.hash);
        self.counts.count(fact);
        for invariant in &mut self.invariants {
            let promise = invariant.promise();
            invariant
                .see(at, fact)
                .map_err(|how| Broken { at, promise, how })?;
        }
        Ok(())
    }

    /// Nothing more happens.
    ///
    /// # Errors
    ///
    /// A promise that is broken by the whole.
    pub fn end(&mut self, at: Instant) -> Result<(), Broken> {
        for invariant in &mut self.invariants {
            let promise = invariant.promise();
            invariant.end().map_err(|how| Broken { at, promise, how })?;
        }
        Ok(())
    }

    /// A number that differs if anything that happened does.
    pub fn fingerprint(&self) -> u64 {
        self.hash.finish()
    }

    /// How much happened.
    pub fn counts(&self) -> Counts {
        self.counts
    }
}

impl Counts {
    fn count(&mut self, fact: &Fact) {
        self.facts += 1;
        match fact {
            Fact::Granted { .. } => self.terms += 1,
            Fact::Killed { .. } => self.kills += 1,
            Fact::Ended { outcome, .. } => match outcome {
                Outcome::Committed => self.commits += 1,
                Outcome::Unknown => self.unknown += 1,
                Outcome::Saw(_) | Outcome::Refused => {}
            },
            _ => {}
        }
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, nanos) = (self.at / 1_000_000_000, self.at % 1_000_000_000);
        writeln!(f, "at {seconds}.{nanos:09}: promised: {}", self.promise)?;
        write!(f, "but: {}", self.how)
    }
}
