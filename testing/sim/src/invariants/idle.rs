//! A group that has nothing to do writes nothing but the renewals of its leader, no more often than
//! that needs.

use incumbent_core::{Seal, Timing};

use crate::clock::Instant;
use crate::faults::{DRIFT_PERMILLE, Plan, nanos};
use crate::history::{Body, Fact, Item, Phase, Stage};
use crate::oracle::Invariant;

pub(super) struct Idle {
    idle: bool,
    /// The shortest time between two renewals.
    shortest: u64,
    leader: Option<Seal>,
    last: Option<Instant>,
}

impl Idle {
    pub(super) fn new(plan: &Plan) -> Self {
        let retries = plan
            .nodes
            .iter()
            .map(|node| nanos(Timing::retry(&node.timing)));
        let drift = u64::from(DRIFT_PERMILLE);
        Self {
            idle: false,
            shortest: retries.min().unwrap_or(0) / (1000 + 2 * drift) * 1000,
            leader: None,
            last: None,
        }
    }
}

impl Invariant for Idle {
    fn promise(&self) -> &'static str {
        "an idle group writes nothing but the renewals of one leader"
    }

    fn see(&mut self, at: Instant, fact: &Fact) -> Result<(), String> {
        match fact {
            Fact::Phase(phase) => self.idle = *phase == Phase::Idle,
            Fact::Asked { item, body, .. } if self.idle => {
                let Body::Root {
                    seal,
                    state: Stage::Active,
                    ..
                } = body
                else {
                    return Err(format!("{item:?} is written as {body:?}"));
                };
                if *item != Item::Root || *self.leader.get_or_insert(*seal) != *seal {
                    return Err(format!("{item:?} is written as {body:?}"));
                }
                if let Some(last) = self.last.replace(at)
                    && at - last < self.shortest
                {
                    return Err(format!("renewed after {} ns", at - last));
                }
            }
            _ => {}
        }
        Ok(())
    }
}
