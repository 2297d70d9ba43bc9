//! Jobs, and what people ask about them.

use std::collections::BTreeMap;

use super::{Message, Stored, World};
use crate::leader::{Answer, LeaderEvent, Question, Ticket};
use crate::task_manager::TaskManagerEvent;
use crate::view::JobView;
use crate::{
    Attempt, Checkpointing, Incarnation, Isolation, JobId, JobRecord, JobSpec, NodeNonce, Rank,
    Restart, TaskId,
};

impl World {
    /// A new job, whose record any node creates.
    pub(in crate::tests) fn submit(&mut self, spec: JobSpec) -> JobId {
        self.submitted += 1;
        let number = self.submitted;
        let id = JobId::new(u128::from(number));
        let incarnation = Incarnation::new(number + 1000);
        self.put(JobRecord::new(id, incarnation, spec, String::new(), number));
        self.queue
            .push_back(Message::Leader(LeaderEvent::Hinted(id)));
        self.settle();
        id
    }

    /// A record that somebody creates and hints at to nobody.
    pub(in crate::tests) fn put(&mut self, record: JobRecord) {
        let stored = Stored {
            record,
            seal: None,
            damage: None,
        };
        self.store.insert(stored.record.id, stored);
    }

    /// Asks, and returns the name of the answer.
    pub(in crate::tests) fn ask(&mut self, question: Question) -> u64 {
        self.next_ticket += 1;
        let ticket = Ticket(self.next_ticket);
        self.queue
            .push_back(Message::Leader(LeaderEvent::Asked { ticket, question }));
        self.settle();
        self.next_ticket
    }

    pub(in crate::tests) fn tell_leader(&mut self, event: LeaderEvent) {
        self.queue.push_back(Message::Leader(event));
        self.settle();
    }

    pub(in crate::tests) fn tell_node(&mut self, nonce: NodeNonce, event: TaskManagerEvent) {
        self.queue.push_back(Message::Node(nonce, event));
        self.settle();
    }

    pub(in crate::tests) fn view(&mut self, job: JobId) -> JobView {
        let ticket = self.ask(Question::Job(job));
        match self.answers.get(&ticket) {
            Some(Answer::Job(view)) => (**view).clone(),
            other => panic!("{other:?} instead of a view"),
        }
    }

    pub(in crate::tests) fn record(&self, job: JobId) -> &JobRecord {
        &self.store[&job].record
    }

    /// A rank of an attempt.
    pub(in crate::tests) fn task(&self, job: JobId, attempt: u32, rank: u32) -> TaskId {
        TaskId {
            job,
            incarnation: self.record(job).incarnation,
            attempt: Attempt(attempt),
            rank: Rank(rank),
        }
    }

    /// Attempts of a job that have a process, with their pids.
    pub(in crate::tests) fn alive(&self, job: JobId) -> Vec<(u32, u32, u32)> {
        let processes = self.nodes.values().flat_map(|node| &node.processes);
        let mut alive: Vec<_> = processes
            .filter(|(task, _)| task.job == job)
            .map(|(task, process)| (task.attempt.0, task.rank.0, process.pid))
            .collect();
        alive.sort_unstable();
        alive
    }

    /// Forgets what was traced, and returns it without what only tidies up.
    pub(in crate::tests) fn take_trace(&mut self) -> Vec<String> {
        let mut trace = std::mem::take(&mut self.trace);
        trace.retain(|line| line != "report" && !line.starts_with("forget"));
        trace
    }
}

/// A job of this name with these many tasks.
pub(in crate::tests) fn spec(name: &str, tasks: u32) -> JobSpec {
    JobSpec {
        name: name.to_owned(),
        tasks,
        command: vec!["sleep".to_owned(), "1".to_owned()],
        artifact: None,
        env: BTreeMap::new(),
        env_files: BTreeMap::new(),
        restart: Restart::default(),
        isolation: Isolation::default(),
        grace_ms: 10_000,
        endpoints: Vec::new(),
        checkpoints: None,
        restore: None,
    }
}

/// A job of this name whose tasks speak the contract.
pub(crate) fn checkpointing(name: &str, tasks: u32) -> JobSpec {
    JobSpec {
        checkpoints: Some(Checkpointing::default()),
        ..fenced(name, tasks)
    }
}

pub(in crate::tests) fn fenced(name: &str, tasks: u32) -> JobSpec {
    JobSpec {
        isolation: Isolation::Fenced,
        ..spec(name, tasks)
    }
}
