//! What a leading JobManager and a TaskManager say to each other: [`Order`] down, [`Report`] up,
//! [`Ack`] as the answer to a report.
//!
//! Every message carries the seal of the term that its sender knows, and the nonce of the
//! TaskManager's process. A TaskManager refuses what is older than what it has seen (R7).

use incumbent_core::Seal;
use serde::{Deserialize, Serialize};

use crate::checkpoint::{RankPart, RestorePoint};
use crate::record::LivenessAddress;
use crate::{Artifact, Attempt, Incarnation, Isolation, JobId, NodeNonce, SavepointId, TaskId};

/// From the leader to one TaskManager.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// The term that gives it.
    pub seal: Seal,
    /// The process that it is for. Another process at the same address refuses it.
    pub to: NodeNonce,
    /// Rises with each order of this term to this process. An order that was overtaken is refused,
    /// so one that was delayed on its way does nothing any more.
    pub seq: u64,
    /// What to do.
    pub command: Command,
}

/// What a TaskManager is to do. Each may come twice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum Command {
    /// A new leader asks: report everything, to me.
    Report {
        /// Where the leader takes reports: `http://host:port`.
        leader: String,
    },
    /// Start this task, unless it runs, or has ended, or a newer attempt is known.
    Deploy(Box<Deploy>),
    /// End this task: SIGTERM, and SIGKILL after the grace. It is reported as ended, also if it was
    /// never there.
    End {
        /// Which.
        task: TaskId,
        /// Milliseconds between SIGTERM and SIGKILL.
        grace_ms: u64,
    },
    /// The reports of these ended tasks were written down: forget them.
    Forget {
        /// Which.
        tasks: Vec<TaskId>,
    },
    /// Take no new tasks.
    Drain,
    /// About checkpoints of one attempt: for all its ranks there.
    Contract {
        /// Which attempt.
        gang: Gang,
        /// What to do.
        order: ContractOrder,
    },
}

/// One attempt of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Gang {
    /// The job.
    pub job: JobId,
    /// Which job of that id.
    pub incarnation: Incarnation,
    /// The attempt.
    pub attempt: Attempt,
}

/// What tasks that speak the contract are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "contract", rename_all = "snake_case")]
pub enum ContractOrder {
    /// The whole gang is ready: answer `POST /v1/ready`.
    Begin,
    /// Store this checkpoint. The one order that no committed record says; a higher number replaces
    /// a lower one, and a number that is not above all that were seen is ignored.
    Checkpoint {
        /// Its number.
        number: u64,
        /// The savepoint that it is.
        savepoint: Option<SavepointId>,
    },
    /// The record has this checkpoint: everything staged up to it is to be published.
    Committed {
        /// Its number.
        number: u64,
    },
    /// It will never be completed. What was staged for it belongs to the next one.
    Aborted {
        /// Its number: all that are pending up to it.
        number: u64,
    },
    /// Publish nothing new, and exit with 0.
    Stop,
}

/// A task to start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deploy {
    /// Which.
    pub task: TaskId,
    /// The slot of the record.
    pub slot: u32,
    /// The port of the record.
    pub port: u16,
    /// The name of the job, for logs.
    pub name: String,
    /// How many tasks the gang has.
    pub tasks: u32,
    /// `host:port` of each rank.
    pub peers: Vec<String>,
    /// The command with its templates, to be expanded.
    pub command: Vec<String>,
    /// The environment with its templates.
    pub env: Vec<(String, String)>,
    /// Variables read from files.
    pub env_files: Vec<(String, String)>,
    /// The file to fetch.
    pub artifact: Option<Artifact>,
    /// Whether the job checkpoints: the tasks speak the contract.
    #[serde(default)]
    pub is_checkpointing: bool,
    /// What to start from.
    #[serde(default)]
    pub restore: Option<RestorePoint>,
    /// What to do when the leader is not heard of.
    pub isolation: Isolation,
    /// Milliseconds between SIGTERM and SIGKILL.
    pub grace_ms: u64,
}

/// From a TaskManager to the leader: a heartbeat, with what has changed. The first one to a new
/// term has everything, and registers the TaskManager there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// The highest seal that it has seen, raised before this report was composed (R7).
    pub seal: Seal,
    /// Which process.
    pub from: NodeNonce,
    /// Rises with each report of this process.
    pub seq: u64,
    /// Whether `tasks` is everything it has, and `node` is filled in.
    pub is_full: bool,
    /// What it is; in full reports.
    pub node: Option<NodeInfo>,
    /// The port that each slot has reserved, by slot; in full reports and when one has changed.
    pub ports: Option<Vec<u16>>,
    /// The tasks that have changed, or all.
    pub tasks: Vec<TaskReport>,
    /// Whether it leaves: its tasks are to be moved, and then it exits.
    pub is_draining: bool,
    /// Whether its blobs answer. Restarts wait for them (R4).
    pub has_blobs: bool,
}

/// What a TaskManager is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeInfo {
    /// For people; unique among live TaskManagers.
    pub name: String,
    /// The process id, for people.
    pub pid: u32,
    /// What it advertises, if it does: `host` or `host:port`.
    pub advertise: Option<String>,
    /// The port that it listens on.
    pub port: u16,
    /// Whether it speaks TLS there.
    pub is_tls: bool,
    /// How many slots.
    pub slots: u32,
    /// Where it can be seen to live.
    pub liveness: Option<LivenessAddress>,
    /// Its version.
    pub version: String,
    /// What it has in common with the other nodes, if it does.
    #[serde(default)]
    pub common: Common,
}

