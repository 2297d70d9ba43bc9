//! The files that records name: they are there.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use incumbent_cluster_core::checkpoint::{Manifest, RestorePoint};
use incumbent_cluster_core::{JobId, JobRecord, SavepointId};

use super::Break;
use crate::clock::Instant;
use crate::cluster::blobs::{Content, Key, RankState, Root};

/// All files, and which of them are needed.
#[derive(Debug, Default)]
pub(super) struct Files {
    there: BTreeMap<Key, (Instant, Arc<Content>)>,
    /// What was ever in a file.
    ever: BTreeMap<Key, Arc<Content>>,
    /// What the record of each job needs.
    needed: BTreeMap<JobId, Vec<Need>>,
    /// Savepoints of records that are gone.
    left: BTreeMap<SavepointId, Need>,
    /// Savepoints that somebody wants removed.
    unwanted: BTreeSet<SavepointId>,
}

/// A checkpoint that can be restored: all of its files.
#[derive(Clone, Debug)]
struct Need {
    point: RestorePoint,
    is_savepoint: bool,
    keys: Arc<BTreeSet<Key>>,
}

const THERE: &str = "what a record names is there";

impl Files {
    pub(super) fn wrote(
        &mut self,
        at: Instant,
        key: &Key,
        content: &Arc<Content>,
    ) -> Result<(), Break> {
        if let Some(before) = self.ever.get(key)
            && before != content
        {
            let how = format!("{key:?} had another content");
            return Err(("a path never has another content", how));
        }
        self.ever.insert(key.clone(), Arc::clone(content));
        self.there.insert(key.clone(), (at, Arc::clone(content)));
        Ok(())
    }

    pub(super) fn deleted(&mut self, key: &Key) -> Result<(), Break> {
        self.there.remove(key);
        let left = self.left.iter();
        let left = left.filter(|(id, _)| !self.unwanted.contains(*id));
        let mut needed = self
            .needed
            .values()
            .flatten()
            .chain(left.map(|(_, need)| need));
        match needed.find(|need| need.keys.contains(key)) {
            Some(need) => Err((THERE, format!("{key:?} of {:?} is deleted", need.point))),
            None => Ok(()),
        }
    }

    /// Somebody wants this savepoint removed.
    pub(super) fn unwanted(&mut self, id: SavepointId) {
        self.unwanted.insert(id);
    }

    /// The record of a job says this now.
    pub(super) fn stored(&mut self, record: &JobRecord) -> Result<(), Break> {
        let before = self.needed.remove(&record.id).unwrap_or_default();
        let mut needed = Vec::new();
        let (id, incarnation) = (record.id, record.incarnation);
        let checkpoints = record.checkpoints.iter().map(|one| (one, false));
        let savepoints = record.savepoints.iter().map(|one| (&one.checkpoint, true));
        let points = checkpoints
            .chain(savepoints)
            .map(|(one, is_savepoint)| (one.restore_point(id, incarnation), is_savepoint));
        let origin = record.origin.clone();
        let is_pinned = record.checkpoints.is_empty() && !record.state.is_terminal();
        let origin = origin.filter(|_| is_pinned).map(|point| (point, false));
        for (point, is_savepoint) in points.chain(origin) {
            let known = before.iter().find(|need| need.point == point);
            let keys = match known {
                Some(need) => Arc::clone(&need.keys),
                None => Arc::new(self.keys_of(&point)?),
            };
            needed.push(Need {
                point,
                is_savepoint,
                keys,
            });
        }
        for need in before.iter().filter(|need| need.is_savepoint) {
            let id = need.point.from.savepoint.unwrap_or(SavepointId::new(0));
            let is_kept = needed
                .iter()
                .any(|one| one.is_savepoint && one.point == need.point);
            if !is_kept && !self.unwanted.contains(&id) {
                let how = format!("{} has lost savepoint {id}", record.id);
                return Err(("a savepoint stays until it is removed", how));
            }
        }
        self.needed.insert(record.id, needed);
        Ok(())
    }

    /// The record of a job is gone. Its savepoints stay.
    pub(super) fn erased(&mut self, job: JobId) -> Result<(), Break> {
        for need in self.needed.remove(&job).unwrap_or_default() {
            let Some(id) = need.point.from.savepoint.filter(|_| need.is_savepoint) else {
                continue;
            };
            if !self.there.contains_key(&Key::of_marker(id)) && !self.unwanted.contains(&id) {
                let how = format!("{job} is erased, and nothing says that {id} was committed");
                return Err(("a savepoint stays until it is removed", how));
            }
            self.left.insert(id, need);
        }
        Ok(())
    }

    /// Whether a savepoint can be restored, or is wanted no more.
    pub(super) fn has_savepoint(&self, id: SavepointId) -> bool {
        let mut needed = self.needed.values().flatten();
        self.unwanted.contains(&id)
            || self.left.contains_key(&id)
            || needed.any(|need| need.is_savepoint && need.point.from.savepoint == Some(id))
    }

    /// A manifest that is there.
    pub(super) fn manifest(&self, point: &RestorePoint) -> Result<&Manifest, Break> {
        let key = Key::of_manifest(&point.from, &point.manifest);
        match self.content(&key) {
            Some(Content::Manifest(manifest)) => Ok(manifest),
            _ => Err((THERE, format!("there is no {key:?} of {point:?}"))),
        }
    }

    /// What each rank has stored, by rank.
    pub(super) fn states(&self, manifest: &Manifest) -> Vec<Option<&RankState>> {
        let state = |key: &Key| match self.content(key) {
            Some(Content::State(state)) => Some(state),
            _ => None,
        };
        let ranks = manifest.ranks.iter();
        ranks
            .map(|part| {
                let mut files = part.files.iter();
                files.find_map(|file| state(&Key::of_file(&manifest.id, file)))
            })
            .collect()
    }

    /// A file of this job that was there before then, and that no record will ever name again: a
    /// checkpoint has been committed since.
    pub(super) fn litter(&self, record: &JobRecord, before: Instant) -> Option<&Key> {
        let root = Root::Checkpoints(record.id, record.incarnation);
        let is_last = format!("{}/final/", record.attempt.0);
        // Another job may start from a checkpoint that this one has dropped. Beside the files of a
        // listed one there may be those of tries whose answers were lost: they go with it.
        let is_beside = |need: &Need, key: &Key| {
            let from = &need.point.from;
            let directory = format!("{}/{}/", from.attempt.0, from.number);
            Root::of(from) == root && key.name.starts_with(&directory)
        };
        let is_litter = |key: &Key| {
            let mut all = self.needed.values().flatten();
            !key.name.starts_with(&is_last)
                && !all.any(|need| need.keys.contains(key) || is_beside(need, key))
        };
        let mut there = self.there.iter();
        let found = there.find(|(key, (at, _))| *at < before && key.root == root && is_litter(key));
        found.map(|(key, _)| key)
    }

    fn content(&self, key: &Key) -> Option<&Content> {
        self.there.get(key).map(|(_, content)| &**content)
    }

    fn keys_of(&self, point: &RestorePoint) -> Result<BTreeSet<Key>, Break> {
        let manifest = self.manifest(point)?;
        let mut keys = BTreeSet::from([Key::of_manifest(&point.from, &point.manifest)]);
        for file in manifest.ranks.iter().flat_map(|part| &part.files) {
            let key = Key::of_file(&manifest.id, file);
            if !self.there.contains_key(&key) {
                return Err((THERE, format!("there is no {key:?} of {point:?}")));
            }
            keys.insert(key);
        }
        Ok(keys)
    }
}
