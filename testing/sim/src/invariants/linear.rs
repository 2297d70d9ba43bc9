//! Every record behaves as one copy that does one thing at a time.

use std::collections::BTreeMap;

use crate::clock::Instant;
use crate::history::{Deed, Fact, Op, Outcome};
use crate::linearizable::{Did, Operation, Verdict, judge};
use crate::oracle::Invariant;

#[derive(Default)]
pub(super) struct Linear {
    /// What is under way: since when, on which record, and what.
    open: BTreeMap<Op, (Instant, u8, Deed)>,
    histories: BTreeMap<u8, Vec<Operation>>,
}

impl Linear {
    fn ended(&mut self, at: Instant, op: Op, outcome: Outcome) {
        let Some((began, record, deed)) = self.open.remove(&op) else {
            return;
        };
        let (ended, did) = match (outcome, deed) {
            (Outcome::Saw(value), _) => (Some(at), Did::Read(value)),
            (Outcome::Committed, Deed::Commit { after, value, .. }) => {
                (Some(at), Did::Swap { after, value })
            }
            (Outcome::Unknown, Deed::Commit { after, value, .. }) => {
                (None, Did::Swap { after, value })
            }
            (Outcome::Committed, Deed::Create { value, .. }) => {
                (Some(at), Did::Swap { after: 0, value })
            }
            (Outcome::Unknown, Deed::Create { value, .. }) => (None, Did::Swap { after: 0, value }),
            // It has no effect, or was no commit.
            (Outcome::Refused | Outcome::Unknown | Outcome::Committed, _) => return,
        };
        let operation = Operation { began, ended, did };
        self.histories.entry(record).or_default().push(operation);
    }
}

impl Invariant for Linear {
    fn promise(&self) -> &'static str {
        "every record behaves as one copy that does one thing at a time"
    }

    fn see(&mut self, at: Instant, fact: &Fact) -> Result<(), String> {
        match fact {
            Fact::Began {
                op, record, deed, ..
            } => _ = self.open.insert(*op, (at, *record, *deed)),
            Fact::Ended { op, outcome } => self.ended(at, *op, *outcome),
            _ => {}
        }
        Ok(())
    }

    fn end(&mut self) -> Result<(), String> {
        let never_answered: Vec<_> = self.open.keys().copied().collect();
        for op in never_answered {
            self.ended(0, op, Outcome::Unknown);
        }
        for (record, history) in &self.histories {
            match judge(history) {
                Verdict::Linearizable => {}
                Verdict::Not => {
                    let count = history.len();
                    return Err(format!(
                        "no order explains the {count} operations on record {record}"
                    ));
                }
                Verdict::Undecided => return Err(format!("record {record} is undecided")),
            }
        }
        Ok(())
    }
}
