//! The owners of jobs: they submit, and some cancel.

use std::collections::BTreeMap;
use std::sync::Arc;

use incumbent_cluster_core::leader::{Answer, LeaderEvent, Question, Ticket};
use incumbent_cluster_core::record::JobRecord;
use incumbent_cluster_core::{Desired, Incarnation, JobSpec};
use incumbent_core::Nonce;
use incumbent_core::record::RecordBody;

use super::fact::Fact;
use super::job_manager::{JobManagerMail, Term};
use super::plan::JobPlan;
use super::world::{Event, World, job_of, raw};
use crate::clock::MILLISECOND;
use crate::history::Item;
use crate::store::{Call, Stored};

/// How long the owner of a job waits before asking again.
const ASK_AGAIN: u64 = 2000 * MILLISECOND;

impl World {
    pub(super) fn submit(&mut self, index: usize) {
        let plan = &self.plan.jobs[index];
        let item = Item::Record(u8::try_from(index).expect("few"));
        let job = job_of(item);
        let record = Arc::new(JobRecord::new(
            job,
            Incarnation::new(7 + index as u64),
            spec(index, plan),
            String::new(),
            self.now / MILLISECOND,
        ));
        let canceled_at = plan.canceled_at;
        self.table.push(record);
        let data = raw(self.table.len() - 1);
        let body = RecordBody::creation(Nonce::new(u128::from(self.dice.number())), data);
        let call = Call::Swap {
            expected: None,
            body: Stored::Record(body),
        };
        self.write(item, call);
        self.fact(Fact::Submitted { job });
        self.hint(job);
        if let Some(at) = canceled_at {
            self.at(at, Event::Cancel(index));
        }
    }

    /// The owner asks the leader, until there is an answer.
    pub(super) fn cancel(&mut self, index: usize) {
        if self.asked.values().any(|asked| *asked == index) {
            self.asked.retain(|_, asked| *asked != index);
        }
        let job = job_of(Item::Record(u8::try_from(index).expect("few")));
        let ticket = Ticket(self.number());
        let leader = (0..self.job_managers.len()).find(|host| {
            let running = self.job_managers[*host].running.as_ref();
            running.is_some_and(|running| running.term.as_ref().is_some_and(Term::leads))
        });
        if let Some(host) = leader
            && let Some(process) = self.job_managers[host].process()
        {
            self.asked.insert(ticket, index);
            let question = Question::Cancel(job);
            let event = LeaderEvent::Asked { ticket, question };
            let delay = self.delay();
            let mail = JobManagerMail::Leader(Box::new(event));
            self.after(delay, Event::JobManager((host, process), mail));
        }
        self.after(ASK_AGAIN, Event::Cancel(index));
    }

    pub(super) fn owner_answered(&mut self, ticket: Ticket, answer: Answer) {
        let Some(index) = self.asked.remove(&ticket) else {
            return;
        };
        if let Answer::Job(view) = answer
            && view.desired == Desired::Canceled
        {
            let job = job_of(Item::Record(u8::try_from(index).expect("few")));
            self.fact(Fact::CancelAcknowledged { job });
        }
    }
}

fn spec(index: usize, plan: &JobPlan) -> JobSpec {
    JobSpec {
        name: format!("job-{index}"),
        tasks: plan.tasks,
        command: vec!["true".into()],
        artifact: None,
        env: BTreeMap::new(),
        env_files: BTreeMap::new(),
        restart: plan.restart.clone(),
        isolation: plan.isolation,
        grace_ms: 200,
        endpoints: Vec::new(),
        checkpoints: None,
        restore: None,
    }
}
