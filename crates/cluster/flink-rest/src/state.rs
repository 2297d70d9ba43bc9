//! States: which of ours is which of Flink's. Pure.
//!
//! What Flink's tools do with a state decides. `flink list` puts `CREATED` under *scheduled*, what
//! has ended for good under *terminated*, and the rest under *running*, with the state behind it.

use incumbent_cluster_core::view::{JobView, TaskView, TaskViewState};
use incumbent_cluster_core::{CauseKind, Desired, JobState};
use serde_json::{Map, Value};

/// Flink's states of a job, as its lists have them.
pub(crate) const OF_JOBS: [&str; 11] = [
    "INITIALIZING",
    "CREATED",
    "RUNNING",
    "FAILING",
    "FAILED",
    "CANCELLING",
    "CANCELED",
    "FINISHED",
    "RESTARTING",
    "SUSPENDED",
    "RECONCILING",
];

/// Flink's states of a task.
pub(crate) const OF_TASKS: [&str; 10] = [
    "CREATED",
    "SCHEDULED",
    "DEPLOYING",
    "RUNNING",
    "FINISHED",
    "CANCELING",
    "CANCELED",
    "FAILED",
    "RECONCILING",
    "INITIALIZING",
];

/// The state of a job.
pub(crate) fn of_job(job: &JobView) -> &'static str {
    match (job.state, job.desired) {
        // Without slots, as a job of Flink's adaptive scheduler is.
        (JobState::Waiting, _) => "CREATED",
        (JobState::Running, _) => "RUNNING",
        (JobState::Restarting, _) => "RESTARTING",
        (JobState::Stopping, Desired::Canceled) => "CANCELLING",
        // Flink's stop with a savepoint is no state of its own either.
        (JobState::Stopping, Desired::Suspended) => "RUNNING",
        // The input has ended, and the last output is being published; or an attempt is ended.
        (JobState::Stopping, Desired::Running) => "RUNNING",
        // It can be resumed, so it is not finished.
        (JobState::Suspended, _) => "SUSPENDED",
        (JobState::Finished, _) => "FINISHED",
        (JobState::Failed, _) => "FAILED",
        (JobState::Canceled, _) => "CANCELED",
    }
}

/// Whether Flink counts a job with this state as one that has ended for good.
pub(crate) fn has_ended(job: &JobView) -> bool {
    job.state.is_terminal()
}

/// The state of a task.
pub(crate) fn of_task(job: &JobView, task: &TaskView) -> &'static str {
    match task.state {
        TaskViewState::Placed => "SCHEDULED",
        TaskViewState::Starting => "DEPLOYING",
        TaskViewState::Running => "RUNNING",
        TaskViewState::Ending => "CANCELING",
        // Its TaskManager has not said so, or not to this leader yet: so Flink calls it, too.
        TaskViewState::Unknown => "RECONCILING",
        TaskViewState::Ended => ended(job, task.rank),
    }
}

fn ended(job: &JobView, rank: u32) -> &'static str {
    let has_failed = (job.cause.as_ref()).is_some_and(|cause| {
        is_failure(cause.kind) && cause.rank.is_some_and(|failed| failed.0 == rank)
    });
    match job.state {
        JobState::Failed | JobState::Restarting | JobState::Waiting if has_failed => "FAILED",
        JobState::Failed | JobState::Restarting | JobState::Waiting | JobState::Canceled => {
            "CANCELED"
        }
        JobState::Running | JobState::Stopping | JobState::Suspended | JobState::Finished => {
            "FINISHED"
        }
    }
}

/// Whether an attempt ended because something went wrong, and not because somebody wanted it.
pub(crate) fn is_failure(kind: CauseKind) -> bool {
    match kind {
        CauseKind::TaskFailed
        | CauseKind::NotStarted
        | CauseKind::NodeDied
        | CauseKind::NodeSilent
        | CauseKind::TaskLost
        | CauseKind::Isolated
        | CauseKind::CheckpointsFailed
        | CauseKind::NotRestored
        | CauseKind::Refused => true,
        CauseKind::Drained
        | CauseKind::Restarted
        | CauseKind::Rescaled
        | CauseKind::Stopped
        | CauseKind::Canceled => false,
    }
}

/// How many tasks have each state. Tasks that were never placed are `CREATED`.
pub(crate) fn counts(job: &JobView) -> Map<String, Value> {
    let missing = tasks(job).saturating_sub(job.tasks.len());
    let count = |state: &&str| {
        let found = job
            .tasks
            .iter()
            .filter(|task| of_task(job, task) == *state)
            .count();
        found + if *state == "CREATED" { missing } else { 0 }
    };
    let all = OF_TASKS
        .iter()
        .map(|state| ((*state).to_owned(), Value::from(count(state))));
    all.collect()
}

/// How many tasks it has, or is to have.
pub(crate) fn tasks(job: &JobView) -> usize {
    job.task_count()
}

/// The state of the whole gang, as Flink makes it of the states of subtasks.
pub(crate) fn of_gang(job: &JobView) -> &'static str {
    // What comes first wins.
    const ORDER: [&str; 5] = ["FAILED", "CANCELING", "CANCELED", "INITIALIZING", "RUNNING"];
    let counts = counts(job);
    let count = |state: &str| counts[state].as_u64().unwrap_or(0);
    if let Some(first) = ORDER.into_iter().find(|state| count(state) > 0) {
        return first;
    }
    let all: u64 = OF_TASKS.iter().map(|state| count(state)).sum();
    match count("FINISHED") {
        0 if count("RECONCILING") > 0 => "RECONCILING",
        0 => "CREATED",
        finished if finished == all => "FINISHED",
        _ => "RUNNING",
    }
}
