//! All that can happen to small jobs, tried: the gate, the marks and the ending as they are, with
//! ranks, messages, frontiers that are learnt late and a leader around them.
//!
//! In every state that can be reached: a checkpoint that is whole has each record that was read
//! before it in each state once, and no other; nothing comes late; last files are never mixed with
//! others. And wherever nothing more can happen, all ranks have finished and no checkpoint waits.

mod world;

use std::collections::HashSet;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};

use self::world::{Action, World};
use crate::Timestamp;

/// More states than any of the shapes here has: a shape that grew is noticed.
const MOST_STATES: usize = 1_000_000;

/// What is tried.
#[derive(Clone)]
struct Shape {
    ranks: usize,
    sources: Vec<Source>,
    /// The first operator puts out with the watermark, and not at once.
    has_windows: bool,
    triggers: usize,
    aborts: usize,
    /// How many records of a source may be on their way.
    window: Option<usize>,
    /// Orders of what nothing depends on are tried too.
    is_complete: bool,
    mutation: Mutation,
}

#[derive(Clone)]
struct Source {
    rank: usize,
    /// The operator that it feeds: a source of the second makes it one with two inputs.
    to: usize,
    records: Vec<u8>,
}

/// A mistake that must be noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mutation {
    None,
    AppliesLaterRoundsAtOnce,
    SnapshotsAfterWhatWasKept,
    IgnoresAnInput,
    HoldsNothing,
    FiresAtTheLastMark,
    MovesAfterTheNextRecord,
    DropsItsSourceAtOnce,
    ClosesWithoutAsking,
    ClosesBeforeAllKnow,
    EntersAfterItHasClosed,
    AcknowledgesAboveTheLeast,
    FinishesBeforeItAcknowledges,
}

impl Shape {
    /// The rank that has the key of a record, of operators of this kind.
    fn owner(&self, kind: usize, id: u8) -> usize {
        (usize::from(id) >> kind) % self.ranks
    }

    fn tried(&self, world: &World) -> Vec<Action> {
        let actions = world.actions(self);
        let first = world.first(self, &actions).filter(|_| !self.is_complete);
        first.map_or(actions, |first| vec![first])
    }

    /// The event time of a record: its place in its source.
    fn happened(&self, id: u8) -> Timestamp {
        if !self.has_windows {
            return Timestamp::MAX;
        }
        let places = self.sources.iter().map(|source| &source.records);
        let place = |records: &Vec<u8>| records.iter().position(|other| *other == id);
        let place = places.filter_map(place).next();
        Timestamp(i64::try_from(place.unwrap_or_default()).unwrap())
    }
}

/// Tries everything. Returns how many states there are, or the way to what is broken.
fn explore(shape: &Shape) -> Result<usize, String> {
    let hasher = BuildHasherDefault::<DefaultHasher>::default();
    let mut seen = HashSet::new();
    let mut way: Vec<Action> = Vec::new();
    let start = World::new(shape);
    let mut stack = vec![(shape.tried(&start), start)];
    while let Some((actions, world)) = stack.last_mut() {
        let Some(action) = actions.pop() else {
            stack.pop();
            way.pop();
            continue;
        };
        let mut next = world.clone();
        way.push(action);
        let broken = |why: String| format!("{why}, after {way:?}");
        next.act(shape, action).map_err(broken)?;
        if !seen.insert(hasher.hash_one(&next)) {
            way.pop();
            continue;
        }
        assert!(seen.len() < MOST_STATES, "the shape is too large");
        let actions = shape.tried(&next);
        if actions.is_empty() {
            let broken = |why: String| format!("{why}, after {way:?}");
            next.check_end(shape).map_err(broken)?;
        }
        stack.push((actions, next));
    }
    Ok(seen.len())
}

mod shapes;
