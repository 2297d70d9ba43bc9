//! A change of the root that was acknowledged is in it, and stays until the same leader changes it
//! again or gives up.

use std::collections::BTreeMap;

use incumbent_core::{Epoch, Seal};

use crate::clock::Instant;
use crate::history::{Body, Fact, Item, RootChange, Stage};
use crate::oracle::Invariant;

#[derive(Default)]
pub(super) struct Changes {
    terms: BTreeMap<Epoch, Term>,
    of_ticket: BTreeMap<u64, Epoch>,
}

/// What may be in the root of one term.
#[derive(Default)]
struct Term {
    seal: Option<Seal>,
    acknowledged: Services,
    /// Asked for after that, in this order; the root may be at any of them.
    pending: Vec<(u64, Services)>,
    written: Services,
    /// The number of the leader's last write. Others may put an older root there again.
    seq: u64,
}

/// What the root says about the leader's services.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Services {
    active: bool,
    endpoint: u64,
}

impl Services {
    fn after(self, ticket: u64, change: RootChange) -> Self {
        match change {
            RootChange::Activate => Self {
                active: true,
                ..self
            },
            RootChange::Publish => Self {
                endpoint: ticket,
                ..self
            },
            RootChange::Withdraw => Self {
                endpoint: 0,
                ..self
            },
        }
    }
}

impl Term {
    fn check(&self) -> Result<(), String> {
        let said = self.written;
        let possible = std::iter::once(self.acknowledged)
            .chain(self.pending.iter().map(|(_, said)| *said))
            .any(|possible| possible == said);
        if possible {
            Ok(())
        } else {
            Err(format!(
                "the root says {said:?} although {:?} was acknowledged",
                self.acknowledged
            ))
        }
    }
}

impl Invariant for Changes {
    fn promise(&self) -> &'static str {
        "a change of the root that was acknowledged stays in it"
    }

    fn see(&mut self, _: Instant, fact: &Fact) -> Result<(), String> {
        match fact {
            Fact::Changes {
                seal,
                ticket,
                change,
            } => {
                let term = self.terms.entry(seal.epoch).or_default();
                term.seal = Some(*seal);
                let last = term
                    .pending
                    .last()
                    .map_or(term.acknowledged, |(_, said)| *said);
                term.pending.push((*ticket, last.after(*ticket, *change)));
                self.of_ticket.insert(*ticket, seal.epoch);
                Ok(())
            }
            Fact::Changed { ticket } => {
                let epoch = self.of_ticket[ticket];
                let term = self.terms.get_mut(&epoch).expect("it was asked for");
                while let Some((first, said)) = term.pending.first().copied()
                    && first <= *ticket
                {
                    term.acknowledged = said;
                    term.pending.remove(0);
                }
                term.check()
            }
            Fact::Written {
                item: Item::Root,
                body:
                    Body::Root {
                        seal,
                        seq,
                        state,
                        endpoint,
                        ..
                    },
                by_hand: false,
                ..
            } if *state != Stage::Released => {
                let Some(term) = self.terms.get_mut(&seal.epoch) else {
                    return Ok(());
                };
                if term.seal != Some(*seal) || *seq <= term.seq {
                    return Ok(());
                }
                term.seq = *seq;
                term.written = Services {
                    active: *state == Stage::Active,
                    endpoint: *endpoint,
                };
                term.check()
            }
            _ => Ok(()),
        }
    }
}
