//! What becomes of manifests, and what the janitor is told (R15).

use incumbent_core::Now;

use super::job::decide::{OldRanks, old_ranks};
use super::{Leader, LeaderAction, Tidy, stories};
use crate::checkpoint::{CheckpointId, ManifestPointer};
use crate::{JobId, JobRecord};

impl Leader {
    pub(super) fn manifest_stored(&mut self, id: &CheckpointId, manifest: ManifestPointer) {
        let Some(job) = self.jobs.open_mut(id.job) else {
            return;
        };
        let is_of_it = id.incarnation == job.record.incarnation && id.attempt == job.record.attempt;
        if is_of_it {
            job.checkpoints.manifest_stored(id, manifest);
            self.touched.insert(id.job);
        }
    }

    pub(super) fn manifest_not_stored(
        &mut self,
        now: Now,
        id: &CheckpointId,
        why: &str,
        is_outage: bool,
        out: &mut Vec<LeaderAction>,
    ) {
        if let Some(job) = self.jobs.open_mut(id.job) {
            job.manifest_not_stored(id, why, is_outage, now, out);
            self.touched.insert(id.job);
        }
    }

    /// A record is another than before: what follows for savepoints, for what it pins, and for the
    /// files of what it lists no more.
    pub(super) fn note_checkpoints(
        &mut self,
        before: Option<&JobRecord>,
        id: JobId,
        out: &mut Vec<LeaderAction>,
    ) {
        let Some(job) = self.jobs.open_mut(id) else {
            return;
        };
        let unpinned = self.catalog.update(&job.record);
        if job.record.state.is_terminal() {
            self.origins.forget(id, job.record.spec.restore);
        }
        if let Some(before) = before {
            for savepoint in &job.record.savepoints {
                if before.savepoint(savepoint.id).is_none() {
                    stories::savepoint_made(job, savepoint, out);
                    out.push(LeaderAction::MarkSavepoint {
                        job: id,
                        incarnation: job.record.incarnation,
                        name: job.record.spec.name.clone(),
                        savepoint: Box::new(savepoint.clone()),
                    });
                }
            }
            let is_new_attempt = before.attempt != job.record.attempt && before.attempt.0 > 0;
            let has_come_to_rest =
                !before.state.is_at_rest() && job.record.state.is_at_rest() && before.attempt.0 > 0;
            job.is_tidy_due |=
                is_new_attempt || has_come_to_rest || has_dropped(before, &job.record);
        }
        self.is_to_tidy(unpinned);
    }

    /// This job is pinned no more: the janitor is told.
    pub(super) fn is_to_tidy(&mut self, unpinned: Option<JobId>) {
        if let Some(other) = unpinned.and_then(|other| self.jobs.open_mut(other)) {
            other.is_tidy_due = true;
            self.touched.insert(other.record.id);
        }
    }

    /// Tells the janitor what is listed, if it is due and all that may pin something is known.
    pub(super) fn tidy(&mut self, id: JobId, now: Now, out: &mut Vec<LeaderAction>) {
        let Some(job) = self.jobs.open_mut(id) else {
            return;
        };
        if !job.is_tidy_due || !self.adoption.is_complete() {
            return;
        }
        if !job.record.is_checkpointing() {
            job.is_tidy_due = false;
            return;
        }
        let record = &job.record;
        // An attempt is placed when all older ones are gone, or can change nothing any more (R8).
        let attempt = if record.is_to_run() {
            record.attempt
        } else if record.state.is_at_rest()
            && old_ranks(job, &self.nodes, now.time) == OldRanks::Gone
        {
            record.attempt.next()
        } else {
            return;
        };
        let own = (record.checkpoints.iter()).filter(|checkpoint| checkpoint.savepoint.is_none());
        let mut listed: Vec<_> = own
            .map(|checkpoint| checkpoint.restore_point(id, record.incarnation))
            .collect();
        for pinned in self.catalog.pinned_of(id, record.incarnation) {
            if !listed.contains(&pinned) {
                listed.push(pinned);
            }
        }
        out.push(LeaderAction::Tidy(Box::new(Tidy {
            job: id,
            incarnation: record.incarnation,
            attempt,
            are_older_gone: true,
            listed,
        })));
        job.is_tidy_due = false;
    }
}

/// Whether checkpoints with files of their own are listed no more.
fn has_dropped(before: &JobRecord, now: &JobRecord) -> bool {
    let is_kept = |number| now.checkpoints.iter().any(|kept| kept.number == number);
    (before.checkpoints.iter())
        .any(|checkpoint| checkpoint.savepoint.is_none() && !is_kept(checkpoint.number))
}
