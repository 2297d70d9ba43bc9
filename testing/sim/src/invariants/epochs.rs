//! An epoch is led once, and never after a higher one.
//!
//! A term is led from the moment its seal is on the floor. The store has one order of those
//! moments; the grants themselves may be heard of in another order.

use std::collections::BTreeMap;

use incumbent_core::{Epoch, Seal};

use crate::clock::Instant;
use crate::faults::Plan;
use crate::history::{Body, Fact, Item};
use crate::oracle::Invariant;

pub(super) struct Epochs {
    /// Nobody is let in early, so the grants come in the order of the epochs too.
    orderly: bool,
    /// The last seal on the floor.
    floor: Option<Seal>,
    led: BTreeMap<Epoch, Seal>,
}

impl Epochs {
    pub(super) fn new(plan: &Plan) -> Self {
        Self {
            orderly: plan.is_orderly(),
            floor: None,
            led: BTreeMap::new(),
        }
    }
}

impl Invariant for Epochs {
    fn promise(&self) -> &'static str {
        "an epoch is led once, and never after a higher one"
    }

    fn see(&mut self, _: Instant, fact: &Fact) -> Result<(), String> {
        match fact {
            Fact::Written {
                item: Item::Floor,
                body: Body::Record { seal, .. },
                ..
            } => {
                if let Some(last) = self.floor.replace(*seal)
                    && last.outranks(*seal)
                {
                    return Err(format!("{seal:?} on the floor after {last:?}"));
                }
            }
            Fact::Granted { seal, .. } => {
                if let Some(other) = self.led.insert(seal.epoch, *seal) {
                    return Err(format!("{seal:?} is led, and was as {other:?}"));
                }
                if let Some((later, _)) = self.led.range(seal.epoch.next()..).next()
                    && self.orderly
                {
                    return Err(format!("{seal:?} is granted after epoch {later}"));
                }
            }
            _ => {}
        }
        Ok(())
    }
}
