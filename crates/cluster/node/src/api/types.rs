//! What `/v1` takes and gives, besides the views of `incumbent_cluster_core::view`.

use incumbent_cluster_core::record::EndedAttempt;
use incumbent_cluster_core::view::{JobView, NodeView, SavepointView, TaskView};
use incumbent_cluster_core::{Cause, JobState, SavepointId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Which state is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum AsOf {
    /// What the tasks know now. It is not committed yet.
    #[default]
    Live,
    /// What the newest committed checkpoint has.
    Checkpoint,
}

/// The value of a key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct StateValue {
    /// The name of the state.
    pub state: String,
    /// The key: any JSON.
    #[schema(value_type = Object)]
    pub key: serde_json::Value,
    /// Its value: any JSON.
    #[schema(value_type = Object)]
    pub value: serde_json::Value,
    /// The rank that has it.
    pub rank: u32,
    /// Whether it is live.
    pub as_of: AsOf,
    /// The attempt that it is of.
    pub attempt: u32,
    /// The number of the checkpoint that it is of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkpoint: Option<u64>,
}

/// Some keys of a state, in the order of their JSON, with their values.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct StateRange {
    /// The name of the state.
    pub state: String,
    /// The lowest keys of the range.
    pub entries: Vec<StateEntry>,
    /// Whether the range has more than the limit let through.
    pub more: bool,
    /// Whether it is live.
    pub as_of: AsOf,
    /// The attempt that it is of.
    pub attempt: u32,
    /// The number of the checkpoint that it is of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkpoint: Option<u64>,
}

/// A key, its value, and where it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct StateEntry {
    /// The key: any JSON.
    #[schema(value_type = Object)]
    pub key: serde_json::Value,
    /// Its value: any JSON.
    #[schema(value_type = Object)]
    pub value: serde_json::Value,
    /// The rank that has it.
    pub rank: u32,
}

/// The names of the states of a job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct StateNames {
    /// The names.
    pub states: Vec<String>,
    /// Whether they are of the tasks that run.
    pub as_of: AsOf,
    /// The attempt that they are of.
    pub attempt: u32,
    /// The number of the checkpoint that they are of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkpoint: Option<u64>,
}

/// A page of jobs, newest first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct JobList {
    /// The jobs, without their specifications and ended attempts.
    pub jobs: Vec<JobView>,
    /// What to give as `after` for the next page; `null` if this is the last.
    pub next: Option<String>,
    /// Whether the leader has opened all records. Until then, jobs may be missing.
    pub is_complete: bool,
}

/// The tasks of the present attempt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TaskList {
    /// The attempt.
    pub attempt: u32,
    /// Its tasks by rank.
    pub tasks: Vec<TaskView>,
}

/// The attempts of a job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AttemptList {
    /// The present attempt; 0 before the first.
    pub attempt: u32,
    /// Those that ended, oldest first; the newest 20.
    pub ended: Vec<EndedAttempt>,
}

/// The nodes of the cluster.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct NodeList {
    /// JobManagers and TaskManagers.
    pub nodes: Vec<NodeView>,
}

/// Why a job is as it is, in words.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Why {
    /// The id of the job.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Where it stands.
    pub state: JobState,
    /// What there is to say, one line each: what it waits for, what failed first, which node is
    /// silent since when.
    pub lines: Vec<String>,
    /// Which operator of a stream job is slow, by the metrics that its tasks push. It is in
    /// `lines`, too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pace: Vec<String>,
    /// Why the last attempt failed, or the job ended.
    pub cause: Option<Cause>,
}

/// What is wanted of a job. Idempotent: the same wish again changes nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "state", rename_all = "snake_case", deny_unknown_fields)]
pub enum WantedJob {
    /// It runs. A suspended job is resumed; one that is being stopped, and has no savepoint yet, is
    /// not stopped.
    Running {
        /// In an attempt later than this one: the present one is restarted, unless that has
        /// happened already. So a repeated request restarts nothing twice.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        after_attempt: Option<u32>,
        /// With so many tasks. A job that checkpoints makes a checkpoint, and goes on from it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        tasks: Option<u32>,
    },
    /// It is stopped, and can be resumed.
    Suspended {
        /// The id of the savepoint that it is stopped with: 32 hexadecimal digits, drawn by the
        /// client before its first try. Needed for a job that checkpoints.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schema(value_type = Option<String>)]
        savepoint: Option<SavepointId>,
    },
    /// It is canceled.
    Canceled {},
}

/// A page of savepoints, in the order of their ids.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SavepointList {
    /// The savepoints.
    pub savepoints: Vec<SavepointView>,
    /// What to give as `after` for the next page; `null` if this is the last.
    pub next: Option<String>,
    /// Whether the leader has opened all records. Until then, savepoints of jobs that it has not
    /// opened are shown as if only their files were known.
    pub is_complete: bool,
    /// Those in the range of this page that this version cannot read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unreadable: Vec<UnreadableSavepoint>,
    /// Why savepoints are missing of which only the files are left: the blobs do not answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub without_files: Option<String>,
}

/// A savepoint that this version cannot read: it is damaged, or another version wrote it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UnreadableSavepoint {
    /// 32 hexadecimal digits.
    pub id: String,
    /// Why.
    pub why: String,
}

/// What is wanted of a TaskManager.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "state", rename_all = "snake_case", deny_unknown_fields)]
pub enum WantedNode {
    /// Its tasks run elsewhere, and it gets no more.
    Draining {},
    /// It, and all that it ran, is gone for good. A person says so: exclusive jobs may then start
    /// again elsewhere. If it is not true, they run twice.
    Forgotten {},
}

/// An artifact that is here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ArtifactView {
    /// Its SHA-256, 64 hexadecimal digits.
    pub digest: String,
    /// Its length in bytes.
    pub size: u64,
}

/// A line of a log, as events carry it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LogLine {
    /// Whose line it is.
    pub rank: u32,
    /// Of which attempt.
    pub attempt: u32,
    /// The line, without its end.
    pub line: String,
}

/// The end of a log that was followed: the job has ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LogEnd {
    /// How the job ended.
    pub state: JobState,
}
