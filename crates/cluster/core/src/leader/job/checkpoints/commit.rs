//! The next record of a job whose pending checkpoint is durable: one swap says all that follows.

use incumbent_core::Now;

use super::pending::{Pending, Purpose, Stage};
use crate::checkpoint::{Checkpoint, Closing, Goal, Intent, MOST_CHECKPOINTS, Savepoint};
use crate::leader::job::change;
use crate::moment::wall_text;
use crate::{JobRecord, JobState};

/// The record with this checkpoint; `None` if its manifest is not stored yet.
///
/// If what the checkpoint was made for cannot follow, it is one like any other: `purpose` says what
/// does.
pub(in crate::leader) fn checkpointed(
    record: &JobRecord,
    pending: &Pending,
    purpose: Purpose,
    now: Now,
) -> Option<JobRecord> {
    let Stage::Stored {
        manifest,
        bytes,
        took,
    } = &pending.stage
    else {
        return None;
    };
    let mut next = record.clone();
    let checkpoint = Checkpoint {
        number: pending.number,
        attempt: record.attempt,
        tasks: record.tasks(),
        savepoint: pending.purpose.savepoint(),
        manifest: manifest.clone(),
        bytes: *bytes,
        completed_at: wall_text(now),
        took_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
    };
    if let Some(id) = checkpoint.savepoint {
        let checkpoint = checkpoint.clone();
        next.savepoints.push(Savepoint { id, checkpoint });
    }
    next.checkpoints.push(checkpoint);
    trim(&mut next);
    let close = |next: &mut JobRecord, goal| {
        let number = pending.number;
        next.state = JobState::Stopping;
        next.closing = Some(Closing { goal, number });
    };
    match purpose {
        Purpose::Interval => {}
        // An intent that is left wants tasks that would have nothing to do.
        Purpose::Finish => {
            next.intent = None;
            close(&mut next, Goal::Finished);
        }
        Purpose::Intent(Intent::Savepoint { .. }) => next.intent = None,
        Purpose::Intent(Intent::Stop { .. }) => {
            next.intent = None;
            close(&mut next, Goal::Suspended);
        }
        Purpose::Intent(Intent::Rescale { tasks }) => next = change::rescaled(&next, tasks, now),
    }
    Some(next)
}

/// Keeps the newest checkpoints, as many as the job wants besides savepoints, and never none.
fn trim(record: &mut JobRecord) {
    let wanted = (record.spec.checkpoints.as_ref()).map_or(1, |how| how.keep as usize);
    let is_plain = |checkpoint: &Checkpoint| checkpoint.savepoint.is_none();
    let plain = (record.checkpoints.iter()).filter(|checkpoint| is_plain(checkpoint));
    let mut surplus = plain.count().saturating_sub(wanted.max(1));
    while surplus > 0 || record.checkpoints.len() > MOST_CHECKPOINTS {
        let oldest = record.checkpoints.remove(0);
        surplus = surplus.saturating_sub(usize::from(is_plain(&oldest)));
    }
}
