//! What owners wish: what was acknowledged is granted.

use std::collections::{BTreeMap, BTreeSet};

use incumbent_cluster_core::checkpoint::Intent;
use incumbent_cluster_core::{JobId, JobRecord, JobState, SavepointId};

use super::Break;
use super::files::Files;
use crate::cluster::jobs::{JobPlan, Wish};

/// What the owners of all jobs wish.
#[derive(Debug, Default)]
pub(super) struct Wishes {
    jobs: BTreeMap<JobId, OfJob>,
}

/// What the owner of one job wishes.
#[derive(Debug, Default)]
struct OfJob {
    is_canceled: bool,
    is_removed: bool,
    /// The last wish to stop or to resume, and whether it was acknowledged.
    stop: Option<(Stop, bool)>,
    /// The wish before that was acknowledged: what holds if the last one is not.
    stop_before: Option<Stop>,
    tasks: Option<(u32, bool)>,
    asked_tasks: BTreeSet<u32>,
    /// A stop was wished since: it takes the place of a rescale that is not carried out.
    is_stopped_since: bool,
    savepoints: BTreeSet<SavepointId>,
    /// Savepoints that were given up.
    given_up: BTreeSet<SavepointId>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stop {
    Stop,
    Resume,
}

impl Wishes {
    pub(super) fn asked(&mut self, job: JobId, wish: Wish) {
        let of = self.jobs.entry(job).or_default();
        match wish {
            Wish::Stop(_) => {
                of.is_stopped_since = true;
                of.ask(Stop::Stop);
            }
            Wish::Resume => of.ask(Stop::Resume),
            Wish::Rescale(tasks) => {
                if of.tasks.is_none_or(|(before, _)| before != tasks) {
                    of.tasks = Some((tasks, false));
                    of.is_stopped_since = false;
                }
                of.asked_tasks.insert(tasks);
            }
            // Asked for is enough: the record may be gone before the answer comes.
            Wish::Remove => of.is_removed = true,
            Wish::Savepoint(_) | Wish::RemoveSavepoint(_) | Wish::Cancel => {}
        }
    }

    pub(super) fn acknowledged(&mut self, job: JobId, wish: Wish) {
        let of = self.jobs.entry(job).or_default();
        match wish {
            Wish::Stop(_) => of.stop = Some((Stop::Stop, true)),
            Wish::Resume => of.stop = Some((Stop::Resume, true)),
            Wish::Rescale(tasks) => of.tasks = Some((tasks, true)),
            Wish::Savepoint(id) => {
                of.savepoints.insert(id);
            }
            Wish::Cancel => of.is_canceled = true,
            Wish::RemoveSavepoint(_) | Wish::Remove => {}
        }
    }

    pub(super) fn is_canceled(&self, job: JobId) -> bool {
        self.jobs.get(&job).is_some_and(|of| of.is_canceled)
    }

    pub(super) fn is_removed(&self, job: JobId) -> bool {
        self.jobs.get(&job).is_some_and(|of| of.is_removed)
    }

    /// Whether it may be suspended: its owner has asked for it, or was not told otherwise.
    pub(super) fn may_be_stopped(&self, job: JobId) -> bool {
        self.jobs.get(&job).is_some_and(|of| match of.stop {
            Some((Stop::Stop, _)) => true,
            Some((Stop::Resume, is_acknowledged)) => {
                !is_acknowledged && of.stop_before == Some(Stop::Stop)
            }
            None => false,
        })
    }

    /// Whether it must be suspended.
    pub(super) fn is_stopped(&self, job: JobId) -> bool {
        let of = self.jobs.get(&job);
        of.is_some_and(|of| of.stop == Some((Stop::Stop, true)))
    }

    /// The record of a job says this now.
    pub(super) fn stored(
        &mut self,
        plan: &JobPlan,
        before: Option<&JobRecord>,
        record: &JobRecord,
    ) -> Result<(), Break> {
        let Some(before) = before else { return Ok(()) };
        let job = record.id;
        if before.attempt < record.attempt {
            let (ranks, tasks) = (record.placements.len(), record.tasks());
            if ranks != tasks as usize {
                let how = format!("{job} has {tasks} tasks, and {ranks} are placed");
                return Err(("an attempt has as many tasks as the record says", how));
            }
        }
        let asked = self.jobs.get(&job).map(|of| &of.asked_tasks);
        let is_asked = |tasks| asked.is_some_and(|asked| asked.contains(&tasks));
        if before.tasks() != record.tasks() && !is_asked(record.tasks()) {
            let how = format!("{job} has {} tasks now", record.tasks());
            return Err(("only its owner gives a job another number of tasks", how));
        }
        if let Some(Intent::Savepoint { id }) = before.intent
            && before.state == record.state
            && record.intent.is_none()
            && record.savepoint(id).is_none()
        {
            let of = self.jobs.entry(job).or_default();
            of.given_up.insert(id);
        }
        let is_new = before.state != record.state;
        let is_stopped = matches!(before.intent, Some(Intent::Stop { .. }));
        if is_new && record.state == JobState::Finished && is_stopped && plan.checkpoints.is_none()
        {
            let how = format!("{job} was to be stopped");
            return Err(("exit 0 under an intent is not finished", how));
        }
        Ok(())
    }

    /// Whether all that was acknowledged is so, after all faults.
    pub(super) fn are_granted(
        &self,
        record: &JobRecord,
        files: &Files,
        is_full: bool,
    ) -> Result<(), String> {
        let job = record.id;
        let Some(of) = self.jobs.get(&job) else {
            return Ok(());
        };
        let waits = matches!(record.state, JobState::Waiting | JobState::Restarting);
        if record.state.is_terminal() || waits && is_full {
            return Ok(());
        }
        let waits = record.intent.is_some() && is_full;
        if let Some((tasks, true)) = of.tasks
            && record.tasks() != tasks
            && !of.is_stopped_since
            && !waits
        {
            return Err(format!(
                "{job} is to have {tasks} tasks, and has {}",
                record.tasks()
            ));
        }
        let mut wanted = of.savepoints.difference(&of.given_up);
        match wanted.find(|id| !files.has_savepoint(**id)) {
            Some(id) => Err(format!("{job} has no savepoint {id}: {:?}", record.intent)),
            None => Ok(()),
        }
    }
}

impl OfJob {
    fn ask(&mut self, stop: Stop) {
        match self.stop {
            Some((before, _)) if before == stop => {}
            Some((before, true)) => {
                self.stop_before = Some(before);
                self.stop = Some((stop, false));
            }
            Some((_, false)) | None => self.stop = Some((stop, false)),
        }
    }
}
