//! What jobs start from that name a checkpoint of another job, or a savepoint: it is found, and
//! written down as the origin, before anything is placed.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use incumbent_core::{Now, Time};

use super::job::decide::Decision;
use super::job::{Write, cause, change};
use super::jobs::Entry;
use super::timers::Timer;
use super::{FoundSavepoint, Leader, LeaderAction};
use crate::checkpoint::{Checkpoint, RestoreFrom, RestorePoint};
use crate::{CauseKind, JobId, SavepointId};

/// Pause before something is looked for again that could not be told.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// What is being looked for.
#[derive(Debug, Default)]
pub(super) struct Origins {
    /// Savepoints that no open record has, and which jobs wait for them.
    sought: BTreeMap<SavepointId, Sought>,
    /// Jobs for which the record of the other one was opened once more.
    looked_again: BTreeSet<JobId>,
}

#[derive(Debug)]
struct Sought {
    answer: Search,
    jobs: BTreeSet<JobId>,
}

#[derive(Debug)]
enum Search {
    /// The blobs were asked.
    UnderWay,
    /// They did not answer: not before this moment again.
    Again(Time),
    Known(FoundSavepoint),
}

/// What looking for an origin has come to.
enum Outcome {
    Found(Box<RestorePoint>),
    /// It is looked at again then, or when something happens.
    Wait(Option<Time>),
    /// There is no such thing, and why.
    Never(String),
}

impl Leader {
    /// Looks for what this job starts from.
    pub(super) fn resolve(&mut self, id: JobId, now: Now, out: &mut Vec<LeaderAction>) -> Decision {
        let restore = self.jobs.open(id).and_then(|job| job.record.spec.restore);
        let outcome = match restore {
            Some(RestoreFrom::Savepoint { savepoint }) => {
                if !self.is_being_removed(savepoint) {
                    self.catalog.want_savepoint(id, savepoint);
                }
                self.savepoint_origin(id, savepoint, now.time, out)
            }
            Some(RestoreFrom::Job { job, checkpoint }) => {
                self.job_origin(id, job, checkpoint, now.time)
            }
            None => Outcome::Wait(None),
        };
        let Some(job) = self.jobs.open(id) else {
            return Decision::Rest(None);
        };
        match outcome {
            Outcome::Wait(until) => Decision::Rest(until),
            Outcome::Found(origin) => {
                // From here on, so that nothing takes it away while it is written down.
                self.catalog.pin(id, (*origin).clone());
                self.origins.forget(id, restore);
                let record = change::originated(&job.record, *origin);
                Decision::Commit(Box::new(record))
            }
            Outcome::Never(why) => {
                if let Some(RestoreFrom::Savepoint { savepoint }) = restore {
                    self.catalog.unwant_savepoint(id, savepoint);
                }
                self.origins.forget(id, restore);
                let cause = cause::plain(CauseKind::Refused, why);
                let record = change::refused(&job.record, cause, now);
                Decision::Commit(Box::new(record))
            }
        }
    }

    fn job_origin(&mut self, id: JobId, from: JobId, number: Option<u64>, now: Time) -> Outcome {
        if from == id {
            return Outcome::Never("a job cannot start from itself".to_owned());
        }
        let again = Outcome::Wait(Some(now + LOOK_AGAIN));
        let other = match self.jobs.get(from) {
            Some(Entry::Open(other)) => other,
            Some(Entry::Damaged(why)) => {
                return Outcome::Never(format!(
                    "it was to start from job {from}, whose record is damaged: {why}"
                ));
            }
            None if self.adoption.is_pending(from) => return again,
            None if self.origins.looked_again.insert(id) => {
                // It may have been created a moment ago.
                self.adoption.want(from, true);
                return again;
            }
            None => {
                return Outcome::Never(format!(
                    "it was to start from job {from}, and there is no such job; `incumbent job ls` \
                     shows all"
                ));
            }
        };
        if matches!(other.write, Write::Reopening | Write::Erasing) {
            return again;
        }
        let record = &other.record;
        let saved = record.savepoints.iter().map(|one| &one.checkpoint);
        let mut all = record.checkpoints.iter().chain(saved);
        let found: Option<&Checkpoint> = match number {
            Some(number) => all.find(|checkpoint| checkpoint.number == number),
            None => record.checkpoints.last(),
        };
        match (found, number) {
            (Some(checkpoint), _)
                if (checkpoint.savepoint).is_some_and(|id| self.is_being_removed(id)) =>
            {
                again
            }
            (Some(checkpoint), _) => {
                let origin = checkpoint.restore_point(record.id, record.incarnation);
                Outcome::Found(Box::new(origin))
            }
            (None, None) => Outcome::Never(format!(
                "it was to start from job {from}, which has no completed checkpoint"
            )),
            (None, Some(number)) => {
                let kept: Vec<_> = (record.checkpoints.iter())
                    .map(|checkpoint| checkpoint.number.to_string())
                    .collect();
                let kept = if kept.is_empty() {
                    "none".to_owned()
                } else {
                    kept.join(", ")
                };
                Outcome::Never(format!(
                    "it was to start from checkpoint {number} of job {from}, which does not have \
                     it (any more); it has {kept}"
                ))
            }
        }
    }

