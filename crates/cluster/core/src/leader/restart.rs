//! Restart strategies (R4): whether an attempt follows one that has ended, and when.
//!
//! Only what a job did itself counts against its strategy: a failed, unstartable or lost task. If a
//! TaskManager was lost or is drained, or a person wants a restart, the next attempt begins at
//! once.

use std::time::Duration;

use crate::{Cause, CauseKind, JobRecord, Restart, exit};

/// What follows the end of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AfterEnd {
    /// Another attempt, with this many restarts in a row.
    Again {
        /// What the record counts.
        in_row: u32,
    },
    /// Nothing: the job has failed.
    Fail,
}

/// What follows the end of an attempt that ran for `ran`, `None` if not all of it ever ran.
pub(super) fn after_end(record: &JobRecord, cause: &Cause, ran: Option<Duration>) -> AfterEnd {
    let kind = cause.kind;
    if kind == CauseKind::Refused || kind == CauseKind::Canceled || exit::is_final(cause) {
        return AfterEnd::Fail;
    }
    // What is committed is published, if the job itself does not fail at it.
    let only_publishes = record.closing.is_some() && !counts(kind);
    let (most, reset_after) = match &record.spec.restart {
        Restart::None if kind == CauseKind::Restarted || only_publishes => {
            return AfterEnd::Again { in_row: 0 };
        }
        Restart::None => return AfterEnd::Fail,
        Restart::FixedDelay { attempts, .. } => (Some(*attempts), None),
        Restart::ExponentialDelay {
            attempts,
            reset_after_ms,
            ..
        } => (*attempts, Some(Duration::from_millis(*reset_after_ms))),
    };
    let was_healthy = matches!((ran, reset_after), (Some(ran), Some(after)) if ran >= after);
    let before = if was_healthy {
        0
    } else {
        record.restarts_in_row
    };
    if !counts(kind) {
        return AfterEnd::Again { in_row: before };
    }
    match most {
        Some(most) if before >= most => AfterEnd::Fail,
        Some(_) | None => AfterEnd::Again { in_row: before + 1 },
    }
}

/// How long after the end of an attempt the next one begins, as the record says it. A new leader
/// counts it anew.
pub(super) fn delay(record: &JobRecord) -> Duration {
    let Some(cause) = &record.cause else {
        return Duration::ZERO;
    };
    if !counts(cause.kind) {
        return Duration::ZERO;
    }
    match &record.spec.restart {
        Restart::None => Duration::ZERO,
        Restart::FixedDelay { delay_ms, .. } => Duration::from_millis(*delay_ms),
        Restart::ExponentialDelay {
            initial_ms, max_ms, ..
        } => {
            let doublings = record.restarts_in_row.saturating_sub(1).min(MOST_DOUBLINGS);
            let delay = initial_ms.saturating_mul(1 << doublings);
            Duration::from_millis(delay.min(*max_ms))
        }
    }
}

/// More would leave 64 bits, and no delay is that long.
const MOST_DOUBLINGS: u32 = 40;

/// Whether it is the job that did it.
pub(super) fn counts(kind: CauseKind) -> bool {
    match kind {
        CauseKind::TaskFailed
        | CauseKind::NotStarted
        | CauseKind::TaskLost
        | CauseKind::CheckpointsFailed
        | CauseKind::NotRestored => true,
        CauseKind::NodeDied
        | CauseKind::NodeSilent
        | CauseKind::Isolated
        | CauseKind::Drained
        | CauseKind::Restarted
        | CauseKind::Rescaled
        | CauseKind::Stopped
        | CauseKind::Canceled
        | CauseKind::Refused => false,
    }
}
