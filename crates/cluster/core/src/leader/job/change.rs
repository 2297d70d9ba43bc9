//! The next record of a job: what one commit changes.

use incumbent_core::Now;

use super::cause;
use super::intents::Wish;
use crate::checkpoint::{Goal, Intent, RestorePoint};
use crate::leader::restart::AfterEnd;
use crate::moment::wall_text;
use crate::record::{EndedAttempt, MOST_ENDED_ATTEMPTS, MOST_WITH_LINES, PlacedNode, Placement};
use crate::{Cause, CauseKind, Desired, JobRecord, JobState, SavepointId};

/// The next attempt is placed, with as many tasks as there are placements.
///
/// If its last checkpoint is committed already, it only publishes.
pub(in crate::leader) fn placed(
    record: &JobRecord,
    nodes: Vec<PlacedNode>,
    placements: Vec<Placement>,
) -> JobRecord {
    let mut next = record.clone();
    next.state = match record.closing {
        Some(_) => JobState::Stopping,
        None => JobState::Running,
    };
    let was_rescaled =
        (record.cause.as_ref()).is_some_and(|cause| cause.kind == CauseKind::Rescaled);
    if record.state == JobState::Restarting && !was_rescaled {
        next.restarts += 1;
    }
    let tasks = u32::try_from(placements.len()).expect("a job has at most MOST_TASKS ranks");
    if tasks != record.tasks() {
        set_tasks(&mut next, tasks);
    }
    if next.intent == Some(Intent::Rescale { tasks }) {
        next.intent = None;
    }
    next.attempt = record.attempt.next();
    next.nodes = nodes;
    next.placements = placements;
    next
}

/// The present attempt has ended.
pub(super) fn attempt_ended(
    record: &JobRecord,
    cause: Cause,
    then: AfterEnd,
    now: Now,
) -> JobRecord {
    let mut next = record.clone();
    push_ended(&mut next, cause.clone(), now);
    next.cause = Some(cause);
    match then {
        AfterEnd::Again { in_row } => {
            next.state = JobState::Restarting;
            next.restarts_in_row = in_row;
        }
        AfterEnd::Fail => {
            next.state = JobState::Failed;
            next.ended_at = Some(wall_text(now));
            (next.intent, next.closing) = (None, None);
        }
    }
    next
}

/// It never gets an attempt.
pub(in crate::leader) fn refused(record: &JobRecord, cause: Cause, now: Now) -> JobRecord {
    JobRecord {
        state: JobState::Failed,
        cause: Some(cause),
        ended_at: Some(wall_text(now)),
        ..record.clone()
    }
}

/// All ranks exited with 0.
pub(super) fn finished(record: &JobRecord, now: Now) -> JobRecord {
    JobRecord {
        state: JobState::Finished,
        closing: None,
        cause: None,
        ended_at: Some(wall_text(now)),
        ..record.clone()
    }
}

/// The owner wants it to end: written before anything is ended.
pub(super) fn stopping(record: &JobRecord) -> JobRecord {
    JobRecord {
        state: JobState::Stopping,
        desired: Desired::Canceled,
        intent: None,
        closing: None,
        ..record.clone()
    }
}

/// It has ended because its owner wanted so.
pub(super) fn canceled(record: &JobRecord, now: Now) -> JobRecord {
    let mut next = JobRecord {
        state: JobState::Canceled,
        desired: Desired::Canceled,
        intent: None,
        closing: None,
        ended_at: Some(wall_text(now)),
        ..record.clone()
    };
    if is_attempt_open(&next) {
        push_ended(&mut next, cause::canceled(), now);
    }
    next.cause = Some(cause::canceled());
    next
}