/// What all nodes of a cluster have to have in common, as marks: two are equal if it is the same,
/// and nobody learns a secret from one. A node of an older version does not say.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Common {
    /// The token that users need, or that there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// The place of the blobs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blobs: Option<BlobsPlace>,
}

/// Where a node has the blobs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlobsPlace {
    /// The mark of the place, which no other place has.
    pub mark: String,
    /// The URL by which the node opened it, for people. It may lead elsewhere on another machine.
    pub url: String,
}

/// One task, as its TaskManager has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskReport {
    /// Which.
    pub task: TaskId,
    /// The slot it is in.
    pub slot: u32,
    /// How it is.
    pub state: TaskState,
    /// What it has said on its socket. Nothing of it is lost when the task ends.
    #[serde(default)]
    pub contract: ContractReport,
    /// The line for people that it said last, at most [`LONGEST_PROGRESS`] bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<String>,
}

/// Longest line of [`TaskReport::progress`], in bytes.
pub const LONGEST_PROGRESS: usize = 200;

/// What a task has said and was told by the contract.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContractReport {
    /// It said `ready`.
    #[serde(default)]
    pub is_ready: bool,
    /// It was told that the gang is ready.
    #[serde(default)]
    pub has_begun: bool,
    /// It said `finish`, and its last files are durable (R6).
    #[serde(default)]
    pub has_finished: bool,
    /// It was told to stop.
    #[serde(default)]
    pub was_stopped: bool,
    /// The highest number of a checkpoint that its TaskManager has seen, by whatever order.
    #[serde(default)]
    pub seen: u64,
    /// The highest number that it was told as committed.
    #[serde(default)]
    pub committed: u64,
    /// What it has acknowledged and that is neither committed nor aborted yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acked: Option<Acked>,
}

/// An acknowledged part of a checkpoint: its files are durable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acked {
    /// The number.
    pub number: u64,
    /// The files.
    pub part: RankPart,
}

/// How a task is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum TaskState {
    /// Its artifact is fetched, its process is being started.
    Starting,
    /// Its process runs.
    Running {
        /// The process id.
        pid: u32,
        /// Since when, on the TaskManager's clock. For people.
        since: String,
    },
    /// It is being ended.
    Ending {
        /// The process id, if it had one.
        pid: Option<u32>,
    },
    /// It has ended, and everything that it started (R8 a: its guard said so).
    Ended(TaskEnd),
}

/// How a task ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskEnd {
    /// Why.
    pub how: EndedHow,
    /// The last lines that it printed.
    pub last_lines: Vec<String>,
    /// When, on the TaskManager's clock. For people.
    pub at: String,
}

/// Why a task ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "how", rename_all = "snake_case")]
pub enum EndedHow {
    /// By itself, with this code.
    Exited {
        /// The exit code.
        code: i32,
    },
    /// By this signal, which did not come from its TaskManager.
    Signaled {
        /// The number of the signal.
        signal: i32,
    },
    /// By an order.
    Ordered,
    /// By the isolation timeout.
    Isolated,
    /// It could not be started.
    NotStarted {
        /// Why, and what to do.
        why: String,
    },
    /// What it was to start from is gone or altered, and its TaskManager ended it.
    NotRestored {
        /// Which file of which checkpoint, and what to do.
        why: String,
    },
    /// The TaskManager does not have it, and never will.
    Unknown,
}

/// The answer to a report. A leader sends it only under a valid guard (R8).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ack {
    /// The term that says it.
    pub seal: Seal,
    /// The report that it answers.
    pub seq: u64,
    /// Whether the leader knows this process. If not, the next report must be full.
    pub is_registered: bool,
    /// The ended tasks whose reports were written down; the TaskManager forgets them.
    #[serde(default)]
    pub forget: Vec<TaskId>,
    /// Why the leader does not take this process in, and what to do; only if it is not registered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
}

/// Why an order was not carried out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "refused", rename_all = "snake_case")]
pub enum Refused {
    /// A newer term was seen: the process that gives this order leads no more.
    #[error("the order is of an older term; epoch {} was seen", newest.epoch)]
    Older {
        /// The newest seal that was seen.
        newest: Seal,
    },
    /// Another process listens there now.
    #[error("the order is for another process than this")]
    SomebodyElse {
        /// The process that listens.
        here: NodeNonce,
    },
    /// The slot is taken by another task that has not ended.
    #[error("slot {slot} is taken by job {by}")]
    SlotTaken {
        /// The slot.
        slot: u32,
        /// The job whose task is there.
        by: JobId,
    },
    /// It takes no new tasks.
    #[error("the TaskManager takes no new tasks")]
    Draining,
    /// An order with a higher number has come before it. What it wanted is ordered again if it is
    /// still wanted.
    #[error("order {seq} was overtaken: order {newest} came before it")]
    Overtaken {
        /// The number of the order.
        seq: u64,
        /// The highest number that came.
        newest: u64,
    },
    /// It remembers as many ended tasks as it can, because no leader has written them down.
    #[error("{remembered} ended tasks were not written down by a leader yet")]
    Remembering {
        /// How many.
        remembered: usize,
    },
}
