//! [`Outbox`]: what a process may use while it handles its mail, and what it does.

use std::sync::Arc;

use incumbent_cluster_core::checkpoint::RankPart;
use incumbent_cluster_core::leader::{Answer, Ticket};
use incumbent_cluster_core::message::{Ack, ContractOrder, Deploy, Order, Refused, Report};
use incumbent_cluster_core::{JobId, JobRecord, NodeNonce, SavepointId, TaskId};
use incumbent_core::{Epoch, Nonce, Seal};
use serde_json::value::RawValue;

use super::fact::Fact;
use super::janitor::{BlobWork, OfTerm};
use super::job_manager::{Acknowledged, JobManagerMail};
use super::jobs::JobPlan;
use super::plan::Plan;
use super::task_manager::TaskManagerMail;
use super::world::{Event, Process, Request, item_of, raw};
use crate::clock::Instant;
use crate::dice::Dice;
use crate::history::Item;
use crate::store::Call;
use crate::trace::Trace;

/// What a process may use, and what it does.
pub(super) struct Outbox<'a> {
    pub(super) now: Instant,
    pub(super) dice: &'a mut Dice,
    pub(super) plan: &'a Plan,
    /// The records of all jobs that were ever submitted.
    pub(super) items: Vec<Item>,
    pub(super) facts: Vec<Fact>,
    pub(super) table: &'a mut Vec<Arc<JobRecord>>,
    pub(super) last_number: &'a mut u64,
    pub(super) trace: &'a mut Trace,
    pub(super) effects: Vec<Effect>,
}

/// What a process does.
pub(super) enum Effect {
    Wake(Instant, Event),
    Call(Box<Request>),
    List {
        from: (usize, Process),
        request: u64,
    },
    Order {
        from: (usize, Process),
        address: String,
        order: Order,
    },
    Acknowledge {
        from: usize,
        acknowledged: Acknowledged,
    },
    OrderAnswered {
        request: u64,
        refused: Option<Refused>,
    },
    Report {
        from: (usize, Process),
        to: String,
        report: Report,
    },
    StartTask {
        host: usize,
        process: Process,
        node: NodeNonce,
        deploy: Deploy,
        ends_at: Option<Instant>,
    },
    ExtendTask {
        process: Process,
        task: TaskId,
        ends_at: Instant,
    },
    EndTask {
        process: Process,
        task: TaskId,
        grace: u64,
    },
    TellTask {
        process: Process,
        task: TaskId,
        order: ContractOrder,
        seal: Option<Seal>,
    },
    TaskHeard {
        process: Process,
        task: TaskId,
        is_taken: bool,
    },
    CopyLast {
        host: usize,
        process: Process,
        task: TaskId,
        of: (u64, SavepointId),
        part: RankPart,
    },
    BlobWork(OfTerm, BlobWork),
    Answered {
        ticket: Ticket,
        answer: Answer,
    },
}

impl Outbox<'_> {
    pub(super) fn trace(&mut self, text: impl FnOnce() -> String) {
        self.trace.line(self.now, text);
    }

    pub(super) fn number(&mut self) -> u64 {
        *self.last_number += 1;
        *self.last_number
    }

    pub(super) fn zero_seal(&self) -> Seal {
        Seal {
            epoch: Epoch::ZERO,
            nonce: Nonce::new(0),
        }
    }

    pub(super) fn item(&self, job: JobId) -> Item {
        item_of(job)
    }

    pub(super) fn job_plan(&self, job: JobId) -> &JobPlan {
        let Item::Record(index) = item_of(job) else {
            unreachable!("a job has a record")
        };
        &self.plan.jobs[usize::from(index)]
    }

    /// Keeps a record, and returns what stands for it in the store.
    pub(super) fn keep(&mut self, record: Arc<JobRecord>) -> Box<RawValue> {
        self.table.push(record);
        raw(self.table.len() - 1)
    }

    pub(super) fn kept(&self, index: usize) -> Arc<JobRecord> {
        Arc::clone(&self.table[index])
    }

    pub(super) fn wake_job_manager(
        &mut self,
        host: usize,
        process: Process,
        at: Instant,
        mail: JobManagerMail,
    ) {
        self.effects
            .push(Effect::Wake(at, Event::JobManager((host, process), mail)));
    }

    pub(super) fn wake_task_manager(
        &mut self,
        host: usize,
        process: Process,
        at: Instant,
        mail: TaskManagerMail,
    ) {
        self.effects
            .push(Effect::Wake(at, Event::TaskManager((host, process), mail)));
    }

    pub(super) fn call(
        &mut self,
        host: usize,
        process: Process,
        request: u64,
        item: Item,
        call: Call,
    ) {
        let from = (host, process);
        self.effects.push(Effect::Call(Box::new(Request {
            from,
            request,
            item,
            call,
        })));
    }

    pub(super) fn list(&mut self, host: usize, process: Process, request: u64) {
        self.effects.push(Effect::List {
            from: (host, process),
            request,
        });
    }

    pub(super) fn order(&mut self, host: usize, process: Process, address: &str, order: Order) {
        let (from, address) = ((host, process), address.to_owned());
        self.effects.push(Effect::Order {
            from,
            address,
            order,
        });
    }

    pub(super) fn acknowledge(&mut self, from: usize, to: NodeNonce, ack: Ack) {
        let acknowledged = Acknowledged { to, ack };
        self.effects
            .push(Effect::Acknowledge { from, acknowledged });
    }

    pub(super) fn order_answered(&mut self, request: u64, refused: Option<Refused>) {
        self.effects
            .push(Effect::OrderAnswered { request, refused });
    }

    pub(super) fn report(&mut self, host: usize, process: Process, to: &str, report: Report) {
        let (from, to) = ((host, process), to.to_owned());
        self.effects.push(Effect::Report { from, to, report });
    }

    pub(super) fn start_task(
        &mut self,
        host: usize,
        process: Process,
        node: NodeNonce,
        deploy: Deploy,
        ends_at: Option<Instant>,
    ) {
        self.effects.push(Effect::StartTask {
            host,
            process,
            node,
            deploy,
            ends_at,
        });
    }

    pub(super) fn extend_task(&mut self, process: Process, task: TaskId, ends_at: Instant) {
        self.effects.push(Effect::ExtendTask {
            process,
            task,
            ends_at,
        });
    }

    pub(super) fn end_task(&mut self, process: Process, task: TaskId, grace: u64) {
        self.effects.push(Effect::EndTask {
            process,
            task,
            grace,
        });
    }

    pub(super) fn tell_task(
        &mut self,
        process: Process,
        task: TaskId,
        order: ContractOrder,
        seal: Option<Seal>,
    ) {
        self.effects.push(Effect::TellTask {
            process,
            task,
            order,
            seal,
        });
    }

    pub(super) fn task_heard(&mut self, process: Process, task: TaskId, is_taken: bool) {
        self.effects.push(Effect::TaskHeard {
            process,
            task,
            is_taken,
        });
    }

    pub(super) fn copy_last(
        &mut self,
        host: usize,
        process: Process,
        task: TaskId,
        of: (u64, SavepointId),
        part: RankPart,
    ) {
        self.effects.push(Effect::CopyLast {
            host,
            process,
            task,
            of,
            part,
        });
    }

    pub(super) fn blob_work(&mut self, by: OfTerm, work: BlobWork) {
        self.effects.push(Effect::BlobWork(by, work));
    }

    pub(super) fn answered(&mut self, ticket: Ticket, answer: Answer) {
        self.effects.push(Effect::Answered { ticket, answer });
    }
}
