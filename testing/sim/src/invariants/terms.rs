//! A process learns of the terms that it leads one after another: granted, lost, granted, and each
//! is granted with time left to act.

use std::collections::BTreeMap;

use incumbent_core::Seal;

use crate::clock::Instant;
use crate::history::{Fact, Process};
use crate::oracle::Invariant;

#[derive(Default)]
pub(super) struct Terms {
    leading: BTreeMap<Process, (Seal, Instant)>,
}

impl Invariant for Terms {
    fn promise(&self) -> &'static str {
        "a process loses exactly what it was granted, and is woken no more often than it has something to do"
    }

    fn see(&mut self, at: Instant, fact: &Fact) -> Result<(), String> {
        match fact {
            Fact::Granted { process, seal } => match self.leading.insert(*process, (*seal, at)) {
                Some((other, _)) => {
                    Err(format!("{process} leads {seal:?} while leading {other:?}"))
                }
                None => Ok(()),
            },
            Fact::Lost { process, seal } => match self.leading.remove(process) {
                Some((led, since)) if led == *seal && since < at => Ok(()),
                Some((led, _)) if led == *seal => {
                    Err(format!("{process} was granted {seal:?} when it was over"))
                }
                other => Err(format!("{process} lost {seal:?} but led {other:?}")),
            },
            Fact::Spins { process } => Err(format!("{process} spins")),
            _ => Ok(()),
        }
    }
}
