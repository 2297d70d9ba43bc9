//! What the overview shows.

use incumbent_cluster_core::JobState;
use incumbent_cluster_core::view::LeaderView;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The cluster at a glance.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Overview {
    /// What is wrong now: errors first. At most 20 things.
    pub wrong: Vec<Wrong>,
    /// How many more things are wrong.
    pub wrong_more: usize,
    /// The id of the cluster.
    pub cluster: String,
    /// The leading JobManager.
    pub leader: LeaderView,
    /// The epoch of its term.
    pub epoch: u64,
    /// Nodes by kind and state.
    pub nodes: NodeCounts,
    /// Slots of all TaskManagers.
    pub slots: SlotCounts,
    /// Jobs by state.
    pub jobs: JobCounts,
    /// Whether the leader has opened all records. Until then, jobs may be missing.
    pub is_complete: bool,
    /// What changes when lists change.
    pub marks: Marks,
}

/// Something that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Wrong {
    /// How bad it is.
    pub severity: Severity,
    /// What, in one sentence.
    pub text: String,
    /// What it is about, if that is one thing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about: Option<About>,
}

/// How bad something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Something does not run that should, and does not come back by itself.
    Error,
    /// Something may need a person.
    Warning,
}

/// What something is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct About {
    /// `job`, `node` or `record`.
    pub kind: String,
    /// Its id, or its name if it has no id.
    pub id: String,
    /// Its name.
    pub name: String,
}

/// Nodes by kind and state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NodeCounts {
    /// JobManagers: the leader, and those that stand by.
    pub job_managers: usize,
    /// TaskManagers that are not dead.
    pub task_managers: usize,
    /// TaskManagers that have not reported for a while.
    pub silent: usize,
    /// TaskManagers that leave.
    pub draining: usize,
    /// TaskManagers that are proven dead.
    pub dead: usize,
}

/// Slots of all TaskManagers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SlotCounts {
    /// All.
    pub total: u32,
    /// Those that are free.
    pub free: u32,
}

/// Jobs by state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct JobCounts {
    /// No attempt was placed yet.
    pub waiting: usize,
    /// All tasks run.
    pub running: usize,
    /// Another attempt follows.
    pub restarting: usize,
    /// Being ended as wanted.
    pub stopping: usize,
    /// Ended, and can be resumed.
    pub suspended: usize,
    /// All tasks exited with 0.
    pub finished: usize,
    /// Failed for good. Those that were refused before they ran are not counted.
    pub failed: usize,
    /// Ended because somebody wanted so.
    pub canceled: usize,
}

/// What changes when lists change: no number, and compared for equality only.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Marks {
    /// Of `/v1/overview/jobs`.
    pub jobs: String,
    /// Of `/v1/nodes`.
    pub nodes: String,
}

/// A page of rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct JobRows {
    /// The rows.
    pub jobs: Vec<JobRow>,
    /// How many were left out before them.
    pub offset: usize,
    /// How many jobs fit.
    pub total: usize,
    /// How many jobs there are.
    pub all: usize,
    /// Whether the leader has opened all records. Until then, jobs may be missing.
    pub is_complete: bool,
}

/// A job in one row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct JobRow {
    /// 32 hexadecimal digits.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Where it stands.
    pub state: JobState,
    /// How many tasks it has, or is to have as soon as it has slots for them.
    pub tasks: usize,
    /// How many of them run.
    pub running: usize,
    /// The present attempt.
    pub attempt: u32,
    /// How often it was restarted.
    pub restarts: u32,
    /// The last completed checkpoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkpoint: Option<RowCheckpoint>,
    /// Why it does not run, in one line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// When it was submitted.
    pub submitted_at: String,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<String>,
}

/// A checkpoint in a row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RowCheckpoint {
    /// Its number.
    pub number: u64,
    /// When it was completed.
    pub completed_at: String,
}

impl JobCounts {
    /// Counts one more job in this state.
    pub(super) fn add(&mut self, state: JobState) {
        let count = match state {
            JobState::Waiting => &mut self.waiting,
            JobState::Running => &mut self.running,
            JobState::Restarting => &mut self.restarting,
            JobState::Stopping => &mut self.stopping,
            JobState::Suspended => &mut self.suspended,
            JobState::Finished => &mut self.finished,
            JobState::Failed => &mut self.failed,
            JobState::Canceled => &mut self.canceled,
        };
        *count += 1;
    }
}
