//! [`TaskManagerAction`]: what a TaskManager is to do.

use std::time::Duration;

use incumbent_core::Time;

use crate::checkpoint::RankPart;
use crate::leader::Story;
use crate::message::{ContractOrder, Deploy, Refused, Report};
use crate::{SavepointId, TaskId};

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
    /// What the task said is taken.
    Heard,
    /// It is not, and why.
    NotHeard(NotHeard),
    /// Tell this task, in the order of these actions.
    TellTask {
        /// Which.
        task: TaskId,
        /// What.
        what: ContractOrder,
    },
    /// This rank has finished, and a savepoint is made: copy its last files to where those of the
    /// savepoint lie. The answer is an [`Said::Acked`](super::Said) whose part is that of a
    /// finished rank. Only the newest of a task counts.
    CopyLast {
        /// Which.
        task: TaskId,
        /// The checkpoint.
        number: u64,
        /// The savepoint that it is.
        savepoint: SavepointId,
        /// The last files.
        part: RankPart,
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

/// Why what a task said is not taken. Nothing has changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotHeard {
    /// The task is not here, or has ended.
    #[error("the task does not run")]
    NoSuchTask,
    /// Its job does not checkpoint.
    #[error("the job has no [checkpoints]: its tasks are not asked for any")]
    NotCheckpointing,
    /// Nobody asked for this checkpoint, or it was aborted.
    #[error("checkpoint {number} is not asked for{}", pending_text(*pending))]
    NotPending {
        /// The number.
        number: u64,
        /// The one that is.
        pending: Option<u64>,
    },
    /// It was acknowledged with other files.
    #[error("checkpoint {number} is acknowledged already, with other files")]
    OtherFiles {
        /// The number.
        number: u64,
    },
    /// It said before that nothing more will come.
    #[error("the task has finished: nothing more can come of it")]
    Finished,
}

fn pending_text(pending: Option<u64>) -> String {
    pending.map_or_else(String::new, |number| format!("; number {number} is"))
}
