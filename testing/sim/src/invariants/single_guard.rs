//! At most one process has a right to act, while clocks and verdicts keep to what is allowed.
//!
//! A term whose root was taken away or replaced by hand is excepted: a process that does not know
//! of that term may claim the root that is there now, for example one that was released.

use std::collections::{BTreeMap, BTreeSet};

use incumbent_core::{Epoch, Seal};

use crate::clock::Instant;
use crate::history::{Body, Fact, Item, Process};
use crate::oracle::Invariant;

#[derive(Default)]
pub(super) struct SingleGuard {
    rights: BTreeMap<Process, (Seal, Instant)>,
    root: Option<Seal>,
    /// Epochs of terms whose root was changed by hand.
    uprooted: BTreeSet<Epoch>,
}

impl SingleGuard {
    fn uproot(&mut self) {
        self.uprooted.extend(self.root.map(|seal| seal.epoch));
    }
}

impl Invariant for SingleGuard {
    fn promise(&self) -> &'static str {
        "at most one process has a right to act"
    }

    fn see(&mut self, at: Instant, fact: &Fact) -> Result<(), String> {
        match fact {
            Fact::Written {
                item: Item::Root,
                body: Body::Root { seal, .. },
                by_hand,
                ..
            } => {
                if *by_hand {
                    self.uproot();
                }
                self.root = Some(*seal);
            }
            Fact::Removed {
                item: Item::Root, ..
            } => {
                self.uproot();
                self.root = None;
            }
            Fact::Killed { process }
            | Fact::Guard {
                process,
                right: None,
            } => _ = self.rights.remove(process),
            Fact::Guard {
                process,
                right: Some((seal, until)),
            } => {
                self.rights.insert(*process, (*seal, *until));
                let valid = |(seal, until): &(Seal, Instant)| {
                    *until > at && !self.uprooted.contains(&seal.epoch)
                };
                if !valid(&(*seal, *until)) {
                    return Ok(());
                }
                let others = self
                    .rights
                    .iter()
                    .find(|(p, right)| *p != process && valid(right));
                if let Some((other, (their, until))) = others {
                    return Err(format!(
                        "{process} has one as {seal:?} while {other} has one as {their:?} until {until}"
                    ));
                }
            }
            _ => {}
        }
        Ok(())
    }
}
