//! The owners of jobs: they submit, and ask the leader for what they wish until there is an answer.

use std::sync::Arc;

use incumbent_cluster_core::leader::{Answer, Question, Ticket};
use incumbent_cluster_core::record::JobRecord;
use incumbent_cluster_core::{Desired, Incarnation, JobId};
use incumbent_core::Nonce;
use incumbent_core::record::RecordBody;

use super::fact::Fact;
use super::job_manager::{JobManagerMail, Term};
use super::jobs::Wish;
use super::world::{Event, World, item_of, job_of, raw};
use crate::clock::MILLISECOND;
use crate::history::Item;
use crate::store::{Call, Stored};

/// How long the owner of a job waits for an answer before asking again.
const ASK_AGAIN: u64 = 2000 * MILLISECOND;

/// How long the owner waits after a refusal.
const AFTER_REFUSAL: u64 = 300 * MILLISECOND;

/// After so many refusals the owner gives a wish up.
const MOST_REFUSALS: u32 = 8;

/// The owner of a job.
#[derive(Clone, Debug, Default)]
pub(super) struct Owner {
    /// Which of its wishes is next.
    step: usize,
    refusals: u32,
    has_asked: bool,
    /// The question that waits for its answer.
    pub(super) ticket: Option<Ticket>,
    /// Which of its alarms counts.
    round: u64,
}

impl World {
    pub(super) fn submit(&mut self, index: usize) {
        let job = job_of(Item::Record(u8::try_from(index).expect("few")));
        let plan = &self.plan.jobs[index];
        let record = Arc::new(JobRecord::new(
            job,
            Incarnation::new(7 + index as u64),
            plan.spec(index),
            String::new(),
            self.now / MILLISECOND,
        ));
        self.table.push(record);
        let data = raw(self.table.len() - 1);
        let body = RecordBody::creation(Nonce::new(u128::from(self.dice.number())), data);
        let call = Call::Swap {
            expected: None,
            body: Stored::Record(body),
        };
        self.write(item_of(job), call);
        self.fact(Fact::Submitted { job });
        self.hint(job);
        self.next_alarm(index, 0);
    }

    /// The owner asks for what is next, until there is an answer.
    pub(super) fn owner(&mut self, index: usize, round: u64) {
        let owner = &mut self.owners[index];
        if owner.round != round {
            return;
        }
        owner.ticket = None;
        let Some((at, wish)) = self.plan.jobs[index].wishes.get(owner.step).copied() else {
            return;
        };
        if self.now < at {
            return self.next_alarm(index, at - self.now);
        }
        if !self.owners[index].has_asked && self.is_late_for_wishes() {
            return;
        }
        self.owners[index].has_asked = true;
        let leader = (0..self.job_managers.len()).find(|host| {
            let running = self.job_managers[*host].running.as_ref();
            running.is_some_and(|running| running.term.as_ref().is_some_and(Term::leads))
        });
        if let Some(host) = leader
            && let Some(process) = self.job_managers[host].process()
        {
            let job = job_of(Item::Record(u8::try_from(index).expect("few")));
            let ticket = Ticket(self.number());
            self.owners[index].ticket = Some(ticket);
            self.fact(Fact::Wished { job, wish });
            let delay = self.delay();
            let question = question(job, wish);
            let mail = JobManagerMail::Asked { ticket, question };
            self.after(delay, Event::JobManager((host, process), mail));
        }
        self.next_alarm(index, ASK_AGAIN);
    }

    pub(super) fn owner_answered(&mut self, ticket: Ticket, answer: Answer) {
        let asked = |owner: &Owner| owner.ticket == Some(ticket);
        let Some(index) = self.owners.iter().position(asked) else {
            return;
        };
        let job = job_of(Item::Record(u8::try_from(index).expect("few")));
        let step = self.owners[index].step;
        let wish = self.plan.jobs[index].wishes[step].1;
        self.trace.line(self.now, || {
            format!("{job} is answered to {wish:?}: {answer:?}")
        });
        let is_granted = match &answer {
            Answer::Job(view) => {
                let savepoints = view.savepoints.iter();
                let savepoints = savepoints.filter_map(|savepoint| savepoint.id.parse().ok());
                let savepoints = savepoints.collect();
                self.fact(Fact::Shown { job, savepoints });
                wish != Wish::Cancel || view.desired == Desired::Canceled
            }
            Answer::Done => true,
            Answer::NotFound(_) | Answer::Conflict(_) => false,
            // Not known: it asks again.
            _ => return,
        };
        let owner = &mut self.owners[index];
        owner.ticket = None;
        if is_granted {
            self.fact(Fact::Acknowledged { job, wish });
        } else {
            owner.refusals += 1;
            if owner.refusals < MOST_REFUSALS {
                return self.next_alarm(index, AFTER_REFUSAL);
            }
        }
        let owner = &mut self.owners[index];
        (owner.step, owner.refusals, owner.has_asked) = (step + 1, 0, false);
        self.next_alarm(index, 0);
    }

    /// Whether an owner wishes nothing more.
    pub(super) fn is_owner_done(&self, index: usize) -> bool {
        let owner = &self.owners[index];
        let wishes = &self.plan.jobs[index].wishes;
        let is_late = !owner.has_asked && self.is_late_for_wishes();
        owner.step >= wishes.len() || is_late
    }

    /// What is wished for the first time at the end is not granted before the end.
    fn is_late_for_wishes(&self) -> bool {
        self.now > self.plan.chaos + self.plan.recovery() / 4
    }

    /// Whether an owner still waits for an answer to this.
    pub(super) fn is_asked(&self, ticket: Ticket) -> bool {
        self.owners.iter().any(|owner| owner.ticket == Some(ticket))
    }

    fn next_alarm(&mut self, index: usize, pause: u64) {
        let owner = &mut self.owners[index];
        owner.round += 1;
        let round = owner.round;
        self.after(pause, Event::Owner(index, round));
    }
}

fn question(job: JobId, wish: Wish) -> Question {
    match wish {
        Wish::Savepoint(savepoint) => Question::Savepoint { job, savepoint },
        Wish::Stop(savepoint) => Question::Suspend { job, savepoint },
        Wish::Resume => Question::Resume(job),
        Wish::Rescale(tasks) => Question::Rescale { job, tasks },
        Wish::RemoveSavepoint(savepoint) => Question::RemoveSavepoint(savepoint),
        Wish::Cancel => Question::Cancel(job),
        Wish::Remove => Question::Remove(job),
    }
}
