//! [`JobRecord`]: the one record of a job, as the leader commits it.
//!
//! Only what must outlive a JobManager is here. Process ids and the states of tasks stay in memory:
//! the TaskManagers report them.

mod size;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use self::size::largest_size;
use crate::checkpoint::{Checkpoint, Closing, Intent, RestorePoint, Savepoint};
use crate::{Attempt, Incarnation, JobId, JobSpec, NodeNonce, Rank, SavepointId};

/// The format of records of jobs.
pub const FORMAT: u32 = 1;

/// Largest record of a job as JSON, in bytes. Checked at submission for the job's whole life.
pub const LARGEST_RECORD: usize = 400 * 1024;

/// Most ended attempts that a record keeps: the newest.
pub const MOST_ENDED_ATTEMPTS: usize = 20;

/// How many of the ended attempts keep the last lines of their tasks: the newest.
pub(crate) const MOST_WITH_LINES: usize = 5;

/// Largest cause, in bytes.
pub const LARGEST_CAUSE: usize = 4 * 1024;

/// The body of `jobs/<id>`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobRecord {
    /// [`FORMAT`].
    pub format: u32,
    /// The id, as in the name of the record.
    pub id: JobId,
    /// Which job of that id.
    pub incarnation: Incarnation,
    /// When it was submitted, on the submitting node's clock. For people.
    pub submitted_at: String,
    /// Milliseconds since 1970 of the same moment: orders waiting jobs, and nothing else.
    pub submitted_ms: u64,
    /// What it is.
    pub spec: JobSpec,
    /// Where it stands.
    pub state: JobState,
    /// What its owner wants.
    pub desired: Desired,
    /// The present attempt; 0 before the first.
    pub attempt: Attempt,
    /// How many tasks the next attempt has, if that is not what the specification says; see
    /// [`JobRecord::tasks`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rescaled: Option<u32>,
    /// The TaskManagers of the present attempt.
    #[serde(default)]
    pub nodes: Vec<PlacedNode>,
    /// Where each rank of the present attempt is, by rank.
    #[serde(default)]
    pub placements: Vec<Placement>,
    /// The attempts that ended, oldest first.
    #[serde(default)]
    pub ended: Vec<EndedAttempt>,
    /// How often the job was restarted.
    #[serde(default)]
    pub restarts: u32,
    /// Restarts since the last healthy while; what the restart strategy counts.
    #[serde(default)]
    pub restarts_in_row: u32,
    /// The completed checkpoints that are kept, oldest first. The next attempt starts from the
    /// last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub checkpoints: Vec<Checkpoint>,
    /// The savepoints, oldest first. They stay until they are removed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub savepoints: Vec<Savepoint>,
    /// What the first attempt starts from, resolved from [`JobSpec::restore`]. While the job lives
    /// and has no checkpoint of its own, this pins what it names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<RestorePoint>,
    /// What its owner wants and that needs a checkpoint first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub intent: Option<Intent>,
    /// Its last checkpoint is committed, and is being published.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closing: Option<Closing>,
    /// Why the last attempt failed, or the job ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<Cause>,
    /// When it ended. For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<String>,
}

/// Where a job stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum JobState {
    /// No attempt was placed yet.
    Waiting,
    /// The attempt in the record is placed.
    Running,
    /// The attempt in the record has ended; the next one begins when its delay is over, the old
    /// ranks are known to be gone, and slots are free.
    Restarting,
    /// An intent to end is written: tasks are being ended, or publish what the last checkpoint has
    /// committed and end by themselves (`closing`).
    Stopping,
    /// Ended as wanted, and can be resumed.
    Suspended,
    /// All ranks exited with 0.
    Finished,
    /// It failed, and is not restarted.
    Failed,
    /// Ended because its owner wanted so.
    Canceled,
}

/// What the owner of a job wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Desired {
    /// It runs.
    Running,
    /// It is stopped, with a savepoint if it checkpoints, and can be resumed.
    Suspended,
    /// It is canceled.
    Canceled,
}

/// A TaskManager that has tasks of the present attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlacedNode {
    /// The process.
    pub nonce: NodeNonce,
    /// Its name, for people.
    pub name: String,
    /// Where its orders go: `host:port`.
    pub address: String,
    /// Where it can be seen to live, if it can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub liveness: Option<LivenessAddress>,
}

/// Where a process can be seen to live (R9).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LivenessAddress {
    /// `host:port`.
    pub address: String,
    /// The network scope in which the address means this process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// The nonce that the endpoint says.
    pub nonce: String,
}

/// Where one rank of the present attempt is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Placement {
    /// Index into [`JobRecord::nodes`].
    pub node: u32,
    /// The slot there.
    pub slot: u32,
    /// The port that the TaskManager reserved for it.
    pub port: u16,
}

