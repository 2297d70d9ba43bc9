//! A process learns of the terms that it leads one after another: granted, lost, granted, and each
//! is granted with time left to act.

use std::collections::BTreeMap;

use incumbent_core::Seal;

use crate::clock::Instant;
use crate::history::{Fact, Process};
use crate::oracle::Invariant;

#[derive(Default)]
pub(super) struct Terms {
    leading: BTreeMap<Process, Led>,
}

/// A term that a process leads.
struct Led {
    seal: Seal,
    since: Instant,
    /// Whether it came with a right to act that had time left. Such a term may be lost in the same
    /// moment: a process that was paused may read the answer that grants it, and then one that
    /// shows another root.
    had_time: bool,
}

impl Invariant for Terms {
    fn promise(&self) -> &'static str {
        "a process loses exactly what it was granted, and is woken no more often than it has something to do"
    }

    fn see(&mut self, at: Instant, fact: &Fact) -> Result<(), String> {
        match fact {
            Fact::Granted { process, seal } => {
                let led = Led {
                    seal: *seal,
                    since: at,
                    had_time: false,
                };
                match self.leading.insert(*process, led) {
                    Some(other) => {
                        let other = other.seal;
                        Err(format!("{process} leads {seal:?} while leading {other:?}"))
                    }
                    None => Ok(()),
                }
            }
            Fact::Guard {
                process,
                right: Some((seal, until)),
            } => {
                if let Some(led) = self.leading.get_mut(process)
                    && led.seal == *seal
                {
                    led.had_time |= *until > at;
                }
                Ok(())
            }
            Fact::Lost { process, seal } => match self.leading.remove(process) {
                Some(led) if led.seal != *seal => {
                    Err(format!("{process} lost {seal:?} but led {:?}", led.seal))
                }
                Some(led) if led.since < at || led.had_time => Ok(()),
                Some(_) => Err(format!("{process} was granted {seal:?} when it was over")),
                None => Err(format!("{process} lost {seal:?} but led nothing")),
            },
            Fact::Spins { process } => Err(format!("{process} spins")),
            _ => Ok(()),
        }
    }
}