/// What an owner wants is written down; what needs neither a checkpoint nor the end of a task is
/// done with that.
pub(super) fn wished(record: &JobRecord, wish: Wish, now: Now) -> JobRecord {
    let mut next = record.clone();
    match (wish, record.state) {
        (Wish::Stop { .. }, JobState::Waiting) => return suspended(record, now),
        (Wish::Stop { savepoint }, _) => {
            next.desired = Desired::Suspended;
            next.intent = Some(Intent::Stop { savepoint });
            if !record.is_checkpointing() {
                next.state = JobState::Stopping;
            }
        }
        (Wish::Resume, JobState::Suspended) => return resumed(record),
        (Wish::Resume, _) => {
            next.desired = Desired::Running;
            next.intent = None;
        }
        (Wish::Savepoint { id }, _) => next.intent = Some(Intent::Savepoint { id }),
        (Wish::Rescale { tasks }, _) if tasks == record.tasks() => next.intent = None,
        (Wish::Rescale { tasks }, JobState::Running) if record.is_checkpointing() => {
            next.intent = Some(Intent::Rescale { tasks });
        }
        (Wish::Rescale { tasks }, JobState::Running) => return rescaled(record, tasks, now),
        (Wish::Rescale { tasks }, _) => set_tasks(&mut next, tasks),
    }
    next
}

/// The savepoint that was wanted is not made; the job goes on.
pub(super) fn savepoint_given_up(record: &JobRecord) -> JobRecord {
    JobRecord {
        intent: None,
        ..record.clone()
    }
}

/// The present attempt has ended, and the next one has these many tasks: no delay, and no restart
/// is counted.
pub(super) fn rescaled(record: &JobRecord, tasks: u32, now: Now) -> JobRecord {
    let text = format!(
        "a person gave the job {tasks} tasks instead of {}",
        record.tasks()
    );
    let cause = cause::plain(CauseKind::Rescaled, text);
    let mut next = record.clone();
    push_ended(&mut next, cause.clone(), now);
    next.cause = Some(cause);
    next.state = JobState::Restarting;
    next.intent = None;
    set_tasks(&mut next, tasks);
    next
}

/// Nothing of it is left to run: it can be resumed.
pub(super) fn suspended(record: &JobRecord, now: Now) -> JobRecord {
    let mut next = JobRecord {
        state: JobState::Suspended,
        desired: Desired::Suspended,
        intent: None,
        closing: None,
        ..record.clone()
    };
    let text = "a person stopped the job; `incumbent job resume` runs it again";
    let cause = cause::plain(CauseKind::Stopped, text.to_owned());
    if is_attempt_open(&next) {
        push_ended(&mut next, cause.clone(), now);
    }
    next.cause = Some(cause);
    next
}

/// It is to run again, from its last checkpoint.
fn resumed(record: &JobRecord) -> JobRecord {
    JobRecord {
        state: JobState::Waiting,
        desired: Desired::Running,
        restarts_in_row: 0,
        nodes: Vec::new(),
        placements: Vec::new(),
        cause: None,
        ..record.clone()
    }
}

/// All ranks have published what the last checkpoint has committed, and ended.
pub(super) fn closed(record: &JobRecord, goal: Goal, now: Now) -> JobRecord {
    match goal {
        Goal::Suspended => suspended(record, now),
        Goal::Finished => finished(record, now),
    }
}

/// What the first attempt starts from is known.
pub(in crate::leader) fn originated(record: &JobRecord, origin: RestorePoint) -> JobRecord {
    JobRecord {
        origin: Some(origin),
        ..record.clone()
    }
}

/// These savepoints are its own no more.
pub(super) fn unlisted(record: &JobRecord, savepoint: SavepointId) -> JobRecord {
    let mut next = record.clone();
    next.savepoints.retain(|kept| kept.id != savepoint);
    next.checkpoints
        .retain(|kept| kept.savepoint != Some(savepoint));
    next
}

fn set_tasks(record: &mut JobRecord, tasks: u32) {
    record.rescaled = (tasks != record.spec.tasks).then_some(tasks);
}

/// Whether the present attempt is not among those that have ended.
fn is_attempt_open(record: &JobRecord) -> bool {
    record.attempt.0 > 0 && (record.ended.last()).is_none_or(|last| last.attempt != record.attempt)
}

fn push_ended(record: &mut JobRecord, cause: Cause, now: Now) {
    record.ended.push(EndedAttempt {
        attempt: record.attempt,
        ended_at: wall_text(now),
        cause,
    });
    let surplus = record.ended.len().saturating_sub(MOST_ENDED_ATTEMPTS);
    record.ended.drain(..surplus);
    let without_lines = record.ended.len().saturating_sub(MOST_WITH_LINES);
    for ended in &mut record.ended[..without_lines] {
        ended.cause.last_lines = Vec::new();
    }
}
