//! [`Stories`]: what a leader logs. A change of leader, an adoption, a restart take five lines or
//! fewer each, however many jobs there are.
//!
//! ```text
//! change of leader   begins; complete; all reported (or each TaskManager that stays silent)
//! restart of a job   ended; placed
//! an intent          written down; carried out (checkpoints themselves are not told)
//! a TaskManager      registered; silent; gone; orders do not arrive
//! ```

mod intents;

use std::collections::BTreeSet;
use std::time::Duration;

use incumbent_core::Seal;

use super::job::Job;
use super::job::checkpoints::Aborted;
use super::jobs::Jobs;
use super::nodes::{Node, Nodes};
use super::{LeaderAction, Story, restart};
use crate::checkpoint::Savepoint;
use crate::plural::counted;
use crate::{CauseKind, Desired, JobId, JobRecord, JobState, TaskId};

/// What was told, and what is to be told once.
#[derive(Debug)]
pub(super) struct Stories {
    seal: Seal,
    /// Adopted jobs with ranks that were not reported yet.
    awaited: BTreeSet<JobId>,
    adopted_jobs: usize,
    adopted_tasks: usize,
    is_complete: bool,
    is_all_told: bool,
}

impl Stories {
    pub(super) fn new(seal: Seal) -> Self {
        Self {
            seal,
            awaited: BTreeSet::new(),
            adopted_jobs: 0,
            adopted_tasks: 0,
            is_complete: false,
            is_all_told: false,
        }
    }

    /// The list of records is known.
    pub(super) fn begins(&self, records: usize, out: &mut Vec<LeaderAction>) {
        let text = format!(
            "this JobManager leads in epoch {}; {records} records of jobs are opened, and their \
             tasks go on meanwhile",
            self.seal.epoch
        );
        tell(out, None, false, text);
    }

    /// A record with an attempt was opened.
    pub(super) fn adopted(&mut self, job: &Job) {
        self.adopted_jobs += 1;
        self.adopted_tasks += job.ranks.len();
        if job.record.is_to_run() {
            self.awaited.insert(job.record.id);
        }
    }

    pub(super) fn is_awaited(&self, id: JobId) -> bool {
        self.awaited.contains(&id)
    }

    /// Whether ranks that an earlier leader placed were not reported yet.
    pub(super) fn awaits_reports(&self) -> bool {
        !self.awaited.is_empty()
    }

    /// All ranks of this job were reported, or it is not awaited any more.
    pub(super) fn reported(&mut self, id: JobId) {
        self.awaited.remove(&id);
    }

    /// All records are open.
    pub(super) fn complete(&mut self, jobs: &Jobs, nodes: &Nodes, out: &mut Vec<LeaderAction>) {
        self.is_complete = true;
        let registered = nodes.iter().filter(|(_, node)| node.is_registered).count();
        let waiting = (jobs.iter())
            .filter(|job| job.record.state == JobState::Waiting)
            .count();
        let damaged = jobs.damaged().count();
        let mut text = format!(
            "all records are open: {} with {} placed, {waiting} waiting; {registered} of {} reported",
            counted(self.adopted_jobs, "job"),
            counted(self.adopted_tasks, "task"),
            counted(nodes.len(), "TaskManager")
        );
        if damaged > 0 {
            text += &format!("; {damaged} records are damaged and left alone");
        }
        tell(out, None, damaged > 0, text);
    }

    /// Says once that every task that was placed by earlier leaders was reported.
    pub(super) fn told_if_all_reported(&mut self, out: &mut Vec<LeaderAction>) {
        if self.is_all_told || !self.is_complete || !self.awaited.is_empty() {
            return;
        }
        self.is_all_told = true;
        if self.adopted_jobs > 0 {
            let text = format!(
                "adopted {}: nothing of them is waited for any more",
                counted(self.adopted_jobs, "job")
            );
            tell(out, None, false, text);
        }
    }

    /// A TaskManager has registered. During an adoption the line of the whole says how many have.
    pub(super) fn registered(&self, node: &Node, is_complete: bool, out: &mut Vec<LeaderAction>) {
        if !is_complete || !self.is_all_told || self.is_of_adoption(node) {
            return;
        }
        let text = format!(
            "TaskManager {} at {} has registered with {}",
            node.place.name,
            node.place.address,
            counted(
                node.info.as_ref().map_or(0, |info| info.slots as usize),
                "slot"
            )
        );
        tell(out, None, false, text);
    }

    fn is_of_adoption(&self, node: &Node) -> bool {
        !node.jobs.is_empty() && self.adopted_jobs > 0
    }

    /// A TaskManager is gone.
    pub(super) fn gone(&self, node: &Node, why: &str, out: &mut Vec<LeaderAction>) {
        let name = &node.place.name;
        let jobs = node.jobs.len();
        if jobs == 0 && node.is_draining {
            let text = format!("TaskManager {name} has left after it was drained");
            return tell(out, None, false, text);
        }
        let text = format!(
            "TaskManager {name} at {} is gone: {why}; {} had tasks there, whose next attempts begin \
             elsewhere as the restart strategies say",
            node.place.address,
            counted(jobs, "job")
        );
        tell(out, None, true, text);
    }

    /// A TaskManager is silent. Told once for each silence.
    pub(super) fn silent(&self, node: &mut Node, out: &mut Vec<LeaderAction>) {
        if std::mem::replace(&mut node.is_silence_told, true) {
            return;
        }
        let text = format!(
            "TaskManager {} at {} is silent, with tasks of {}: fenced ones begin their next attempt, \
             exclusive ones wait until it is known to be gone",
            node.place.name,
            node.place.address,
            counted(node.jobs.len(), "job")
        );
        tell(out, None, true, text);
    }

