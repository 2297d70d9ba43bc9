//! [`Contract`]: what one task was asked and told, and what it has said (R5, R6, R12).
//!
//! ```text
//!              trigger n                  acked n                committed m ≥ n
//!   nothing ─────────────► n is pending ───────────► n is acked ─────────────────► nothing
//!              ▲               │ aborted m ≥ n           │ aborted m ≥ n
//!              └───────────────┴─────────────────────────┘
//! ```
//!
//! A task is told of an abort also if it was never asked for that number: other ranks were, and may
//! wait for it.
//!
//! Everything that a task has said is in its report until a leader has decided about it, however
//! many leaders there are meanwhile.

use crate::SavepointId;
use crate::checkpoint::RankPart;
use crate::message::{Acked, ContractOrder, ContractReport};

use super::{NotHeard, Said};

/// What a task was asked and told, and what it has said.
#[derive(Debug, Default)]
pub(super) struct Contract {
    report: ContractReport,
    /// Asked for, and neither committed nor aborted.
    pending: Option<Pending>,
    /// The last files of a rank that has finished.
    last: Option<RankPart>,
    /// What was acknowledged and then committed: a task whose answer was lost may say it again.
    settled: Option<Acked>,
}

#[derive(Clone, Copy, Debug)]
struct Pending {
    number: u64,
    savepoint: Option<SavepointId>,
}

/// What follows from an order or from what a task said.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Effect {
    /// The task is told.
    Tell(ContractOrder),
    /// The last files of a rank that has finished are copied to those of a savepoint.
    CopyLast {
        number: u64,
        savepoint: SavepointId,
        part: RankPart,
    },
}

/// What is compared to see whether the report has changed. An acknowledged part never does.
type Shape = ([bool; 4], [u64; 2], Option<u64>);

impl Contract {
    pub(super) fn report(&self) -> &ContractReport {
        &self.report
    }

    /// What changes whenever the report does.
    pub(super) fn shape(&self) -> Shape {
        let report = &self.report;
        let said = [
            report.is_ready,
            report.has_begun,
            report.has_finished,
            report.was_stopped,
        ];
        let acked = report.acked.as_ref().map(|acked| acked.number);
        (said, [report.seen, report.committed], acked)
    }

    /// Takes an order of the newest term. One that says nothing new has no effect.
    pub(super) fn ordered(&mut self, order: ContractOrder) -> Vec<Effect> {
        match order {
            ContractOrder::Begin => {
                let is_new = !std::mem::replace(&mut self.report.has_begun, true);
                tell_if(is_new, order)
            }
            ContractOrder::Stop => {
                let is_new = !std::mem::replace(&mut self.report.was_stopped, true);
                tell_if(is_new, order)
            }
            ContractOrder::Checkpoint { number, savepoint } => self.triggered(number, savepoint),
            ContractOrder::Committed { number } => {
                let is_new = number > self.report.committed;
                if is_new {
                    self.report.committed = number;
                    let acked = self.settle(number);
                    self.settled = acked.or(self.settled.take());
                }
                tell_if(is_new, order)
            }
            ContractOrder::Aborted { number } => {
                let pending = self.pending.map(|pending| pending.number);
                let is_new = number > self.report.seen;
                self.settle(number);
                // Of its own number first. Others were asked for the higher one, and may wait until
                // this rank knows of it, too; nobody waits for one that has finished.
                let own = pending.filter(|&own| own <= number);
                let others = (is_new && !self.report.has_finished).then_some(number);
                let told = own.into_iter().chain(others);
                told.map(|number| Effect::Tell(ContractOrder::Aborted { number }))
                    .collect()
            }
        }
    }

    /// Takes what the task says.
    pub(super) fn said(&mut self, said: Said) -> Result<Vec<Effect>, NotHeard> {
        match said {
            Said::Ready => self.report.is_ready = true,
            Said::Acked(acked) => self.acked(acked)?,
            Said::Finished(part) => return self.finished(part),
            // It is no part of the contract.
            Said::Progress(_) => {}
        }
        Ok(Vec::new())
    }

    fn triggered(&mut self, number: u64, savepoint: Option<SavepointId>) -> Vec<Effect> {
        if number <= self.report.seen {
            return Vec::new();
        }
        self.report.seen = number;
        // What was acknowledged may be committed, and the order that says so may be on its way.
        let is_aborted = self.report.acked.take().is_none();
        let before = self.pending.replace(Pending { number, savepoint });
        let aborted = before.filter(|_| is_aborted && !self.report.has_finished);
        let aborted = aborted.map(|before| ContractOrder::Aborted {
            number: before.number,
        });
        let mut effects: Vec<Effect> = aborted.map(Effect::Tell).into_iter().collect();
        if self.report.has_finished {
            effects.extend(self.answer_for_it());
        } else {
            effects.push(Effect::Tell(ContractOrder::Checkpoint {
                number,
                savepoint,
            }));
        }
        effects
    }

    /// Nothing up to this number is pending any more. Returns what was acknowledged of it.
    fn settle(&mut self, number: u64) -> Option<Acked> {
        self.report.seen = self.report.seen.max(number);
        self.pending.take_if(|pending| pending.number <= number);
        let acked = &mut self.report.acked;
        acked.take_if(|acked| acked.number <= number)
    }

    fn acked(&mut self, acked: Acked) -> Result<(), NotHeard> {
        let number = acked.number;
        let same_number = |before: &&Acked| before.number == number;
        let pending = self.report.acked.as_ref().filter(same_number);
        if let Some(before) = pending.or(self.settled.as_ref().filter(same_number)) {
            let is_same = before.part == acked.part;
            return is_same.then_some(()).ok_or(NotHeard::OtherFiles { number });
        }
        // Of a rank that has finished, only the copy of its last files comes.
        if self.report.has_finished && !acked.part.is_finished {
            return Err(NotHeard::Finished);
        }
        let pending = self.pending.map(|pending| pending.number);
        if pending != Some(number) {
            return Err(NotHeard::NotPending { number, pending });
        }
        self.report.acked = Some(acked);
        Ok(())
    }

    fn finished(&mut self, part: RankPart) -> Result<Vec<Effect>, NotHeard> {
        let last = RankPart {
            is_finished: true,
            ..part
        };
        if let Some(before) = &self.last {
            let is_same = *before == last;
            return is_same.then(Vec::new).ok_or(NotHeard::Finished);
        }
        self.report.has_finished = true;
        self.last = Some(last);
        // What it has acknowledged stays as it is.
        let is_unanswered = self.report.acked.is_none();
        let effect = is_unanswered.then(|| self.answer_for_it()).flatten();
        Ok(effect.into_iter().collect())
    }

    /// Acknowledges what is pending with the last files of a rank that has finished (R6).
    fn answer_for_it(&mut self) -> Option<Effect> {
        let (Pending { number, savepoint }, last) = (self.pending?, self.last.as_ref()?);
        let part = last.clone();
        if let Some(savepoint) = savepoint.filter(|_| !part.files.is_empty()) {
            return Some(Effect::CopyLast {
                number,
                savepoint,
                part,
            });
        }
        self.report.acked = Some(Acked { number, part });
        None
    }
}

fn tell_if(is_new: bool, order: ContractOrder) -> Vec<Effect> {
    is_new.then_some(Effect::Tell(order)).into_iter().collect()
}
