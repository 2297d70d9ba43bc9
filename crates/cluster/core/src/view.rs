//! What people and programs are shown: the JSON of `/v1`.
//!
//! Fields are only added, never renamed: others rely on them.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::record::EndedAttempt;
use crate::{Cause, Desired, JobSpec, JobState};

/// A job, as `/v1/jobs/{id}` shows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct JobView {
    /// 32 hexadecimal digits.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Where it stands. `running` when all tasks of the present attempt run, are done, or are
    /// `unknown` because their TaskManager is silent: until then it is `waiting` or `restarting`.
    pub state: JobState,
    /// The present attempt; 0 before the first.
    pub attempt: u32,
    /// The epoch of the leader that answers.
    pub epoch: u64,
    /// The tasks of the present attempt, by rank.
    pub tasks: Vec<TaskView>,
    /// The last completed checkpoint. Always `null` for jobs without checkpoints.
    pub checkpoint: Option<CheckpointView>,
    /// How often it was restarted.
    pub restarts: u32,
    /// Why the last attempt failed, or why the job ended.
    pub cause: Option<Cause>,
    /// What its owner wants.
    pub desired: Desired,
    /// Why it does not run, in words: one line each.
    #[serde(default)]
    pub why: Vec<String>,
    /// When it was submitted.
    pub submitted_at: String,
    /// When it ended.
    pub ended_at: Option<String>,
    /// 16 hexadecimal digits that no other job of this id has.
    pub incarnation: String,
    /// The attempts that ended, oldest first; in the view of one job only.
    #[serde(default)]
    pub attempts: Vec<EndedAttempt>,
    /// What was submitted; in the view of one job only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spec: Option<JobSpec>,
}

/// A task of the present attempt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TaskView {
    /// Its place in the gang.
    pub rank: u32,
    /// `placed`, `starting`, `running`, `ending`, `ended` or `unknown` (its TaskManager is silent).
    pub state: TaskViewState,
    /// The name of its TaskManager.
    pub node: Option<String>,
    /// The process id, if it runs.
    pub pid: Option<u32>,
    /// Since when it is in this state.
    pub since: Option<String>,
    /// `host:port` that was granted to it.
    pub address: Option<String>,
}

/// How a task is, for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TaskViewState {
    /// Written down, and ordered.
    Placed,
    /// Being started.
    Starting,
    /// Running.
    Running,
    /// Being ended.
    Ending,
    /// Ended.
    Ended,
    /// Its TaskManager is silent, or did not report to this leader yet.
    Unknown,
}

/// A completed checkpoint.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CheckpointView {
    /// Its number.
    pub number: u64,
    /// When it was completed.
    pub completed_at: String,
    /// Its size.
    pub bytes: u64,
}

/// The cluster, as `/v1/cluster` shows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ClusterView {
    /// The id of the cluster.
    pub id: String,
    /// The leading JobManager.
    pub leader: LeaderView,
    /// The epoch of its term.
    pub epoch: u64,
    /// All JobManagers that are known, and all TaskManagers.
    pub nodes: Vec<NodeView>,
    /// Slots of all TaskManagers.
    pub slots: u32,
    /// Slots that are free.
    pub slots_free: u32,
    /// Whether all records of jobs are open. Until then the list of jobs grows.
    pub is_complete: bool,
    /// Jobs whose records cannot be read. Their tasks are left alone.
    #[serde(default)]
    pub damaged: Vec<DamagedJobView>,
}

/// A job whose record cannot be read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct DamagedJobView {
    /// 32 hexadecimal digits.
    pub id: String,
    /// What is wrong with its record.
    pub why: String,
}

/// The leading JobManager.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LeaderView {
    /// Its name as a candidate.
    pub name: String,
    /// Its process id.
    pub pid: u32,
    /// `host:port`.
    pub address: String,
    /// Since when it leads.
    pub since: String,
}

/// A node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct NodeView {
    /// What it is.
    pub kind: NodeKind,
    /// Its name.
    pub name: String,
    /// The nonce of its process: 32 hexadecimal digits.
    pub nonce: String,
    /// Its process id.
    pub pid: u32,
    /// `host:port`.
    pub address: String,
    /// Its slots; 0 for a JobManager.
    pub slots: u32,
    /// Its free slots.
    pub slots_free: u32,
    /// How it is.
    pub state: NodeViewState,
    /// Since how many milliseconds nothing was heard of it.
    pub silent_ms: u64,
}

/// Kinds of nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum NodeKind {
    /// A JobManager.
    JobManager,
    /// A TaskManager.
    TaskManager,
}

/// How a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum NodeViewState {
    /// It reports.
    Live,
    /// It leaves.
    Draining,
    /// It has not reported for a while.
    Silent,
    /// It is proven dead, and old ranks that it had are waited for no more.
    Dead,
}