    /// Orders do not arrive.
    pub(super) fn undelivered(&self, name: &str, why: &str, out: &mut Vec<LeaderAction>) {
        let text =
            format!("an order did not reach TaskManager {name}: {why}; it is given again soon");
        tell(out, None, true, text);
    }

    /// Tasks that no record places are ended.
    pub(super) fn strays(&self, name: &str, tasks: &[TaskId], out: &mut Vec<LeaderAction>) {
        let Some(first) = tasks.first() else {
            return;
        };
        let more = match tasks.len() - 1 {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let text = format!(
            "TaskManager {name} has a task that no record places: {first}{more}; it is ended"
        );
        tell(out, None, true, text);
    }

    /// The record of a job cannot be read.
    pub(super) fn damaged(&self, id: JobId, why: &str, out: &mut Vec<LeaderAction>) {
        let text = format!(
            "the record of job {id} is damaged: {why}; its tasks are left alone until a person has \
             repaired or removed the record"
        );
        out.push(LeaderAction::Tell(Story {
            job: Some(id),
            attempt: None,
            is_warning: true,
            text,
        }));
    }

    /// A job is another than before, and that is written down.
    pub(super) fn changed(&self, before: &JobRecord, job: &Job, out: &mut Vec<LeaderAction>) {
        if before.state == job.record.state && before.attempt == job.record.attempt {
            return intents::changed(before, &job.record, out);
        }
        let record = &job.record;
        let (name, attempt) = (&record.spec.name, record.attempt);
        let cause = record.cause.as_ref().map_or("", |cause| &cause.message);
        let (is_warning, text) = match record.state {
            JobState::Waiting => (
                false,
                format!("job {name:?} is resumed; it is placed when there are slots"),
            ),
            JobState::Suspended => (
                false,
                format!("job {name:?} is suspended: nothing of it is left to run"),
            ),
            JobState::Stopping if record.closing.is_some() => {
                (false, intents::closing_text(before, record))
            }
            JobState::Running => {
                let nodes: Vec<_> = (record.nodes.iter())
                    .take(MOST_NAMES)
                    .map(|node| node.name.as_str())
                    .collect();
                let more = match record.nodes.len().saturating_sub(MOST_NAMES) {
                    0 => String::new(),
                    more => format!(" and {more} more"),
                };
                let text = format!(
                    "job {name:?}: attempt {attempt} is placed on {}{more}; {} to be started{}",
                    nodes.join(", "),
                    counted(record.placements.len(), "task"),
                    intents::restored_text(record)
                );
                (false, text)
            }
            JobState::Restarting => {
                let delay = match restart::delay(record) {
                    Duration::ZERO => String::new(),
                    delay => format!(", after a delay of {delay:?}"),
                };
                let text = format!(
                    "job {name:?}: attempt {attempt} has ended: {cause}; the next one begins when \
                     its tasks are gone{delay}"
                );
                let is_wanted =
                    (record.cause.as_ref()).is_some_and(|cause| cause.kind == CauseKind::Rescaled);
                (!is_wanted, text)
            }
            JobState::Stopping if record.desired == Desired::Suspended => (
                false,
                format!("job {name:?} is to be suspended; its tasks are ended"),
            ),
            JobState::Stopping => (
                false,
                format!("job {name:?} is to be canceled; its tasks are ended"),
            ),
            JobState::Finished => (
                false,
                format!("job {name:?} is finished: all its tasks exited with 0"),
            ),
            JobState::Failed => (
                true,
                format!("job {name:?} has failed and is not restarted: {cause}"),
            ),
            JobState::Canceled => (false, format!("job {name:?} is canceled")),
        };
        out.push(LeaderAction::Tell(Story {
            job: Some(record.id),
            attempt: Some(attempt),
            is_warning,
            text,
        }));
    }
}

/// A checkpoint was given up.
pub(super) fn checkpoint_aborted(
    job: &Job,
    aborted: &Aborted,
    counts: bool,
    out: &mut Vec<LeaderAction>,
) {
    let record = &job.record;
    let text = format!(
        "job {:?}: checkpoint {} is aborted: {}; what was staged for it belongs to the next one{}",
        record.spec.name,
        aborted.number,
        aborted.why,
        if counts {
            ""
        } else {
            ", and it does not count as failed"
        }
    );
    out.push(LeaderAction::Tell(Story {
        job: Some(record.id),
        attempt: Some(record.attempt),
        is_warning: true,
        text,
    }));
}

/// A savepoint is in the record.
pub(super) fn savepoint_made(job: &Job, savepoint: &Savepoint, out: &mut Vec<LeaderAction>) {
    let record = &job.record;
    let text = format!(
        "job {:?} has savepoint {}: its checkpoint {} of {} bytes",
        record.spec.name, savepoint.id, savepoint.checkpoint.number, savepoint.checkpoint.bytes
    );
    out.push(LeaderAction::Tell(Story {
        job: Some(record.id),
        attempt: Some(record.attempt),
        is_warning: false,
        text,
    }));
}

/// Most TaskManagers that a line names.
const MOST_NAMES: usize = 4;

fn tell(out: &mut Vec<LeaderAction>, job: Option<JobId>, is_warning: bool, text: String) {
    out.push(LeaderAction::Tell(Story {
        job,
        attempt: None,
        is_warning,
        text,
    }));
}
