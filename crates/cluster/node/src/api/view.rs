//! A job as its record shows it, without the leader; and the reasons of a job in words.

use std::time::SystemTime;

use incumbent_cluster_core::view::{
    CheckpointView, CheckpointsView, JobView, SavepointView, TaskView, TaskViewState,
};
use incumbent_cluster_core::{JobRecord, JobState, Rank};

use super::words;

/// Between two checkpoints of a job that does not say, on most stores (R14).
const USUAL_INTERVAL_MS: u64 = 1000;

/// The view of a record, for a node that does not lead. The processes of its tasks are not known.
pub(super) fn of_record(record: &JobRecord, epoch: u64) -> JobView {
    let ranks = 0..u32::try_from(record.placements.len()).unwrap_or(u32::MAX);
    let tasks = ranks.map(|rank| {
        let node = record.node_of(Rank(rank));
        TaskView {
            rank,
            state: TaskViewState::Unknown,
            node: node.map(|node| node.name.clone()),
            pid: None,
            since: None,
            address: None,
            progress: None,
        }
    });
    JobView {
        id: record.id.to_string(),
        name: record.spec.name.clone(),
        state: record.state,
        attempt: record.attempt.0,
        epoch,
        tasks: tasks.collect(),
        wanted_tasks: record.tasks(),
        checkpoint: record.checkpoints.last().map(CheckpointView::of),
        checkpoints: checkpoints(record),
        savepoints: SavepointView::all_of(record),
        restarts: record.restarts,
        cause: record.cause.clone(),
        desired: record.desired,
        intent: record.intent,
        why: Vec::new(),
        submitted_at: record.submitted_at.clone(),
        ended_at: record.ended_at.clone(),
        incarnation: record.incarnation.to_string(),
        attempts: record.ended.clone(),
        spec: Some(record.spec.clone()),
    }
}

/// What a record says of the checkpoints of its job, if it makes any.
fn checkpoints(record: &JobRecord) -> Option<CheckpointsView> {
    let wanted = record.spec.checkpoints.as_ref()?;
    let interval_ms = wanted.interval_ms.unwrap_or(USUAL_INTERVAL_MS);
    Some(CheckpointsView::of(record, interval_ms))
}

/// Why a job is as it is, one line each: what the leader says, and what it says nothing of.
pub(super) fn why(job: &JobView, now: SystemTime) -> Vec<String> {
    let mut lines = job.why.clone();
    if lines.is_empty() || job.state == JobState::Running {
        lines.insert(0, standing(job));
    }
    lines.extend(words::about_checkpoints(job, now));
    // The leader tells the cause of what does not run.
    if let Some(cause) = job
        .cause
        .as_ref()
        .filter(|_| job.state == JobState::Running)
    {
        lines.push(format!("the attempt before ended: {}", cause.message));
        if !cause.last_lines.is_empty() {
            lines.push("its last lines were:".into());
            lines.extend(cause.last_lines.iter().map(|line| format!("  {line}")));
        }
    }
    lines
}

fn standing(job: &JobView) -> String {
    let count = job.tasks.len();
    let running = job
        .tasks
        .iter()
        .filter(|task| task.state == TaskViewState::Running)
        .count();
    let attempt = job.attempt;
    match job.state {
        JobState::Waiting => "it waits for slots".into(),
        JobState::Running => format!("{running} of {count} tasks of attempt {attempt} run"),
        JobState::Restarting => format!("attempt {attempt} has ended, and another one follows"),
        JobState::Stopping => format!("its tasks of attempt {attempt} are being ended"),
        JobState::Suspended => "it is suspended".into(),
        JobState::Finished => "it is finished: all tasks exited with 0".into(),
        JobState::Failed => format!("it failed in attempt {attempt} and is not started again"),
        JobState::Canceled => "it was canceled".into(),
    }
}
