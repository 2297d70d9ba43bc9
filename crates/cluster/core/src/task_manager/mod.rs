//! [`TaskManager`]: what a TaskManager does with orders, ends of tasks, and silence of the leader.
//!
//! ```text
//!   orders of any term         ──►┌─────────────┐──► Start, End, Extend
//!   what guards say            ──►│ TaskManager │──► Send (a report), Refuse
//!   acknowledgements, a leader ──►└─────────────┘──► Reserve (a port)
//! ```
//!
//! Only acknowledgements and higher seals change what it does (R7): a view of the election that
//! says "nobody leads" changes nothing. If nobody acknowledges, the guards of exclusive tasks end
//! them at their deadlines, and all others go on.
//!
//! A step takes one event in (`orders.rs`, and here), then sends a report if one is due
//! (`reporting.rs`). `tasks.rs` has the tasks, `contract.rs` what each says of checkpoints,
//! `ports.rs` the slots.

mod action;
mod changes;
mod contract;
mod event;
mod fitting;
mod orders;
mod ports;
mod reporting;
mod tasks;

use std::time::Duration;

use incumbent_core::{Now, Seal, Time};

pub use self::action::{NotHeard, TaskManagerAction};
pub use self::event::{Said, TaskManagerEvent};

use self::ports::Ports;
use self::reporting::Reporting;
use self::tasks::Tasks;
use crate::message::{Ack, ContractReport, EndedHow, NodeInfo, TaskEnd, TaskState};
use crate::moment::wall_text;
use crate::{Isolation, NodeNonce, TaskId};

/// Pause between heartbeats. A fenced job of a TaskManager that says nothing for 10 s begins anew
/// elsewhere, so several may be lost.
pub const HEARTBEAT: Duration = Duration::from_secs(1);

/// How long the acknowledgement of a report is waited for.
pub const PATIENCE: Duration = Duration::from_secs(3);

/// A deadline of a guard is moved when that gains this part of the isolation timeout: a thousand
/// guards are not woken at each heartbeat.
const EXTEND_PART: u32 = 50;

/// How long a drained TaskManager without tasks waits for a leader to hear so, before it exits.
const DRAIN_PATIENCE: Duration = Duration::from_secs(3);

/// The numbers of a TaskManager.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskManagerConfig {
    /// This process.
    pub nonce: NodeNonce,
    /// What it says about itself.
    pub node: NodeInfo,
    /// Pause between heartbeats: usually [`HEARTBEAT`].
    pub heartbeat: Duration,
    /// How long it waits for the acknowledgement of a report before it sends another: usually
    /// [`PATIENCE`].
    pub patience: Duration,
}

/// A TaskManager.
#[derive(Debug)]
pub struct TaskManager {
    config: TaskManagerConfig,
    /// The highest seal that was seen.
    seen: Option<Seal>,
    /// The highest number of an order of that term.
    last_order: u64,
    /// Where that term takes reports.
    leader: Option<String>,
    tasks: Tasks,
    ports: Ports,
    reporting: Reporting,
    /// When the last report that was acknowledged was sent; the start, if none was. The isolation
    /// timeout counts from here (R8).
    heard_of_at: Time,
    is_draining: bool,
    has_blobs: bool,
    /// Since when it is drained and nothing is left.
    empty_since: Option<Time>,
    has_exited: bool,
}

impl TaskManager {
    /// A TaskManager that has just started. Its first step reserves ports.
    pub fn new(config: TaskManagerConfig, now: Now) -> Self {
        Self {
            seen: None,
            last_order: 0,
            leader: None,
            tasks: Tasks::default(),
            ports: Ports::new(config.node.slots),
            reporting: Reporting::new(config.nonce),
            heard_of_at: now.time,
            is_draining: false,
            has_blobs: true,
            empty_since: None,
            has_exited: false,
            config,
        }
    }

    /// Learns something, and says what to do.
    pub fn step(&mut self, now: Now, event: TaskManagerEvent) -> Vec<TaskManagerAction> {
        let mut out = Vec::new();
        self.absorb(now, event, &mut out);
        self.ports.reserve(now.time, &mut out);
        self.report_if_due(now.time, &mut out);
        self.exit_if_drained(now.time, &mut out);
        out
    }

    /// When it wants a [`TaskManagerEvent::Tick`] at the latest.
    pub fn next_wake(&self) -> Option<Time> {
        let drained = self.empty_since.filter(|_| !self.has_exited);
        let exits_at = drained.map(|since| since + DRAIN_PATIENCE);
        let report_at = self.next_report_at();
        [exits_at, report_at, self.ports.next_wake()]
            .into_iter()
            .flatten()
            .min()
    }

    /// The nonce of the process.
    pub fn nonce(&self) -> NodeNonce {
        self.config.nonce
    }

    /// The highest seal that it has seen.
    pub fn seen(&self) -> Option<Seal> {
        self.seen
    }

