//! [`TaskManager`]: what a TaskManager does with orders, ends of tasks, and silence of the leader.
//!
//! ```text
//!   orders of any term         ──►┌─────────────┐──► Start, End, Extend
//!   what guards say            ──►│ TaskManager │──► Send (a report), Refuse
//!   acknowledgements, a leader ──►└─────────────┘──► Reserve (a port)
//! ```
//!
//! Only acknowledgements and higher seals change what it does (R7): a view of the election that says
//! "nobody leads" changes nothing.

use std::time::Duration;

use incumbent_core::{Now, Seal, Time};

use crate::message::{Ack, Deploy, EndedHow, NodeInfo, Order, Refused, Report};
use crate::{NodeNonce, TaskId};

/// The numbers of a TaskManager.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskManagerConfig {
    /// This process.
    pub nonce: NodeNonce,
    /// What it says about itself.
    pub node: NodeInfo,
    /// Pause between heartbeats.
    pub heartbeat: Duration,
    /// How long it waits for the acknowledgement of a report before it sends another.
    pub patience: Duration,
}

/// What a TaskManager learns.
#[derive(Clone, Debug)]
pub enum TaskManagerEvent {
    /// This leader was observed. A lower seal than the highest seen is ignored.
    LeaderSeen {
        /// Its term.
        seal: Seal,
        /// Where it takes reports.
        address: String,
    },
    /// An order came. The answer is among the actions: [`TaskManagerAction::Accept`] or
    /// [`TaskManagerAction::Refuse`], always exactly one and first.
    Ordered(Box<Order>),
    /// The process of a task runs.
    Started {
        /// Which.
        task: TaskId,
        /// Its process id.
        pid: u32,
    },
    /// A task has ended, and everything that it started: its guard says so.
    Ended {
        /// Which.
        task: TaskId,
        /// How.
        how: EndedHow,
        /// The last lines that it printed.
        last_lines: Vec<String>,
    },
    /// A report was acknowledged. `sent_at` is when it was sent, on this process's clock: the
    /// isolation timeout counts from there (R8).
    Acknowledged {
        /// The acknowledgement.
        ack: Ack,
        /// When the report was sent.
        sent_at: Time,
    },
    /// A report was not acknowledged: not sent, lost, or the answer was lost.
    Unacknowledged {
        /// Which report.
        seq: u64,
    },
    /// A slot has reserved this port.
    Reserved {
        /// The slot.
        slot: u32,
        /// The port.
        port: u16,
    },
    /// Whether the blobs answer has changed.
    Blobs(bool),
    /// Leave: report it, and exit when no task is left.
    Drain,
    /// Nothing but the time has changed.
    Tick,
}

/// What a TaskManager is to do.
#[derive(Clone, Debug)]
pub enum TaskManagerAction {
    /// The order is accepted: say so.
    Accept,
    /// The order is refused: say why.
    Refuse(Refused),
    /// Start this task under a guard. `isolated_at` is its first deadline, if it is exclusive.
    Start {
        /// What to start.
        deploy: Box<Deploy>,
        /// When the guard ends it unless it is extended.
        isolated_at: Option<Time>,
    },
    /// Move the deadline of this task's guard.
    Extend {
        /// Which.
        task: TaskId,
        /// When the guard ends it.
        isolated_at: Time,
    },
    /// End this task.
    End {
        /// Which.
        task: TaskId,
        /// Between SIGTERM and SIGKILL.
        grace: Duration,
    },
    /// Send this report to the leader at this address. At most one is under way.
    Send {
        /// `http://host:port`.
        to: String,
        /// The report.
        report: Box<Report>,
    },
    /// Reserve a port for this slot.
    Reserve {
        /// The slot.
        slot: u32,
    },
    /// Everything has ended after a drain: exit.
    Exit,
    /// Log a line.
    Tell(crate::leader::Story),
}

/// A TaskManager.
#[derive(Debug)]
pub struct TaskManager {
    config: TaskManagerConfig,
}

impl TaskManager {
    /// A TaskManager that has just started.
    pub fn new(config: TaskManagerConfig, now: Now) -> Self {
        let _ = now;
        Self { config }
    }

    /// Learns something, and says what to do.
    pub fn step(&mut self, now: Now, event: TaskManagerEvent) -> Vec<TaskManagerAction> {
        let _ = (now, event, &self.config);
        Vec::new()
    }

    /// When it wants a [`TaskManagerEvent::Tick`] at the latest.
    pub fn next_wake(&self) -> Option<Time> {
        None
    }

    /// The nonce of the process.
    pub fn nonce(&self) -> NodeNonce {
        self.config.nonce
    }
}
