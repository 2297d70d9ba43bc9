//! [`Catalog`]: which savepoints records have, and what live jobs start from and so pin (R15).
//!
//! It is made of the records that are open, and kept up with each that changes.

use std::collections::{BTreeMap, BTreeSet};

use crate::checkpoint::{RestoreFrom, RestorePoint};
use crate::{Incarnation, JobId, JobRecord, SavepointId};

/// What records say about each other.
#[derive(Debug, Default)]
pub(super) struct Catalog {
    /// Whose record has a savepoint.
    owners: BTreeMap<SavepointId, JobId>,
    /// The savepoints of each record that has some.
    of_job: BTreeMap<JobId, BTreeSet<SavepointId>>,
    /// What each live job that has no checkpoint of its own starts from.
    origins: BTreeMap<JobId, RestorePoint>,
    /// The jobs that start from a checkpoint of this one.
    job_pins: BTreeMap<JobId, BTreeSet<JobId>>,
    /// The jobs that start from this savepoint, or are about to.
    savepoint_pins: BTreeMap<SavepointId, BTreeSet<JobId>>,
}

impl Catalog {
    /// The record of a job is this now. Returns the job whose checkpoint is pinned no more.
    pub(super) fn update(&mut self, record: &JobRecord) -> Option<JobId> {
        let id = record.id;
        let now: BTreeSet<_> = record.savepoints.iter().map(|one| one.id).collect();
        self.set_savepoints(id, now);
        let pins = !record.state.is_terminal() && record.checkpoints.is_empty();
        match record.origin.as_ref().filter(|_| pins) {
            Some(origin) => self.pin(id, origin.clone()),
            None => {
                if record.state.is_terminal() {
                    self.is_not_to_start(record);
                }
                self.unpin(id)
            }
        }
    }

    /// The job has ended before it was known what it starts from.
    fn is_not_to_start(&mut self, record: &JobRecord) {
        if let Some(RestoreFrom::Savepoint { savepoint }) = record.spec.restore {
            self.unwant_savepoint(record.id, savepoint);
        }
    }

    /// There is no such record any more.
    pub(super) fn forget(&mut self, id: JobId, record: Option<&JobRecord>) -> Option<JobId> {
        if let Some(record) = record {
            self.is_not_to_start(record);
        }
        self.set_savepoints(id, BTreeSet::new());
        self.unpin(id)
    }

    fn set_savepoints(&mut self, id: JobId, now: BTreeSet<SavepointId>) {
        let before = self.of_job.remove(&id).unwrap_or_default();
        for gone in before.difference(&now) {
            self.owners.remove(gone);
        }
        self.owners
            .extend(now.iter().map(|savepoint| (*savepoint, id)));
        if !now.is_empty() {
            self.of_job.insert(id, now);
        }
    }

    /// The job starts from this, and that is about to be written down, or is. Returns what it
    /// pinned before.
    pub(super) fn pin(&mut self, id: JobId, origin: RestorePoint) -> Option<JobId> {
        let before = self.unpin(id);
        match origin.from.savepoint {
            Some(savepoint) => self.want_savepoint(id, savepoint),
            None => {
                self.job_pins.entry(origin.from.job).or_default().insert(id);
            }
        }
        let is_same = before == Some(origin.from.job);
        self.origins.insert(id, origin);
        before.filter(|_| !is_same)
    }

    /// The job is about to start from this savepoint.
    pub(super) fn want_savepoint(&mut self, id: JobId, savepoint: SavepointId) {
        self.savepoint_pins.entry(savepoint).or_default().insert(id);
    }

    fn unpin(&mut self, id: JobId) -> Option<JobId> {
        let origin = self.origins.remove(&id)?;
        let from = origin.from;
        match from.savepoint {
            Some(savepoint) => {
                self.unwant_savepoint(id, savepoint);
                None
            }
            None => {
                if let Some(pins) = self.job_pins.get_mut(&from.job) {
                    pins.remove(&id);
                    if pins.is_empty() {
                        self.job_pins.remove(&from.job);
                    }
                }
                Some(from.job)
            }
        }
    }

    /// It does not start from this savepoint after all.
    pub(super) fn unwant_savepoint(&mut self, id: JobId, savepoint: SavepointId) {
        if let Some(pins) = self.savepoint_pins.get_mut(&savepoint) {
            pins.remove(&id);
            if pins.is_empty() {
                self.savepoint_pins.remove(&savepoint);
            }
        }
    }

    /// Whose record has this savepoint.
    pub(super) fn owner(&self, savepoint: SavepointId) -> Option<JobId> {
        self.owners.get(&savepoint).copied()
    }

    /// All savepoints, and whose they are.
    pub(super) fn savepoints(&self) -> impl Iterator<Item = (SavepointId, JobId)> {
        self.owners
            .iter()
            .map(|(savepoint, job)| (*savepoint, *job))
    }

    /// A job that starts from a checkpoint of this one.
    pub(super) fn pinned_by(&self, job: JobId) -> Option<JobId> {
        self.job_pins.get(&job)?.first().copied()
    }

    /// A job that starts from this savepoint.
    pub(super) fn savepoint_pinned_by(&self, savepoint: SavepointId) -> Option<JobId> {
        self.savepoint_pins.get(&savepoint)?.first().copied()
    }

    /// The checkpoints of a job from which others start.
    pub(super) fn pinned_of(&self, job: JobId, incarnation: Incarnation) -> Vec<RestorePoint> {
        let pins = self.job_pins.get(&job).into_iter().flatten();
        let origins = pins.filter_map(|pin| self.origins.get(pin));
        let is_of_it = |origin: &&RestorePoint| origin.from.incarnation == incarnation;
        origins.filter(is_of_it).cloned().collect()
    }
}
