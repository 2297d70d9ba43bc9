//! The next record of a job: what one commit changes.

use incumbent_core::Now;

use super::cause;
use crate::leader::restart::AfterEnd;
use crate::moment::wall_text;
use crate::record::{EndedAttempt, MOST_ENDED_ATTEMPTS, PlacedNode, Placement};
use crate::{Cause, Desired, JobRecord, JobState};

/// How many of the ended attempts keep the last lines of their tasks: the newest.
const MOST_WITH_LINES: usize = 5;

/// The next attempt is placed.
pub(in crate::leader) fn placed(
    record: &JobRecord,
    nodes: Vec<PlacedNode>,
    placements: Vec<Placement>,
) -> JobRecord {
    let mut next = record.clone();
    next.state = JobState::Running;
    if record.attempt.0 > 0 {
        next.restarts += 1;
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
        }
    }
    next
}

/// It never gets an attempt.
pub(super) fn refused(record: &JobRecord, cause: Cause, now: Now) -> JobRecord {
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
        ..record.clone()
    }
}

/// It has ended because its owner wanted so.
pub(super) fn canceled(record: &JobRecord, now: Now) -> JobRecord {
    let mut next = JobRecord {
        state: JobState::Canceled,
        desired: Desired::Canceled,
        ended_at: Some(wall_text(now)),
        ..record.clone()
    };
    let is_attempt_open =
        next.attempt.0 > 0 && (next.ended.last()).is_none_or(|last| last.attempt != next.attempt);
    if is_attempt_open {
        push_ended(&mut next, cause::canceled(), now);
    }
    next.cause = Some(cause::canceled());
    next
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
