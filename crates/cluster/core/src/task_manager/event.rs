//! [`TaskManagerEvent`]: what a TaskManager learns.

use incumbent_core::{Seal, Time};

use crate::TaskId;
use crate::checkpoint::RankPart;
use crate::message::{Ack, Acked, EndedHow, Order};

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
    /// An order came. The answer is among the actions, always exactly one and first: `Accept` or
    /// `Refuse`.
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
    /// A task said something on its socket. The answer is among the actions, always exactly one and
    /// first: `Heard` or `NotHeard`.
    Said {
        /// Which.
        task: TaskId,
        /// What.
        said: Said,
    },
    /// Whether the blobs answer has changed.
    Blobs(bool),
    /// Leave: report it, and exit when no task is left.
    Drain,
    /// Nothing but the time has changed.
    Tick,
}

/// What a task says on its socket, once its files are durable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// It is ready to begin: what it restored is published.
    Ready,
    /// It acknowledges a checkpoint.
    Acked(Acked),
    /// Nothing more will come of it: these are its last files (R6).
    Finished(RankPart),
    /// A line for people, of at most [`LONGEST_PROGRESS`](crate::message::LONGEST_PROGRESS) bytes.
    /// It goes with the next report, and causes none.
    Progress(String),
}
