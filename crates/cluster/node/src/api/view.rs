//! A job as its record shows it, without the leader; and the reasons of a job in words.

use incumbent_cluster_core::view::{JobView, TaskView, TaskViewState};
use incumbent_cluster_core::{JobRecord, JobState, Rank};

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
        }
    });
    JobView {
        id: record.id.to_string(),
        name: record.spec.name.clone(),
        state: record.state,
        attempt: record.attempt.0,
        epoch,
        tasks: tasks.collect(),
        checkpoint: None,
        restarts: record.restarts,
        cause: record.cause.clone(),
        desired: record.desired,
        why: Vec::new(),
        submitted_at: record.submitted_at.clone(),
        ended_at: record.ended_at.clone(),
        incarnation: record.incarnation.to_string(),
        attempts: record.ended.clone(),
        spec: Some(record.spec.clone()),
    }
}

/// Why a job is as it is, one line each.
pub(super) fn why(job: &JobView) -> Vec<String> {
    let mut lines = vec![standing(job)];
    lines.extend(job.why.iter().cloned());
    let silent = job
        .tasks
        .iter()
        .filter(|task| task.state == TaskViewState::Unknown);
    for task in silent {
        let node = task
            .node
            .as_deref()
            .unwrap_or("a TaskManager that is not known");
        let since = task.since.as_deref().map(|since| format!(" since {since}"));
        lines.push(format!(
            "nothing is heard of rank {} on {node}{}",
            task.rank,
            since.unwrap_or_default()
        ));
    }
    let Some(cause) = &job.cause else {
        return lines;
    };
    let which = if job.state.is_terminal() {
        "it ended because"
    } else {
        "the attempt before ended because"
    };
    lines.push(format!("{which}: {}", cause.message));
    if !cause.last_lines.is_empty() {
        lines.push("the last lines were:".into());
        lines.extend(cause.last_lines.iter().map(|line| format!("  {line}")));
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