    /// How a task is, if it is here.
    pub fn state_of(&self, task: TaskId) -> Option<&TaskState> {
        self.tasks.state(task)
    }

    /// What a task has said and was told, if it is here.
    pub fn contract_of(&self, task: TaskId) -> Option<&ContractReport> {
        self.tasks.contract(task)
    }

    fn absorb(&mut self, now: Now, event: TaskManagerEvent, out: &mut Vec<TaskManagerAction>) {
        match event {
            TaskManagerEvent::LeaderSeen { seal, address } => self.leader_seen(seal, address),
            TaskManagerEvent::Ordered(order) => self.ordered(now, *order, out),
            TaskManagerEvent::Started { task, pid } => {
                let since = wall_text(now);
                self.tasks.running(task, pid, since);
            }
            TaskManagerEvent::Ended {
                task,
                how,
                last_lines,
            } => self.task_ended(now, task, how, last_lines),
            TaskManagerEvent::Acknowledged { ack, sent_at } => {
                self.acknowledged(now, &ack, sent_at, out);
            }
            TaskManagerEvent::Unacknowledged { seq } => {
                self.reporting.not_acknowledged(seq, now.time);
            }
            TaskManagerEvent::Reserved { slot, port } => {
                self.reporting.ports_changed |= self.ports.reserved(slot, port);
            }
            TaskManagerEvent::Blobs(has_blobs) => {
                self.reporting.flags_changed |= self.has_blobs != has_blobs;
                self.has_blobs = has_blobs;
            }
            TaskManagerEvent::Said { task, said } => self.tasks.said(task, said, out),
            TaskManagerEvent::Drain => self.drain(),
            TaskManagerEvent::Tick => {}
        }
    }

    /// A higher seal was seen: the term of a lower one is over (R7).
    fn raise(&mut self, seal: Seal) -> bool {
        let is_higher = self.seen.is_none_or(|seen| seal.epoch > seen.epoch);
        if is_higher {
            self.seen = Some(seal);
            self.last_order = 0;
            self.reporting.begin_term();
        }
        is_higher
    }

    fn leader_seen(&mut self, seal: Seal, address: String) {
        self.raise(seal);
        if self.seen == Some(seal) {
            self.leader = Some(address);
        }
    }

    fn task_ended(&mut self, now: Now, task: TaskId, how: EndedHow, last_lines: Vec<String>) {
        let at = wall_text(now);
        let end = TaskEnd {
            how,
            last_lines,
            at,
        };
        if let Some(slot) = self.tasks.ended(task, end) {
            // What it had used may be taken by another program now.
            self.ports.lost(slot, now.time);
            // A heartbeat may be due before the slot has another port: the leader must not place
            // anything on the one that it knows.
            self.reporting.ports_changed = true;
        }
    }

    fn acknowledged(
        &mut self,
        now: Now,
        ack: &Ack,
        sent_at: Time,
        out: &mut Vec<TaskManagerAction>,
    ) {
        // The same process at the same address leads again.
        self.raise(ack.seal);
        if self.seen != Some(ack.seal) {
            // A deposed leader: what it says changes nothing.
            return self.reporting.not_acknowledged(ack.seq, now.time);
        }
        self.heard_of_at = self.heard_of_at.max(sent_at);
        self.reporting
            .acknowledged(ack, &self.config, now.time, &mut self.tasks, out);
        for task in &ack.forget {
            self.tasks.forget(*task);
        }
        self.extend(out);
    }

    /// When a task with this isolation is ended, if nobody acknowledges any more (R8).
    ///
    /// Counted from *sending*: the leader counts from when the report came, which is not earlier.
    fn isolated_at(&self, isolation: Isolation) -> Option<Time> {
        match isolation {
            Isolation::Fenced | Isolation::Exclusive { timeout_ms: None } => None,
            Isolation::Exclusive {
                timeout_ms: Some(ms),
            } => Some(self.heard_of_at + Duration::from_millis(ms)),
        }
    }

    /// Moves the deadlines of the guards of exclusive tasks.
    fn extend(&mut self, out: &mut Vec<TaskManagerAction>) {
        let heard_of_at = self.heard_of_at;
        self.tasks.extend(heard_of_at, EXTEND_PART, out);
    }

    fn drain(&mut self) {
        self.reporting.flags_changed |= !self.is_draining;
        self.is_draining = true;
    }

    fn exit_if_drained(&mut self, now: Time, out: &mut Vec<TaskManagerAction>) {
        if !self.is_draining || self.tasks.has_live() || self.has_exited {
            self.empty_since = None;
            return;
        }
        let since = *self.empty_since.get_or_insert(now);
        // The leader should hear that they have ended, and that it leaves, if there is a leader.
        if !self.reporting.has_news(&self.tasks) || since + DRAIN_PATIENCE <= now {
            self.has_exited = true;
            out.push(TaskManagerAction::Exit);
        }
    }
}
