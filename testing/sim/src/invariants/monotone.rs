//! Observers never go back behind an active leader's epoch, and never see two active leaders of one
//! epoch.

use std::collections::BTreeMap;

use incumbent_core::{Epoch, Nonce};

use crate::clock::Instant;
use crate::history::{Fact, Process, Stage};
use crate::oracle::Invariant;

#[derive(Default)]
pub(super) struct Monotone {
    highest: BTreeMap<Process, Epoch>,
    active: BTreeMap<Epoch, Nonce>,
}

impl Invariant for Monotone {
    fn promise(&self) -> &'static str {
        "an observer never goes back in epoch behind an active leader, and an epoch has one active leader"
    }

    fn see(&mut self, _: Instant, fact: &Fact) -> Result<(), String> {
        let Fact::Viewed {
            process,
            leader: Some((stage, epoch, nonce)),
        } = fact
        else {
            return Ok(());
        };
        let highest = self.highest.entry(*process).or_default();
        if *epoch < *highest {
            return Err(format!(
                "{process} sees epoch {epoch} after {highest} was active"
            ));
        }
        if *stage == Stage::Active {
            *highest = *epoch;
            let known = self.active.entry(*epoch).or_insert(*nonce);
            if known != nonce {
                return Err(format!("epoch {epoch} is active as {known} and as {nonce}"));
            }
        }
        Ok(())
    }
}
