//! Jobs in words: what `show`, `why` and `run` have in common.

use incumbent_cluster_core::JobState;
use incumbent_cluster_core::record::Cause;
use incumbent_cluster_core::view::{JobView, TaskView, TaskViewState};

/// The state as one word.
pub(super) fn short_state(job: &JobView) -> &'static str {
    match job.state {
        JobState::Waiting => "waiting",
        JobState::Running => "running",
        JobState::Restarting => "restarting",
        JobState::Stopping => "stopping",
        JobState::Suspended => "suspended",
        JobState::Finished => "finished",
        JobState::Failed => "failed",
        JobState::Canceled => "canceled",
    }
}

/// The state of a task as one word.
pub(super) fn task_state(task: &TaskView) -> &'static str {
    match task.state {
        TaskViewState::Placed => "placed",
        TaskViewState::Starting => "starting",
        TaskViewState::Running => "running",
        TaskViewState::Ending => "ending",
        TaskViewState::Ended => "ended",
        TaskViewState::Unknown => "unknown",
    }
}

/// How many tasks run, of how many.
pub(super) fn tasks_running(job: &JobView) -> String {
    let running = job.tasks.iter();
    let running = running.filter(|task| task.state == TaskViewState::Running);
    let all = job
        .spec
        .as_ref()
        .map_or(job.tasks.len(), |spec| spec.tasks as usize);
    format!("{}/{all}", running.count())
}

/// How a job stands, in one line.
pub(super) fn standing(job: &JobView) -> String {
    let name = &job.name;
    match job.state {
        JobState::Waiting => format!("{name} waits{}", because(job)),
        JobState::Running => format!(
            "{name} runs: attempt {}, {} tasks",
            job.attempt,
            tasks_running(job)
        ),
        JobState::Restarting => format!(
            "{name} restarts: attempt {} has ended{}",
            job.attempt,
            cause_of(job)
        ),
        JobState::Stopping => format!("{name} is being ended"),
        JobState::Suspended => format!("{name} is suspended"),
        JobState::Finished => format!("{name} has finished: all tasks exited with 0"),
        JobState::Failed => format!("{name} has failed{}", cause_of(job)),
        JobState::Canceled => format!("{name} was canceled"),
    }
}

fn because(job: &JobView) -> String {
    match job.why.first() {
        Some(why) => format!(": {why}"),
        None => cause_of(job),
    }
}

fn cause_of(job: &JobView) -> String {
    match &job.cause {
        Some(cause) => format!(": {}", cause.message),
        None => String::new(),
    }
}

/// A cause in lines: what happened, and what the task printed last.
pub(super) fn cause_lines(cause: &Cause) -> Vec<String> {
    let mut lines = vec![cause.message.clone()];
    let rank = cause.rank.map(|rank| format!("rank {rank}"));
    let node = cause.node.as_ref().map(|node| format!("on {node}"));
    let how = match (cause.exit_code, cause.signal) {
        (Some(code), _) => Some(format!("exit code {code}")),
        (None, Some(signal)) => Some(format!("signal {signal}")),
        (None, None) => None,
    };
    let facts: Vec<_> = [rank, node, how].into_iter().flatten().collect();
    if !facts.is_empty() {
        lines.push(format!("first was: {}", facts.join(", ")));
    }
    if !cause.last_lines.is_empty() {
        lines.push("its last lines:".into());
        lines.extend(cause.last_lines.iter().map(|line| format!("    {line}")));
    }
    lines
}
