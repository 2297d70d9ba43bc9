//! Bodies of the task socket, as JSON.

use incumbent_cluster_core::checkpoint::{Manifest, StoredFile};
use incumbent_cluster_core::message::Deploy;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Who a task is.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct TaskIdentity {
    /// The id of the job: 32 hexadecimal digits.
    job: String,
    /// The name of the job, for people.
    pub(super) name: String,
    /// The attempt, counted from 1. What an older one writes must not count any more.
    attempt: u32,
    /// The place in the gang, from 0.
    rank: u32,
    /// How many tasks the gang has.
    tasks: u32,
    /// `host:port` of each rank.
    pub(super) peers: Vec<String>,
    /// Whether the job checkpoints. If not, the task is asked for nothing.
    pub(super) is_checkpointing: bool,
    /// The number of the checkpoint that it starts from, if there is one.
    restore: Option<u64>,
}

/// The whole gang is ready.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct Peers {
    /// `host:port` of each rank.
    pub(super) peers: Vec<String>,
}

/// A file that is durable.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct FileView {
    /// Its name.
    name: String,
    /// Its size in bytes.
    size: u64,
    /// Its SHA-256: 64 hexadecimal digits.
    sha256: String,
}

/// Which files a part has.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Named {
    /// Their names: these and no others. Without it, all that were stored.
    pub(super) files: Option<Vec<String>>,
}

/// What to start from.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct RestoreView {
    /// The number of the checkpoint. Everything that was staged up to it is committed.
    number: u64,
    /// How many tasks its attempt had: as many as there are ranks here.
    tasks: u32,
    /// What each rank had stored.
    ranks: Vec<RestoreRank>,
}

/// What one rank had stored.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct RestoreRank {
    /// Which.
    rank: u32,
    /// Whether it had finished: nothing more was to come of it.
    is_finished: bool,
    /// Its files.
    files: Vec<FileView>,
}

impl TaskIdentity {
    pub(super) fn of(deploy: &Deploy) -> Self {
        Self {
            job: deploy.task.job.to_string(),
            name: deploy.name.clone(),
            attempt: deploy.task.attempt.0,
            rank: deploy.task.rank.0,
            tasks: deploy.tasks,
            peers: deploy.peers.clone(),
            is_checkpointing: deploy.is_checkpointing,
            restore: deploy.restore.as_ref().map(|point| point.from.number),
        }
    }
}

impl From<&StoredFile> for FileView {
    fn from(file: &StoredFile) -> Self {
        Self {
            name: file.name.clone(),
            size: file.size,
            sha256: file.sha256.clone(),
        }
    }
}

impl From<&Manifest> for RestoreView {
    fn from(manifest: &Manifest) -> Self {
        let ranks = (0..).zip(&manifest.ranks).map(|(rank, part)| RestoreRank {
            rank,
            is_finished: part.is_finished,
            files: part.files.iter().map(FileView::from).collect(),
        });
        let ranks: Vec<_> = ranks.collect();
        Self {
            number: manifest.id.number,
            tasks: u32::try_from(ranks.len()).unwrap_or(u32::MAX),
            ranks,
        }
    }
}
