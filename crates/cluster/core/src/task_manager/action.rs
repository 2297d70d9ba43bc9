//! [`TaskManagerAction`]: what a TaskManager is to do.

use std::time::Duration;

use incumbent_core::Time;

use crate::TaskId;
use crate::leader::Story;
use crate::message::{Deploy, Refused, Report};

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
    /// Send this report to the leader at this address. One that is still under way is given up: it
    /// may arrive or not, and its acknowledgement counts as well.
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
    Tell(Story),
}
