//! Checkpoints: where their files lie, what a manifest says, and what a record keeps of them.
//!
//! A completed checkpoint is a pointer in the record of its job ([`Checkpoint`]) to a manifest in
//! the blobs ([`Manifest`]), which names the files of every rank. A savepoint is a checkpoint whose
//! files lie under a prefix of their own. `docs/design/0013-checkpoints.md` has the rules.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{Attempt, Incarnation, JobId, Rank, SavepointId};

/// The format of manifests.
pub const MANIFEST_FORMAT: u32 = 1;

/// Most completed checkpoints that a record keeps.
pub const MOST_CHECKPOINTS: usize = 16;

/// How many completed checkpoints a record keeps, if the job does not say.
pub const KEPT_CHECKPOINTS: u32 = 3;

/// Most savepoints of one job. Another one is refused until one is removed.
pub const MOST_SAVEPOINTS: usize = 32;

/// Most files of one rank in one checkpoint: they are all in one report and one manifest.
pub const MOST_FILES: usize = 1000;

/// Longest name of a file, in bytes.
pub const LONGEST_FILE_NAME: usize = 128;

/// Largest manifest as JSON, in bytes. A checkpoint with a larger one is aborted, and says so.
pub const LARGEST_MANIFEST: usize = 16 * 1024 * 1024;

/// Which checkpoint of which attempt: what paths are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct CheckpointId {
    /// The job.
    pub job: JobId,
    /// Which job of that id.
    pub incarnation: Incarnation,
    /// The attempt that makes it.
    pub attempt: Attempt,
    /// Its number. Numbers rise over all attempts of an incarnation.
    pub number: u64,
    /// The savepoint that it is, if it is one: its files lie elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub savepoint: Option<SavepointId>,
}

/// A completed checkpoint, as the record of its job keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// Its number.
    pub number: u64,
    /// The attempt that made it.
    pub attempt: Attempt,
    /// How many tasks that attempt had.
    pub tasks: u32,
    /// The savepoint that it is, if it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub savepoint: Option<SavepointId>,
    /// Its manifest.
    pub manifest: ManifestPointer,
    /// The size of all its files.
    pub bytes: u64,
    /// When it was completed, on the leader's clock. For people.
    pub completed_at: String,
    /// From the trigger to the last acknowledgement, in milliseconds. For people.
    pub took_ms: u64,
}

/// Where a manifest is, and what it has to be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManifestPointer {
    /// The last part of its path: each try to write one draws another.
    pub object: String,
    /// The SHA-256 of its bytes: 64 hexadecimal digits.
    pub sha256: String,
}

/// A committed savepoint, as the record of its job keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Savepoint {
    /// Its id, which the client has drawn.
    pub id: SavepointId,
    /// The checkpoint that it is.
    pub checkpoint: Checkpoint,
}

/// What an attempt starts from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestorePoint {
    /// Which checkpoint, possibly of another job.
    pub from: CheckpointId,
    /// How many tasks its attempt had.
    pub tasks: u32,
    /// Its manifest.
    pub manifest: ManifestPointer,
}

/// What a specification wants to start from. Resolved by the leader, and written down, before
/// anything is placed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "from", rename_all = "snake_case", deny_unknown_fields)]
pub enum RestoreFrom {
    /// A savepoint of this cluster, by its id.
    Savepoint {
        /// 32 hexadecimal digits.
        #[schema(value_type = String)]
        savepoint: SavepointId,
    },
    /// A completed checkpoint of another job of this cluster.
    Job {
        /// The other job: 32 hexadecimal digits.
        #[schema(value_type = String)]
        job: JobId,
        /// The number of the checkpoint; the newest if not said.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        checkpoint: Option<u64>,
    },
}

/// What an owner wants and that needs a checkpoint first: written before anything is done (R3).
/// There is one at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "intent", rename_all = "snake_case")]
pub enum Intent {
    /// A savepoint; the job goes on.
    Savepoint {
        /// The id, which the client has drawn.
        #[schema(value_type = String)]
        id: SavepointId,
    },
    /// A savepoint; then the job is suspended. Without checkpoints, it is only ended.
    Stop {
        /// The id of the savepoint.
        #[schema(value_type = String)]
        savepoint: SavepointId,
    },
    /// Another number of tasks.
    Rescale {
        /// How many.
        tasks: u32,
    },
}

/// The job ends with a checkpoint that is committed: what is staged is being published (R5, R6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Closing {
    /// What it is then.
    pub goal: Goal,
    /// The number of its last checkpoint.
    pub number: u64,
}

/// What a job is when it has closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Goal {
    /// It can be resumed.
    Suspended,
    /// Its input has ended.
    Finished,
}

/// The file of a checkpoint that names all others, as JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// [`MANIFEST_FORMAT`].
    pub format: u32,
    /// Which checkpoint.
    pub id: CheckpointId,
    /// The parts, by rank: as many as the attempt has tasks.
    pub ranks: Vec<RankPart>,
}

/// What one rank has stored for a checkpoint.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RankPart {
    /// Whether the rank had finished: these are its last files (R6).
    pub is_finished: bool,
    /// Its files, by name.
    pub files: Vec<StoredFile>,
}

/// One durable file of one rank.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredFile {
    /// Its name, as the task gave it.
    pub name: String,
    /// Where it is: relative to the root of its checkpoint (`…/checkpoints/` of the incarnation, or
    /// the root of the savepoint), as the blobs made it.
    pub object: String,
    /// Its size in bytes.
    pub size: u64,
    /// Its SHA-256: 64 hexadecimal digits.
    pub sha256: String,
}

/// Where a rank stores a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PartPlace {
    /// The checkpoint. Of a [`PartKind::Last`] part, only job, incarnation and attempt count.
    pub checkpoint: CheckpointId,
    /// Whose part.
    pub rank: Rank,
    /// For which checkpoints.
    pub kind: PartKind,
}

/// For which checkpoints a part counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PartKind {
    /// For this number.
    Numbered,
    /// For all later ones of the attempt: the rank has finished (R6).
    Last,
}

impl RankPart {
    /// The size of its files.
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.size).sum()
    }
}

impl Manifest {
    /// The size of all files.
    pub fn bytes(&self) -> u64 {
        self.ranks.iter().map(RankPart::bytes).sum()
    }
}

impl Checkpoint {
    /// Which one it is, of this job.
    pub fn id(&self, job: JobId, incarnation: Incarnation) -> CheckpointId {
        CheckpointId {
            job,
            incarnation,
            attempt: self.attempt,
            number: self.number,
            savepoint: self.savepoint,
        }
    }

    /// What an attempt needs to start from it.
    pub fn restore_point(&self, job: JobId, incarnation: Incarnation) -> RestorePoint {
        RestorePoint {
            from: self.id(job, incarnation),
            tasks: self.tasks,
            manifest: self.manifest.clone(),
        }
    }
}

/// Whether a task may give a file this name: 1 to [`LONGEST_FILE_NAME`] letters, digits, `.`, `_`
/// or `-`, not beginning with a dot.
pub fn is_file_name(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    !name.is_empty()
        && name.len() <= LONGEST_FILE_NAME
        && !name.starts_with('.')
        && name.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_file_name_leads_out_of_its_directory() {
        for good in ["state", "state-0007.bin", "A_b.c", &"x".repeat(128)] {
            assert!(is_file_name(good), "{good}");
        }
        let long = "x".repeat(129);
        for bad in [
            "", ".", "..", ".hidden", "a/b", "../x", "a b", "ä", "a\0", &long,
        ] {
            assert!(!is_file_name(bad), "{bad}");
        }
    }
}
