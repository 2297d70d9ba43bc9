//! A write of an old leader never lands after a new leader has read.
//!
//! Where a record was erased, an old leader may leave a vacant one, or seal that again, or seal
//! what somebody created there who does not lead. No reader sees a difference. And a creation needs
//! no seal where nothing is.

use std::collections::{BTreeMap, BTreeSet};

use incumbent_core::Seal;

use crate::clock::Instant;
use crate::history::{Body, Deed, Fact, Item, Op, Outcome};
use crate::oracle::Invariant;

#[derive(Default)]
pub(super) struct Fence {
    /// The seal that outranks all others that were ever on an item, or whose leader has opened it.
    highest: BTreeMap<Item, Seal>,
    opening: BTreeMap<Op, (Item, Seal)>,
    /// Records that were erased once, and that no leader has written since.
    vacant: BTreeSet<Item>,
    /// What there is.
    present: BTreeSet<Item>,
}

impl Fence {
    fn raise(&mut self, item: Item, seal: Seal) {
        let highest = self.highest.entry(item).or_insert(seal);
        if seal.epoch > highest.epoch {
            *highest = seal;
        }
    }
}

impl Invariant for Fence {
    fn promise(&self) -> &'static str {
        "a write of an old leader never lands after a new leader has sealed or read"
    }

    fn see(&mut self, _: Instant, fact: &Fact) -> Result<(), String> {
        let before = match fact {
            Fact::Written { item, .. } => !self.present.insert(*item),
            Fact::Removed { item, .. } => self.present.remove(item),
            _ => false,
        };
        match fact {
            Fact::Written { item, body, .. } if body.is_creation() && before => {
                return Err(format!("{item:?} was there and was created as {body:?}"));
            }
            Fact::Written { body, .. } if body.is_creation() => {}
            Fact::Written {
                item,
                body:
                    Body::Record { seal, value: 0, .. }
                    | Body::Record {
                        seal, unled: true, ..
                    },
                ..
            } if self.vacant.contains(item) => self.raise(*item, *seal),
            Fact::Written {
                item,
                body: Body::Record { seal, .. },
                ..
            }
            | Fact::Removed {
                item,
                write: Some(Body::Record { seal, .. }),
            } => {
                match fact {
                    Fact::Removed { .. } => _ = self.vacant.insert(*item),
                    _ => _ = self.vacant.remove(item),
                }
                if let Some(highest) = self.highest.get(item)
                    && highest.outranks(*seal)
                {
                    return Err(format!("{item:?} written as {seal:?} after {highest:?}"));
                }
                self.raise(*item, *seal);
            }
            Fact::Began {
                op,
                record,
                deed: Deed::Open { seal },
                ..
            } => _ = self.opening.insert(*op, (Item::Record(*record), *seal)),
            Fact::Ended { op, outcome } => {
                if let Some((item, seal)) = self.opening.remove(op)
                    && let Outcome::Saw(_) = outcome
                {
                    self.raise(item, seal);
                }
            }
            _ => {}
        }
        Ok(())
    }
}
