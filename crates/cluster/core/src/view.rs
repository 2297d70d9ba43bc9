//! What people and programs are shown: the JSON of `/v1`.
//!
//! Fields are only added, never renamed: others rely on them.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::checkpoint::{Checkpoint, Intent, RestorePoint, Savepoint};
use crate::record::EndedAttempt;
use crate::{Cause, Desired, JobRecord, JobSpec, JobState};

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
    /// How many tasks it has, or is to have as soon as it has slots for them.
    #[serde(default)]
    pub wanted_tasks: u32,
    /// The last completed checkpoint. Always `null` for jobs without checkpoints.
    pub checkpoint: Option<CheckpointView>,
    /// More about checkpoints; in the view of one job that checkpoints only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkpoints: Option<CheckpointsView>,
    /// Its savepoints, oldest first; in the view of one job only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub savepoints: Vec<SavepointView>,
    /// How often it was restarted.
    pub restarts: u32,
    /// Why the last attempt failed, or why the job ended.
    pub cause: Option<Cause>,
    /// What its owner wants.
    pub desired: Desired,
    /// What is being done for that and needs a checkpoint first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub intent: Option<Intent>,
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
    /// The line for people that it said last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<String>,
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
    /// The attempt that made it.
    pub attempt: u32,
    /// How many tasks that attempt had.
    pub tasks: u32,
    /// When it was completed.
    pub completed_at: String,
    /// Its size.
    pub bytes: u64,
    /// From the trigger to the last acknowledgement, in milliseconds.
    pub took_ms: u64,
    /// The savepoint that it is: 32 hexadecimal digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub savepoint: Option<String>,
}

/// The checkpoints of a job; in the view of one job only.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CheckpointsView {
    /// The interval, in milliseconds.
    pub interval_ms: u64,
    /// The completed ones that are kept, oldest first.
    pub completed: Vec<CheckpointView>,
    /// The one that is being made.
    pub pending: Option<PendingCheckpointView>,
    /// The last one that this leader has aborted.
    pub last_aborted: Option<AbortedCheckpointView>,
    /// How many were aborted in a row.
    pub aborted_in_row: u32,
    /// The savepoint that this leader has given up last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub given_up: Option<GivenUpSavepointView>,
    /// What this job started from, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restored_from: Option<String>,
}

/// A savepoint that was given up.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct GivenUpSavepointView {
    /// 32 hexadecimal digits.
    pub id: String,
    /// Why, in words.
    pub why: String,
}

/// A checkpoint that is being made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PendingCheckpointView {
    /// Its number.
    pub number: u64,
    /// Since how many milliseconds.
    pub for_ms: u64,
    /// The ranks that have not acknowledged it, at most 100 of them.
    pub missing: Vec<u32>,
    /// The savepoint that it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub savepoint: Option<String>,
}

/// A checkpoint that was aborted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AbortedCheckpointView {
    /// Its number.
    pub number: u64,
    /// When.
    pub at: String,
    /// Why, in words.
    pub why: String,
    /// The ranks that had not acknowledged it, at most 100 of them.
    pub late: Vec<u32>,
}

/// A savepoint.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SavepointView {
    /// 32 hexadecimal digits.
    pub id: String,
    /// The job that it is of: 32 hexadecimal digits.
    pub job: String,
    /// The name of that job.
    pub name: String,
    /// What it is.
    pub checkpoint: CheckpointView,
    /// Whether the record of its job is there. If not, only its files are known.
    pub has_job: bool,
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
    /// TaskManagers that have reported of late and are not verified.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refused: Vec<RefusedNodeView>,
    /// The pods that Kubernetes was asked for, if it makes TaskManagers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pods: Vec<PodView>,
}

/// A pod that Kubernetes was asked for. Its TaskManager has the same name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PodView {
    /// Its name.
    pub name: String,
    /// How far it is.
    pub state: PodViewState,
    /// Slots of its TaskManager.
    pub slots: u32,
    /// The epoch of the leader that asked for it.
    pub epoch: u64,
    /// The node of Kubernetes that it is on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// Why it does not get further, in the words of Kubernetes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// How far a pod is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PodViewState {
    /// Kubernetes was asked for it and has not answered.
    Asked,
    /// It has not started.
    Pending,
    /// It runs, and its TaskManager has not registered.
    Running,
    /// Its TaskManager takes tasks.
    Registered,
    /// Its TaskManager is silent or dead.
    Lost,
    /// It is being given back.
    Leaving,
    /// It has ended.
    Ended,
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
    /// Its version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The address that its last full report came from, if the leader has verified it by connecting
    /// back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen: Option<String>,
    /// What it advertises: `host` or `host:port`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub advertised: Option<String>,
}

/// A TaskManager that is not verified: the leader cannot connect back to it, so it gets no tasks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RefusedNodeView {
    /// Its name, as it says.
    pub name: String,
    /// The address that it reports from.
    pub seen: String,
    /// What it advertises.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub advertised: Option<String>,
    /// Why it is not verified, and what to do.
    pub why: String,
    /// How long ago it tried last, in milliseconds.
    pub ago_ms: u64,
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

impl JobView {
    /// How many tasks it has, or is to have as soon as it has slots for them.
    pub fn task_count(&self) -> usize {
        match (self.wanted_tasks, self.tasks.len(), &self.spec) {
            // A leader of an older version does not say it.
            (0, 0, Some(spec)) => spec.tasks as usize,
            (0, placed, _) => placed,
            (wanted, ..) => wanted as usize,
        }
    }
}

impl CheckpointView {
    /// What a record says of one.
    pub fn of(checkpoint: &Checkpoint) -> Self {
        Self {
            number: checkpoint.number,
            attempt: checkpoint.attempt.0,
            tasks: checkpoint.tasks,
            completed_at: checkpoint.completed_at.clone(),
            bytes: checkpoint.bytes,
            took_ms: checkpoint.took_ms,
            savepoint: checkpoint.savepoint.map(|id| id.to_string()),
        }
    }
}

impl SavepointView {
    /// What the record of its job says of one.
    pub fn of(record: &JobRecord, savepoint: &Savepoint) -> Self {
        Self {
            id: savepoint.id.to_string(),
            job: record.id.to_string(),
            name: record.spec.name.clone(),
            checkpoint: CheckpointView::of(&savepoint.checkpoint),
            has_job: true,
        }
    }

    /// All that a record has, oldest first.
    pub fn all_of(record: &JobRecord) -> Vec<Self> {
        let of = |savepoint| Self::of(record, savepoint);
        record.savepoints.iter().map(of).collect()
    }
}

impl CheckpointsView {
    /// What a record says: what is completed, and what the job started from. Only the leader knows
    /// what is pending.
    pub fn of(record: &JobRecord, interval_ms: u64) -> Self {
        Self {
            interval_ms,
            completed: record.checkpoints.iter().map(CheckpointView::of).collect(),
            pending: None,
            last_aborted: None,
            aborted_in_row: 0,
            given_up: None,
            restored_from: record.origin.as_ref().map(origin_text),
        }
    }
}

/// What a job started from, in words.
pub(crate) fn origin_text(point: &RestorePoint) -> String {
    let from = &point.from;
    match from.savepoint {
        Some(savepoint) => format!(
            "savepoint {savepoint} (checkpoint {} of job {})",
            from.number, from.job
        ),
        None => format!("checkpoint {} of job {}", from.number, from.job),
    }
}
