//! A process that neither claims a free root nor leads writes nothing.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use incumbent_core::{Nonce, Seal};

use crate::clock::Instant;
use crate::faults::DRIFT_PERMILLE;
use crate::fingerprint::Build;
use crate::history::{Body, Fact, Item, Process, Stage, process_of};
use crate::oracle::Invariant;

pub(super) struct Standby {
    /// Whether leases can be judged by true time.
    truthful: bool,
    /// Every root there was, by its version.
    roots: BTreeMap<u64, Known>,
    /// Every write of a root that there was.
    writes: HashSet<(Seal, u64), Build>,
    /// Every term there was.
    terms: Vec<Seal>,
    last: Option<Known>,
    told_dead: BTreeMap<Process, Vec<Nonce>>,
    leads: BTreeMap<Process, Seal>,
    has_lost: BTreeSet<(Process, u64)>,
}

#[derive(Clone, Copy)]
struct Known {
    seal: Seal,
    seq: u64,
    stage: Stage,
    lease: u64,
    /// Since when it has not been renewed.
    since: Instant,
    by_hand: bool,
}

impl Standby {
    pub(super) fn new(truthful: bool) -> Self {
        Self {
            truthful,
            roots: BTreeMap::new(),
            writes: HashSet::default(),
            terms: Vec::new(),
            last: None,
            told_dead: BTreeMap::new(),
            leads: BTreeMap::new(),
            has_lost: BTreeSet::new(),
        }
    }

    fn note_root(&mut self, at: Instant, version: u64, body: Body, by_hand: bool) {
        let Body::Root {
            seal,
            seq,
            state,
            lease,
            ..
        } = body
        else {
            return;
        };
        let renewed = self
            .last
            .is_none_or(|last| (last.seal, last.seq) != (seal, seq));
        // A root comes back only after another one was taken away. A standby that missed that sees
        // no change.
        let returned = renewed && !self.writes.insert((seal, seq));
        let known = Known {
            seal,
            seq,
            stage: state,
            lease,
            since: self.last.filter(|_| !renewed).map_or(at, |last| last.since),
            by_hand: by_hand || returned || self.last.is_some_and(|last| !renewed && last.by_hand),
        };
        self.last = Some(known);
        if self.terms.last() != Some(&seal) {
            self.terms.push(seal);
        }
        self.roots.insert(version, known);
    }

    /// Whether a process may claim the root that has this version.
    fn is_free(&self, at: Instant, process: Process, expected: Option<u64>) -> bool {
        let Some(root) = expected.and_then(|version| self.roots.get(&version)) else {
            return true;
        };
        let drift = u64::from(DRIFT_PERMILLE);
        let told_dead = self.told_dead.get(&process);
        root.by_hand
            || root.stage == Stage::Released
            || process_of(root.seal.nonce) == process
            || told_dead.is_some_and(|dead| dead.contains(&root.seal.nonce))
            || !self.truthful
            || at - root.since >= root.lease / (1000 + drift) * 1000
    }

    fn asked(
        &self,
        at: Instant,
        process: Process,
        item: Item,
        expected: Option<u64>,
        body: Body,
    ) -> Result<(), String> {
        let seal = body.seal();
        let holds = self.terms.iter().rev().any(|term| *term == seal);
        let lost = self.has_lost.contains(&(process, seal.epoch.get()));
        let may = match item {
            _ if process_of(seal.nonce) != process => false,
            Item::Record(_) if body.is_creation() => expected.is_none(),
            Item::Root if body.is_claim() => self.is_free(at, process, expected),
            Item::Root | Item::Floor => holds && !lost,
            Item::Record(_) => self.leads.get(&process) == Some(&seal),
        };
        if may {
            Ok(())
        } else {
            Err(format!("{process} writes {item:?} as {body:?}"))
        }
    }
}

impl Invariant for Standby {
    fn promise(&self) -> &'static str {
        "a process that neither claims a free root nor leads replaces nothing"
    }

    fn see(&mut self, at: Instant, fact: &Fact) -> Result<(), String> {
        match fact {
            Fact::Written {
                item: Item::Root,
                version,
                body,
                by_hand,
            } => self.note_root(at, *version, *body, *by_hand),
            Fact::Removed {
                item: Item::Root, ..
            } => {
                // A claim that is repeated may put the very same root there again.
                self.last.iter_mut().for_each(|root| root.by_hand = true);
            }
            Fact::ToldDead { process, nonce } => {
                self.told_dead.entry(*process).or_default().push(*nonce);
            }
            Fact::Granted { process, seal } => _ = self.leads.insert(*process, *seal),
            Fact::Lost { process, seal } => {
                self.leads.remove(process);
                self.has_lost.insert((*process, seal.epoch.get()));
            }
            Fact::Asked {
                process,
                item,
                expected,
                body,
            } => return self.asked(at, *process, *item, *expected, *body),
            _ => {}
        }
        Ok(())
    }
}
