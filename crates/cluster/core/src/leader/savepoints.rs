//! Savepoints as people see them: listed, and removed by command.

use std::collections::BTreeMap;

use incumbent_core::Now;

use super::job::intents::{Wish, savepoint_of};
use super::job::{Job, Write};
use super::timers::Timer;
use super::{Answer, Leader, LeaderAction};
use crate::view::SavepointView;
use crate::{JobId, JobRecord, SavepointId};

/// The savepoints whose files are being removed, and what became of that.
#[derive(Debug, Default)]
pub(super) struct Removals(BTreeMap<SavepointId, Removal>);

#[derive(Debug)]
enum Removal {
    UnderWay,
    Done(Option<String>),
}

impl Leader {
    /// All savepoints that open records have.
    pub(super) fn all_savepoints(&self) -> Answer {
        let view = |(savepoint, owner)| -> Option<SavepointView> {
            let record = &self.jobs.open(owner)?.record;
            Some(SavepointView::of(record, record.savepoint(savepoint)?))
        };
        let mut all: Vec<SavepointView> = self.catalog.savepoints().filter_map(view).collect();
        all.sort_by(|a, b| a.checkpoint.completed_at.cmp(&b.checkpoint.completed_at));
        Answer::Savepoints(all)
    }

    /// Removes a savepoint: from its record, then its files. `None` while that is under way.
    pub(super) fn remove_savepoint(
        &mut self,
        savepoint: SavepointId,
        now: Now,
        out: &mut Vec<LeaderAction>,
    ) -> Option<Answer> {
        if let Some(removal) = self.removals.0.get(&savepoint) {
            let Removal::Done(why_not) = removal else {
                return None;
            };
            let answer = match why_not {
                None => Answer::Done,
                Some(why) => Answer::Unknown(format!(
                    "no record names savepoint {savepoint} any more, but its files are not all \
                     gone: {why}; remove it again"
                )),
            };
            self.removals.0.remove(&savepoint);
            return Some(answer);
        }
        if let Some(by) = self.catalog.savepoint_pinned_by(savepoint) {
            return Some(Answer::Conflict(format!(
                "job {by} starts from savepoint {savepoint} and has no checkpoint of its own yet"
            )));
        }
        let owner = self.catalog.owner(savepoint);
        let Some(owner) = owner.filter(|owner| self.jobs.open(*owner).is_some()) else {
            if let Some(by) = self.makers_of(savepoint).next() {
                return Some(Answer::Conflict(format!(
                    "job {by} is making savepoint {savepoint}; ask again when it is done"
                )));
            }
            // It may be that one's, or what a job starts from that cannot be read.
            if let Some((damaged, _)) = self.jobs.damaged().next() {
                return Some(Answer::Conflict(format!(
                    "no record that can be read names savepoint {savepoint}, and the one of job \
                     {damaged} cannot be read: put back a copy of it, or delete it with `incumbent \
                     records`; then ask again"
                )));
            }
            self.removals.0.insert(savepoint, Removal::UnderWay);
            out.push(LeaderAction::RemoveSavepoint(savepoint));
            return None;
        };
        let job = self.jobs.open_mut(owner)?;
        if matches!(job.write, Write::Reopening | Write::Erasing) {
            return None;
        }
        if is_needed(&job.record, savepoint) {
            return Some(Answer::Conflict(format!(
                "savepoint {savepoint} is what job {owner} starts from next; it can be removed \
                 when the job has a newer checkpoint, or has ended"
            )));
        }
        if job.wishes.unlist.is_none() {
            job.wishes.unlist = Some(savepoint);
            self.touched.insert(owner);
            self.timers.ring_by(Timer::Job(owner), now.time);
        }
        None
    }

    /// The files are gone, or not.
    pub(super) fn savepoint_removed(
        &mut self,
        now: Now,
        savepoint: SavepointId,
        why_not: Option<String>,
        out: &mut Vec<LeaderAction>,
    ) {
        if let Some(removal) = self.removals.0.get_mut(&savepoint) {
            *removal = Removal::Done(why_not);
            self.answer_about_all(now, out);
            // The one who asked may have given up.
            self.removals.0.remove(&savepoint);
        }
    }

    /// Whether somebody wants this savepoint removed, and that is under way: nothing starts from it
    /// any more.
    pub(super) fn is_being_removed(&self, savepoint: SavepointId) -> bool {
        let owner = self.catalog.owner(savepoint);
        let owner = owner.and_then(|owner| self.jobs.open(owner));
        self.removals.0.contains_key(&savepoint)
            || owner.is_some_and(|job| job.wishes.unlist == Some(savepoint))
    }

    /// Why this job cannot make a savepoint of this id, if it is not the job's own: what lies under
    /// it would be another one's, and would go with that.
    pub(super) fn taken_by(&self, savepoint: SavepointId, job: JobId) -> Option<String> {
        let is_other = |other: &JobId| *other != job;
        if let Some(owner) = self.catalog.owner(savepoint).filter(is_other) {
            return Some(format!(
                "the id of that savepoint is another one's, of job {owner}; draw a new one"
            ));
        }
        if let Some(maker) = self.makers_of(savepoint).find(is_other) {
            return Some(format!(
                "job {maker} is making a savepoint of that id; draw a new one"
            ));
        }
        (self.is_being_removed(savepoint)).then(|| {
            format!("savepoint {savepoint} is being removed: draw a new id for another one")
        })
    }

    /// The jobs that are making this savepoint, or are about to write so down.
    fn makers_of(&self, savepoint: SavepointId) -> impl Iterator<Item = JobId> {
        let makes = move |job: &&Job| {
            let wish = job.wishes.change.and_then(Wish::savepoint);
            let intent = job.record.intent.and_then(savepoint_of);
            wish == Some(savepoint) || intent == Some(savepoint)
        };
        self.jobs.iter().filter(makes).map(|job| job.record.id)
    }
}

/// Whether a job that has not ended would start from this savepoint.
fn is_needed(record: &JobRecord, savepoint: SavepointId) -> bool {
    let newest = record.checkpoints.last().and_then(|last| last.savepoint);
    !record.state.is_terminal() && newest == Some(savepoint)
}