/// An attempt that ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EndedAttempt {
    /// Which.
    #[schema(value_type = u32)]
    pub attempt: Attempt,
    /// When, on the leader's clock. For people.
    pub ended_at: String,
    /// Why.
    pub cause: Cause,
}

/// Why an attempt failed: the root cause, which happened first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Cause {
    /// What kind of thing happened.
    pub kind: CauseKind,
    /// In words, for people: what happened, to what, and what to do.
    pub message: String,
    /// The rank that failed first, if a rank did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<u32>)]
    pub rank: Option<Rank>,
    /// The name of its TaskManager.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// The exit code of its process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// The signal that ended its process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal: Option<i32>,
    /// The last lines that it printed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub last_lines: Vec<String>,
}

/// Kinds of causes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CauseKind {
    /// A process exited with another code than 0, or was ended by a signal.
    TaskFailed,
    /// A process could not be started: no such program, artifact missing or altered, no directory.
    NotStarted,
    /// Its TaskManager is proven dead.
    NodeDied,
    /// Its TaskManager was silent for too long.
    NodeSilent,
    /// Its TaskManager says that it does not have it.
    TaskLost,
    /// A TaskManager ended it at the isolation timeout.
    Isolated,
    /// Its TaskManager was drained.
    Drained,
    /// A person restarted the job.
    Restarted,
    /// A person gave the job another number of tasks.
    Rescaled,
    /// A person stopped the job; it can be resumed.
    Stopped,
    /// Too many checkpoints in a row were not completed.
    CheckpointsFailed,
    /// What the attempt was to start from is gone or altered.
    NotRestored,
    /// A person canceled the job.
    Canceled,
    /// The job was refused: its name is another live job's, for example.
    Refused,
}

impl JobState {
    /// Whether nothing of it is to run, now or by itself later.
    pub fn is_at_rest(self) -> bool {
        self == Self::Suspended || self.is_terminal()
    }

    /// Whether it has ended for good.
    pub fn is_terminal(self) -> bool {
        match self {
            Self::Finished | Self::Failed | Self::Canceled => true,
            Self::Waiting | Self::Running | Self::Restarting | Self::Stopping | Self::Suspended => {
                false
            }
        }
    }
}

impl JobRecord {
    /// The record of a job that is submitted: nothing of it exists yet.
    pub fn new(
        id: JobId,
        incarnation: Incarnation,
        spec: JobSpec,
        submitted_at: String,
        submitted_ms: u64,
    ) -> Self {
        Self {
            format: FORMAT,
            id,
            incarnation,
            submitted_at,
            submitted_ms,
            spec,
            state: JobState::Waiting,
            desired: Desired::Running,
            attempt: Attempt(0),
            rescaled: None,
            nodes: Vec::new(),
            placements: Vec::new(),
            ended: Vec::new(),
            restarts: 0,
            restarts_in_row: 0,
            checkpoints: Vec::new(),
            savepoints: Vec::new(),
            origin: None,
            intent: None,
            closing: None,
            cause: None,
            ended_at: None,
        }
    }

    /// Whether the attempt in the record is to run: it does its work, or publishes what its last
    /// checkpoint has committed.
    pub fn is_to_run(&self) -> bool {
        match self.state {
            JobState::Running => true,
            JobState::Stopping => self.closing.is_some(),
            JobState::Waiting
            | JobState::Restarting
            | JobState::Suspended
            | JobState::Finished
            | JobState::Failed
            | JobState::Canceled => false,
        }
    }

    /// Whether its tasks speak the contract.
    pub fn is_checkpointing(&self) -> bool {
        self.spec.checkpoints.is_some()
    }

    /// The number of the newest completed checkpoint; 0 if there is none.
    pub fn newest_checkpoint(&self) -> u64 {
        self.checkpoints.last().map_or(0, |last| last.number)
    }

    /// Its savepoint of this id.
    pub fn savepoint(&self, id: SavepointId) -> Option<&Savepoint> {
        self.savepoints.iter().find(|savepoint| savepoint.id == id)
    }

    /// How many tasks the next attempt has.
    pub fn tasks(&self) -> u32 {
        self.rescaled.unwrap_or(self.spec.tasks)
    }

    /// What the next attempt starts from: the last completed checkpoint, or else the origin.
    pub fn restore_point(&self) -> Option<RestorePoint> {
        match self.checkpoints.last() {
            Some(last) => Some(last.restore_point(self.id, self.incarnation)),
            None => self.origin.clone(),
        }
    }

    /// The node of a rank of the present attempt.
    pub fn node_of(&self, rank: Rank) -> Option<&PlacedNode> {
        let placement = self.placements.get(rank.0 as usize)?;
        self.nodes.get(placement.node as usize)
    }
}