    fn savepoint_origin(
        &mut self,
        id: JobId,
        savepoint: SavepointId,
        now: Time,
        out: &mut Vec<LeaderAction>,
    ) -> Outcome {
        if self.is_being_removed(savepoint) {
            return Outcome::Wait(Some(now + LOOK_AGAIN));
        }
        let owner = self.catalog.owner(savepoint);
        if let Some(owner) = owner.and_then(|owner| self.jobs.open(owner))
            && let Some(found) = owner.record.savepoint(savepoint)
        {
            let (job, incarnation) = (owner.record.id, owner.record.incarnation);
            let origin = found.checkpoint.restore_point(job, incarnation);
            return Outcome::Found(Box::new(origin));
        }
        let sought = self.origins.sought.entry(savepoint).or_insert(Sought {
            answer: Search::Again(now),
            jobs: BTreeSet::new(),
        });
        sought.jobs.insert(id);
        match &sought.answer {
            Search::UnderWay => Outcome::Wait(None),
            Search::Again(at) if *at > now => Outcome::Wait(Some(*at)),
            Search::Again(_) => {
                sought.answer = Search::UnderWay;
                out.push(LeaderAction::FindSavepoint(savepoint));
                Outcome::Wait(None)
            }
            Search::Known(FoundSavepoint::Found(origin)) => Outcome::Found(origin.clone()),
            Search::Known(FoundSavepoint::Absent) => Outcome::Never(format!(
                "it was to start from savepoint {savepoint}, and there is none; `incumbent \
                 savepoint ls` shows all"
            )),
            Search::Known(FoundSavepoint::Damaged(why)) => Outcome::Never(format!(
                "it was to start from savepoint {savepoint}, which cannot be read: {why}"
            )),
            Search::Known(FoundSavepoint::Unavailable) => Outcome::Wait(Some(now + LOOK_AGAIN)),
        }
    }

    /// What the blobs know of a savepoint.
    pub(super) fn savepoint_found(
        &mut self,
        now: Now,
        savepoint: SavepointId,
        found: FoundSavepoint,
    ) {
        let Some(sought) = self.origins.sought.get_mut(&savepoint) else {
            return;
        };
        sought.answer = match found {
            FoundSavepoint::Unavailable => {
                let at = now.time + LOOK_AGAIN;
                for job in &sought.jobs {
                    self.timers.ring_by(Timer::Job(*job), at);
                }
                Search::Again(at)
            }
            known => Search::Known(known),
        };
        self.touched.extend(&sought.jobs);
    }
}

impl Origins {
    /// This job looks for nothing any more.
    pub(super) fn forget(&mut self, id: JobId, restore: Option<RestoreFrom>) {
        self.looked_again.remove(&id);
        if let Some(RestoreFrom::Savepoint { savepoint }) = restore
            && let Some(sought) = self.sought.get_mut(&savepoint)
        {
            sought.jobs.remove(&id);
            if sought.jobs.is_empty() {
                self.sought.remove(&savepoint);
            }
        }
    }
}
