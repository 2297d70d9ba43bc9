//! [`Terminal`]: jobs that have ended, the oldest first (R11).

use std::collections::BTreeSet;

use crate::{Attempt, CauseKind, JobId, JobRecord};

/// How many old jobs are moved to blobs at a time.
const MOST_ARCHIVING: usize = 4;

/// The terminal jobs in the store.
#[derive(Debug)]
pub(super) struct Terminal {
    most: usize,
    /// By when they ended, as RFC 3339 in UTC, which sorts.
    ended: BTreeSet<(String, JobId)>,
    /// Those among them that never ran, as they were refused: they make room for the others.
    refused: BTreeSet<(String, JobId)>,
    archiving: BTreeSet<JobId>,
}

impl Terminal {
    pub(super) fn new(most: usize) -> Self {
        Self {
            most,
            ended: BTreeSet::new(),
            refused: BTreeSet::new(),
            archiving: BTreeSet::new(),
        }
    }

    pub(super) fn insert(&mut self, record: &JobRecord) {
        self.ended.insert(key(record));
        if was_refused(record) {
            self.refused.insert(key(record));
        }
    }

    pub(super) fn remove(&mut self, record: &JobRecord) {
        self.ended.remove(&key(record));
        self.refused.remove(&key(record));
        self.archiving.remove(&record.id);
    }

    /// It was not archived. It is tried again.
    pub(super) fn not_archived(&mut self, job: JobId) {
        self.archiving.remove(&job);
    }

    /// The next one to be moved to a blob, if there are too many: one that was refused, if there
    /// is any, or else the oldest. One from which another starts stays.
    pub(super) fn next_to_archive(&mut self, is_pinned: impl Fn(JobId) -> bool) -> Option<JobId> {
        let is_too_many = self.ended.len() > self.most + self.archiving.len();
        if !is_too_many || self.archiving.len() >= MOST_ARCHIVING {
            return None;
        }
        let stays = |job: JobId| self.archiving.contains(&job) || is_pinned(job);
        let mut oldest = self.refused.iter().chain(&self.ended);
        let (_, job) = oldest.find(|(_, job)| !stays(*job))?;
        self.archiving.insert(*job);
        Some(*job)
    }

    /// The newest ones first.
    pub(super) fn newest_first(&self) -> impl Iterator<Item = JobId> {
        self.ended.iter().rev().map(|(_, job)| *job)
    }
}

fn was_refused(record: &JobRecord) -> bool {
    let kind = record.cause.as_ref().map(|cause| cause.kind);
    record.attempt == Attempt(0) && kind == Some(CauseKind::Refused)
}

fn key(record: &JobRecord) -> (String, JobId) {
    (record.ended_at.clone().unwrap_or_default(), record.id)
}
