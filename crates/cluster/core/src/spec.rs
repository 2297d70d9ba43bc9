//! [`JobSpec`]: what a job is, as its owner submits it. It never changes.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::checkpoint::RestoreFrom;

/// Most tasks of a job: their placements must fit into its record.
pub const MOST_TASKS: u32 = 1000;

/// Longest specification as JSON, in bytes.
pub const LARGEST_SPEC: usize = 64 * 1024;

/// Longest name of a job, in bytes.
pub const LONGEST_JOB_NAME: usize = 100;

/// What a job is. Submitting the same id with another specification is refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct JobSpec {
    /// For people, unique among live jobs. Letters, digits, `-`, `_` and `.`.
    pub name: String,
    /// How many tasks, each a process in a slot.
    #[serde(default = "one")]
    pub tasks: u32,
    /// The program and its arguments. May contain templates such as `{rank}`.
    pub command: Vec<String>,
    /// The file that `{artifact}` names; fetched from the blobs by its digest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact: Option<Artifact>,
    /// The environment of each task, besides what every task gets. May contain templates.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    /// Variables whose values are read from files on the machine of the TaskManager: secrets.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env_files: BTreeMap<String, String>,
    /// What happens after an attempt has failed.
    #[serde(default)]
    pub restart: Restart,
    /// Whether two attempts may overlap.
    #[serde(default)]
    pub isolation: Isolation,
    /// How long a task may take to end after SIGTERM, in milliseconds.
    #[serde(default = "default_grace_ms")]
    pub grace_ms: u64,
    /// Names under which the HTTP endpoint of a task is reached; today all mean its one port.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub endpoints: Vec<String>,
    /// That its tasks speak the contract, and how it checkpoints. Without it, tasks are any
    /// programs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkpoints: Option<Checkpointing>,
    /// What its first attempt starts from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restore: Option<RestoreFrom>,
}

/// How a job checkpoints (R12, R14). Times are in milliseconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Checkpointing {
    /// Between two triggers. If not said: 1 s, or what the store of the cluster asks for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval_ms: Option<u64>,
    /// A checkpoint that is not complete after this long is aborted.
    #[serde(default = "default_timeout_ms")]
    pub timeout_ms: u64,
    /// So many aborted ones in a row fail the attempt.
    #[serde(default = "default_failures")]
    pub failures: u32,
    /// How many completed ones are kept, 1 to
    /// [`MOST_CHECKPOINTS`](crate::checkpoint::MOST_CHECKPOINTS).
    #[serde(default = "default_kept")]
    pub keep: u32,
}

impl Default for Checkpointing {
    fn default() -> Self {
        Self {
            interval_ms: None,
            timeout_ms: default_timeout_ms(),
            failures: default_failures(),
            keep: default_kept(),
        }
    }
}

/// A file of a job, in the blobs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Artifact {
    /// Its SHA-256, 64 hexadecimal digits.
    pub digest: String,
    /// The name it gets in the task's directory.
    pub name: String,
    /// Its length in bytes.
    pub size: u64,
}

/// What happens after an attempt has failed. Delays are in milliseconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "strategy", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Restart {
    /// The delay doubles with each failure, and begins anew after a healthy while.
    ExponentialDelay {
        /// The first delay.
        initial_ms: u64,
        /// The longest delay.
        max_ms: u64,
        /// After an attempt that ran this long, the next delay is the first one again.
        reset_after_ms: u64,
        /// How many restarts without such a healthy while; `None` for no limit.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        attempts: Option<u32>,
    },
    /// The same delay each time.
    FixedDelay {
        /// The delay.
        delay_ms: u64,
        /// How many restarts.
        attempts: u32,
    },
    /// The first failure fails the job.
    None,
}

/// Whether two attempts of a job may overlap (R8).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "mode", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Isolation {
    /// Every effect of the job goes through what refuses older attempts. The next attempt may begin
    /// while an older one that is cut off still runs.
    Fenced,
    /// Two attempts never run at the same time. A TaskManager that is cut off ends its tasks after
    /// the timeout.
    Exclusive {
        /// The isolation timeout in milliseconds; `None` is never: then only proof of death or a
        /// person (`node forget`) lets the next attempt begin.
        timeout_ms: Option<u64>,
    },
}

/// The isolation timeout of an exclusive job that names none.
pub const DEFAULT_ISOLATION: Duration = Duration::from_secs(300);

impl Default for Restart {
    fn default() -> Self {
        Self::ExponentialDelay {
            initial_ms: 1_000,
            max_ms: 60_000,
            reset_after_ms: 600_000,
            attempts: None,
        }
    }
}

impl Default for Isolation {
    fn default() -> Self {
        Self::Exclusive {
            timeout_ms: Some(300_000),
        }
    }
}

impl Isolation {
    /// Whether two attempts never overlap.
    pub fn is_exclusive(self) -> bool {
        matches!(self, Self::Exclusive { .. })
    }
}

fn one() -> u32 {
    1
}

fn default_timeout_ms() -> u64 {
    60_000
}

fn default_failures() -> u32 {
    3
}

fn default_kept() -> u32 {
    crate::checkpoint::KEPT_CHECKPOINTS
}

pub(crate) fn default_grace_ms() -> u64 {
    10_000
}
