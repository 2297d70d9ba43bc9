//! Breadth first through every reachable state, so that the first trace found is a shortest one.

use std::collections::HashSet;
use std::hash::{BuildHasherDefault, Hasher};

use super::fingerprint::fingerprint;
use super::properties::Promise;
use super::state::ModelState;
use super::step::{Protocol, Step};
use super::trace;
use super::{Bounds, Mutation, Outcome, Violation};

/// Goes through every state within `bounds` and looks at all promises.
///
/// Takes about 35 bytes of memory for each state it has met and some 700 for each it has yet to go
/// on from.
///
/// # Panics
///
/// When a bound is above what a state has room for: [`Bounds`] says how much that is.
pub fn explore(bounds: Bounds, mutation: Mutation) -> Outcome {
    explore_promises(bounds, mutation, &Promise::ALL)
}

/// The same, looking at some promises only: to see that each can be broken, not only the first in
/// line.
///
/// # Panics
///
/// As [`explore`].
pub fn explore_promises(bounds: Bounds, mutation: Mutation, promises: &[Promise]) -> Outcome {
    bounds.check();
    let protocol = Protocol { bounds, mutation };
    Search::new(protocol, promises).run()
}

struct Search<'a> {
    protocol: Protocol,
    promises: &'a [Promise],
    seen: HashSet<u64, BuildHasherDefault<Already>>,
    /// How each state was reached first: from which other, by which step.
    origins: Vec<(u32, Step)>,
}

/// Fingerprints are hashes already.
#[derive(Default)]
struct Already(u64);

impl Hasher for Already {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _: &[u8]) {
        unreachable!("only fingerprints are kept");
    }

    fn write_u64(&mut self, fingerprint: u64) {
        self.0 = fingerprint;
    }
}

impl<'a> Search<'a> {
    fn new(protocol: Protocol, promises: &'a [Promise]) -> Self {
        Self {
            protocol,
            promises,
            seen: HashSet::default(),
            origins: Vec::new(),
        }
    }

    fn run(mut self) -> Outcome {
        let bounds = self.protocol.bounds;
        let start = ModelState::start(&bounds);
        self.seen.insert(fingerprint(&start, &bounds));
        self.origins.push((0, Step::DeleteRoot)); // The start has no origin; its entry is never read.
        let mut layer = vec![(0, start)];
        let mut depth = 0;
        let mut steps = Vec::new();
        let mut events = Vec::new();
        while !layer.is_empty() {
            let mut next = Vec::new();
            for (from, state) in layer {
                steps.clear();
                self.protocol.steps(&state, &mut steps);
                for step in &steps {
                    events.clear();
                    let after = self.protocol.take(&state, *step, &mut events);
                    let mut promises = self.promises.iter();
                    if let Some(promise) =
                        promises.find(|promise| !promise.kept(&bounds, &events, &after))
                    {
                        return Outcome::Broken(self.violation(*promise, from, *step));
                    }
                    if !self.seen.insert(fingerprint(&after, &bounds)) {
                        continue;
                    }
                    let number = self.origins.len() as u32;
                    self.origins.push((from, *step));
                    next.push((number, after));
                }
                if self.origins.len() as u64 >= bounds.states {
                    return Outcome::Stopped {
                        states: self.origins.len() as u64,
                        depth,
                    };
                }
            }
            layer = next;
            depth += 1;
        }
        Outcome::Holds {
            states: self.origins.len() as u64,
            depth: depth - 1,
        }
    }

    fn violation(&self, promise: Promise, from: u32, last: Step) -> Violation {
        let mut steps = vec![last];
        let mut at = from;
        while at != 0 {
            let (from, step) = self.origins[at as usize];
            steps.push(step);
            at = from;
        }
        steps.reverse();
        Violation {
            promise,
            states: self.origins.len() as u64,
            trace: trace::lines(&self.protocol, &steps),
        }
    }
}
