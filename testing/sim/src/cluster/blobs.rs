//! [`Blobs`]: files by path, and what becomes of calls to them.
//!
//! A write may be lost, or its answer, or it lands long after it was given up. A path that was
//! drawn once is never drawn again, so that a file never changes.

use std::collections::BTreeMap;
use std::sync::Arc;

use incumbent_cluster_core::checkpoint::{
    CheckpointId, Manifest, ManifestPointer, RestorePoint, StoredFile,
};
use incumbent_cluster_core::{Attempt, Incarnation, JobId, Rank, SavepointId, Seal};

use super::fact::Fact;
use super::world::World;
use crate::clock::{Instant, MILLISECOND};
use crate::faults::nanos;

/// How long a call is waited for.
pub(super) const PATIENCE: u64 = 300 * MILLISECOND;

/// A write lands at most so many leases after its caller gave it up.
const LATEST_LEASES: u64 = 3;

/// All files.
#[derive(Debug, Default)]
pub(super) struct Blobs {
    files: BTreeMap<Key, File>,
    pub(super) outage_until: Instant,
}

/// The path of a file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) root: Root,
    /// The rest, relative to the root.
    pub(super) name: String,
}

/// What paths begin with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Root {
    /// Checkpoints of a job: `<attempt>/<number>/…` and `<attempt>/final/…`.
    Checkpoints(JobId, Incarnation),
    /// A savepoint of a job: `<attempt>-<number>/…`.
    Savepoint(SavepointId, JobId, Incarnation),
    /// What says that a savepoint was committed.
    Marker(SavepointId),
}

/// A file.
#[derive(Clone, Debug)]
pub(super) struct File {
    pub(super) content: Arc<Content>,
    /// Its SHA-256: no two contents have the same.
    pub(super) sha256: String,
}

/// What is in a file.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Content {
    State(RankState),
    /// The second file of a rank that stores two.
    Second,
    Manifest(Manifest),
    Marker(RestorePoint),
}

/// What a task stores.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RankState {
    pub(super) attempt: Attempt,
    pub(super) rank: Rank,
    /// The number that it was asked for, and by which term; `None` for last files.
    pub(super) asked: Option<(u64, Seal)>,
    /// How many records of each of its partitions it has read.
    pub(super) offsets: Vec<(u32, u64)>,
    /// What is staged and not known to be published.
    pub(super) staged: Vec<Piece>,
}

/// A part of the output: the records of one partition from one to another, without the latter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Piece {
    pub(super) partition: u32,
    pub(super) from: u64,
    pub(super) to: u64,
}

/// What becomes of a call.
#[derive(Clone, Copy, Debug)]
pub(super) enum Fate {
    /// It is carried out and answered after this long.
    Answered(u64),
    /// It is not answered; it is carried out after this long, or never.
    Unanswered(Option<u64>),
}

impl Root {
    /// Where the files of a checkpoint are.
    pub(super) fn of(id: &CheckpointId) -> Self {
        match id.savepoint {
            None => Self::Checkpoints(id.job, id.incarnation),
            Some(savepoint) => Self::Savepoint(savepoint, id.job, id.incarnation),
        }
    }
}

impl Key {
    /// Of a file that a manifest names.
    pub(super) fn of_file(id: &CheckpointId, file: &StoredFile) -> Self {
        Self {
            root: Root::of(id),
            name: file.object.clone(),
        }
    }

    /// Of a manifest.
    pub(super) fn of_manifest(id: &CheckpointId, manifest: &ManifestPointer) -> Self {
        Self {
            root: Root::of(id),
            name: format!("{}/{}", directory(id), manifest.object),
        }
    }

    pub(super) fn of_marker(id: SavepointId) -> Self {
        Self {
            root: Root::Marker(id),
            name: "savepoint.json".to_owned(),
        }
    }
}

/// The directory of a checkpoint below its root.
pub(super) fn directory(id: &CheckpointId) -> String {
    let separator = if id.savepoint.is_some() { '-' } else { '/' };
    format!("{}{separator}{}", id.attempt.0, id.number)
}

impl Blobs {
    pub(super) fn get(&self, key: &Key) -> Option<&File> {
        self.files.get(key)
    }

    /// A manifest, if it is the one that the pointer means.
    pub(super) fn manifest(&self, point: &RestorePoint) -> Option<&Manifest> {
        let file = self.get(&Key::of_manifest(&point.from, &point.manifest))?;
        match &*file.content {
            Content::Manifest(manifest) if file.sha256 == point.manifest.sha256 => Some(manifest),
            _ => None,
        }
    }

    /// The files below a root.
    pub(super) fn below(&self, root: Root) -> impl Iterator<Item = &Key> {
        let first = Key {
            root,
            name: String::new(),
        };
        let there = self.files.range(first..).map(|(key, _)| key);
        there.take_while(move |key| key.root == root)
    }

    /// All files of a savepoint, whatever job it is of.
    pub(super) fn of_savepoint(&self, id: SavepointId) -> Vec<Key> {
        let is_of = |key: &&Key| match key.root {
            Root::Savepoint(of, ..) | Root::Marker(of) => of == id,
            Root::Checkpoints(..) => false,
        };
        self.files.keys().filter(is_of).cloned().collect()
    }
}

impl World {
    /// What becomes of a call that is made now.
    pub(super) fn blob_fate(&mut self) -> Fate {
        let delay = self.delay();
        if !self.is_chaos {
            return Fate::Answered(delay);
        }
        let faults = self.plan.faults.blobs;
        if self.now < self.blobs.outage_until {
            return Fate::Unanswered(None);
        }
        if self.dice.chance(faults.lost) {
            return Fate::Unanswered(self.dice.chance(500).then_some(delay));
        }
        if self.dice.chance(faults.late) {
            let latest = LATEST_LEASES * nanos(self.plan.timing.lease());
            return Fate::Unanswered(Some(self.dice.range(0, latest)));
        }
        if delay < PATIENCE {
            Fate::Answered(delay)
        } else {
            Fate::Unanswered(Some(delay))
        }
    }

    /// A name that was never drawn before; without the rule, the same each time.
    pub(super) fn draw_name(&mut self, prefix: &str) -> String {
        if self.plan.mutation == super::mode::ClusterMutation::NumbersAgain {
            return prefix.to_owned();
        }
        format!("{prefix}-{}", self.number())
    }

    /// The digest of a content that is written once.
    pub(super) fn digest(&mut self) -> String {
        format!("{:064x}", self.number())
    }

    pub(super) fn put_file(&mut self, key: Key, file: File) {
        self.fact(Fact::Wrote {
            key: key.clone(),
            content: Arc::clone(&file.content),
        });
        self.blobs.files.insert(key, file);
    }

    pub(super) fn delete_files(&mut self, keys: Vec<Key>) {
        for key in keys {
            if self.blobs.files.remove(&key).is_some() {
                self.fact(Fact::Deleted { key });
            }
        }
    }
}
