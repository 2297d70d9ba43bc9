//! An acknowledged commit or creation is never lost, a refused one never happens, and nothing else
//! changes a record.

use std::collections::BTreeMap;

use incumbent_core::Seal;

use crate::clock::Instant;
use crate::history::{Body, Deed, Fact, Item, Op, Outcome, Value};
use crate::oracle::Invariant;

/// The number of the write that a creation is.
const CREATION_SEQ: u64 = 1;

#[derive(Default)]
pub(super) struct Durable {
    /// What each record has.
    values: BTreeMap<u8, Value>,
    commits: BTreeMap<Op, Commit>,
    /// Commits by record, epoch and number of the write.
    by_write: BTreeMap<(u8, u64, u64), Vec<(Seal, Op)>>,
}

struct Commit {
    after: Value,
    value: Value,
    happened: bool,
    outcome: Option<Outcome>,
}

impl Durable {
    fn written(&mut self, record: u8, seal: Seal, seq: u64, value: Value) -> Result<(), String> {
        let before = self.values.insert(record, value).unwrap_or(0);
        let key = (record, seal.epoch.get(), seq);
        let made_by = self.by_write.get(&key).into_iter().flatten();
        let Some((_, op)) = made_by.into_iter().find(|(by, _)| *by == seal) else {
            // It only seals.
            return if value == before {
                Ok(())
            } else {
                Err(format!("a seal turned {before} into {value}"))
            };
        };
        let commit = self
            .commits
            .get_mut(op)
            .expect("both maps are filled at once");
        if commit.happened {
            return Err(format!("commit {op} landed twice"));
        }
        if commit.outcome == Some(Outcome::Refused) {
            return Err(format!("commit {op} was refused and landed later"));
        }
        if (commit.after, commit.value) != (before, value) {
            return Err(format!(
                "commit {op} of {} after {} turned {before} into {value}",
                commit.value, commit.after
            ));
        }
        commit.happened = true;
        Ok(())
    }

    fn ended(&mut self, op: Op, outcome: Outcome) -> Result<(), String> {
        let Some(commit) = self.commits.get_mut(&op) else {
            return Ok(());
        };
        commit.outcome = Some(outcome);
        match outcome {
            Outcome::Committed if !commit.happened => {
                Err(format!("commit {op} was acknowledged and never landed"))
            }
            Outcome::Refused if commit.happened => {
                Err(format!("commit {op} was refused but has landed"))
            }
            _ => Ok(()),
        }
    }
}

impl Invariant for Durable {
    fn promise(&self) -> &'static str {
        "an acknowledged commit or creation is never lost, and a refused one never happens"
    }

    fn see(&mut self, _: Instant, fact: &Fact) -> Result<(), String> {
        match fact {
            Fact::Began {
                op,
                record,
                deed:
                    Deed::Commit {
                        seal,
                        seq,
                        after,
                        value,
                    },
                ..
            } => {
                let commit = Commit {
                    after: *after,
                    value: *value,
                    happened: false,
                    outcome: None,
                };
                self.commits.insert(*op, commit);
                let key = (*record, seal.epoch.get(), *seq);
                self.by_write.entry(key).or_default().push((*seal, *op));
                Ok(())
            }
            Fact::Began {
                op,
                record,
                deed: Deed::Create { seal, value },
                ..
            } => {
                let commit = Commit {
                    after: 0,
                    value: *value,
                    happened: false,
                    outcome: None,
                };
                self.commits.insert(*op, commit);
                let key = (*record, seal.epoch.get(), CREATION_SEQ);
                self.by_write.entry(key).or_default().push((*seal, *op));
                Ok(())
            }
            Fact::Ended { op, outcome } => self.ended(*op, *outcome),
            Fact::Written {
                item: Item::Record(record),
                body: Body::Record {
                    seal, seq, value, ..
                },
                ..
            } => self.written(*record, *seal, *seq, *value),
            Fact::Removed {
                item: Item::Record(record),
                write:
                    Some(Body::Record {
                        seal, seq, value, ..
                    }),
            } => self.written(*record, *seal, *seq, *value),
            _ => Ok(()),
        }
    }
}
