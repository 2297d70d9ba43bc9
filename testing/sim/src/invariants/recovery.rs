//! When faults end, a leader is active and commits on every record within a stated bound, and it
//! stays.

use std::collections::{BTreeMap, BTreeSet};

use incumbent_core::{Epoch, Nonce};

use crate::clock::Instant;
use crate::faults::Plan;
use crate::history::{Body, Deed, Fact, Item, Op, Outcome, Phase, Process, Stage};
use crate::oracle::Invariant;

pub(super) struct Recovery {
    phase: Phase,
    /// The term in the root, if it is active.
    active: Option<(Epoch, Nonce)>,
    /// The leader that each living process was told last, if it is active.
    views: BTreeMap<Process, Option<(Epoch, Nonce)>>,
    /// Commits under way since the faults ended.
    commits: BTreeMap<Op, u8>,
    committed: BTreeSet<u8>,
    /// Records that were there when the faults ended.
    there: BTreeSet<u8>,
}

impl Recovery {
    pub(super) fn new(plan: &Plan) -> Self {
        Self {
            phase: Phase::Chaos,
            active: None,
            views: BTreeMap::new(),
            commits: BTreeMap::new(),
            committed: BTreeSet::new(),
            there: (0..plan.records).collect(),
        }
    }
}

impl Invariant for Recovery {
    fn promise(&self) -> &'static str {
        "when faults end, a leader is active and commits on every record within the bound, stays, and everybody sees it"
    }

    fn see(&mut self, _: Instant, fact: &Fact) -> Result<(), String> {
        match fact {
            Fact::Phase(phase) => {
                self.phase = *phase;
                let missing: Vec<_> = self.there.difference(&self.committed).collect();
                if *phase == Phase::Settled && self.active.is_none() {
                    return Err("no leader is active".into());
                }
                let blind = self.views.iter().find(|(_, seen)| **seen != self.active);
                if let (Phase::Over, Some((process, seen))) = (phase, blind) {
                    return Err(format!(
                        "{process} is told of {:?}, not {:?}",
                        seen, self.active
                    ));
                }
                if *phase == Phase::Settled && !missing.is_empty() {
                    return Err(format!("nothing was committed on records {missing:?}"));
                }
            }
            Fact::Written {
                item: Item::Root,
                body: Body::Root { seal, state, .. },
                ..
            } => self.active = (*state == Stage::Active).then_some((seal.epoch, seal.nonce)),
            Fact::Written {
                item: Item::Record(record),
                ..
            } if self.phase == Phase::Chaos => _ = self.there.insert(*record),
            Fact::Started { process, .. } => _ = self.views.insert(*process, None),
            Fact::Killed { process } => _ = self.views.remove(process),
            Fact::Viewed { process, leader } => {
                let active = leader.filter(|(stage, ..)| *stage == Stage::Active);
                let active = active.map(|(_, epoch, nonce)| (epoch, nonce));
                self.views.insert(*process, active);
            }
            Fact::Began {
                op,
                record,
                deed: Deed::Commit { .. },
                ..
            } if self.phase == Phase::Healed => _ = self.commits.insert(*op, *record),
            Fact::Ended {
                op,
                outcome: Outcome::Committed,
            } => self.committed.extend(self.commits.remove(op)),
            Fact::Granted { .. } | Fact::Lost { .. }
                if !matches!(self.phase, Phase::Chaos | Phase::Healed) =>
            {
                return Err(format!("{fact:?} although nothing went wrong"));
            }
            _ => {}
        }
        Ok(())
    }
}
