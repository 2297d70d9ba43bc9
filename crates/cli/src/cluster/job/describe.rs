//! Jobs in words: what `show`, `why` and `run` have in common.

use std::time::SystemTime;

use incumbent_cluster_core::record::Cause;
use incumbent_cluster_core::view::{CheckpointView, JobView, TaskView, TaskViewState};
use incumbent_cluster_core::{Desired, JobState};
use incumbent_cluster_node::api::words;

use crate::show::bytes;

/// The state as one word.
pub(in crate::cluster) fn short_state(job: &JobView) -> &'static str {
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
pub(in crate::cluster) fn task_state(task: &TaskView) -> &'static str {
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
pub(in crate::cluster) fn tasks_running(job: &JobView) -> String {
    let running = job.tasks.iter();
    let running = running.filter(|task| task.state == TaskViewState::Running);
    format!("{}/{}", running.count(), job.task_count())
}

/// How a job stands, in one line.
pub(in crate::cluster) fn standing(job: &JobView) -> String {
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
            reason(job)
        ),
        JobState::Stopping => match job.desired {
            Desired::Suspended => format!("{name} is being stopped"),
            Desired::Running | Desired::Canceled => format!("{name} is being ended"),
        },
        JobState::Suspended => format!("{name} is suspended"),
        JobState::Finished => format!("{name} has finished: all tasks exited with 0"),
        JobState::Failed => format!("{name} has failed{}", reason(job)),
        JobState::Canceled => format!("{name} was canceled"),
    }
}

fn because(job: &JobView) -> String {
    match job.why.first() {
        Some(why) => format!(": {why}"),
        // Its attempt is being started, or its end is being written down.
        None if job.attempt > 0 => {
            format!(
                ": of attempt {}, {} tasks run",
                job.attempt,
                tasks_running(job)
            )
        }
        None => reason(job),
    }
}

/// Why it does not run, in one line.
pub(in crate::cluster) fn why_line(job: &JobView) -> Option<&str> {
    let cause = job.cause.as_ref().filter(|_| match job.state {
        JobState::Waiting | JobState::Restarting | JobState::Failed => true,
        JobState::Running
        | JobState::Stopping
        | JobState::Suspended
        | JobState::Finished
        | JobState::Canceled => false,
    });
    let why = job.why.first().map(String::as_str);
    why.or(cause.map(|cause| cause.message.as_str()))
}

/// The cause, as the end of a sentence.
pub(super) fn reason(job: &JobView) -> String {
    match &job.cause {
        Some(cause) => format!(": {}", cause.message),
        None => String::new(),
    }
}

/// A cause in lines: what happened, and what the task printed last.
pub(in crate::cluster) fn cause_lines(cause: &Cause) -> Vec<String> {
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

/// The size of a checkpoint.
pub(super) fn bytes_of(checkpoint: &CheckpointView) -> String {
    bytes(checkpoint.bytes)
}

/// The last checkpoint in a table: its number, and how old it is.
pub(in crate::cluster) fn last_checkpoint(job: &JobView, now: SystemTime) -> String {
    match &job.checkpoint {
        None => "-".into(),
        Some(last) => match words::age(&last.completed_at, now) {
            Some(age) => format!("{}, {age}", last.number),
            None => last.number.to_string(),
        },
    }
}

#[cfg(test)]
pub(super) mod tests {
    use incumbent_cluster_core::CauseKind;
    use serde_json::json;

    use super::*;

    pub(in super::super) fn job(state: &str, attempt: u32, tasks: &[&str]) -> JobView {
        let task = |(rank, state): (usize, &&str)| json!({ "rank": rank, "state": state, "node": null, "pid": null, "since": null, "address": null });
        let tasks: Vec<_> = tasks.iter().enumerate().map(task).collect();
        serde_json::from_value(json!({
            "id": "0".repeat(32), "name": "hello", "state": state, "attempt": attempt, "epoch": 1,
            "tasks": tasks, "checkpoint": null, "restarts": 0, "cause": null, "desired": "running",
            "submitted_at": "2026-01-01T00:00:00Z", "ended_at": null, "incarnation": "0".repeat(16),
        }))
        .unwrap()
    }

    #[test]
    fn a_rescaled_job_has_as_many_tasks_as_it_was_given() {
        let mut job = job("running", 2, &["running", "running", "starting"]);
        let spec = json!({ "name": "hello", "tasks": 2, "command": ["x"] });
        job.spec = Some(serde_json::from_value(spec).unwrap());
        assert_eq!(tasks_running(&job), "2/3");
        job.tasks.clear();
        assert_eq!(tasks_running(&job), "0/2");
        job.wanted_tasks = 7;
        assert_eq!(tasks_running(&job), "0/7");
    }

    #[test]
    fn each_state_is_a_sentence() {
        let mut waiting = job("waiting", 0, &[]);
        assert_eq!(standing(&waiting), "hello waits");
        waiting.why = vec!["it needs 9 slots".into(), "more".into()];
        assert_eq!(standing(&waiting), "hello waits: it needs 9 slots");
        let begun = job("waiting", 1, &["ended", "running"]);
        assert_eq!(standing(&begun), "hello waits: of attempt 1, 1/2 tasks run");
        let running = job("running", 2, &["running", "running"]);
        assert_eq!(standing(&running), "hello runs: attempt 2, 2/2 tasks");
    }

    #[test]
    fn a_table_says_how_old_the_last_checkpoint_is() {
        let now = humantime::parse_rfc3339("2026-01-01T00:01:00Z").unwrap();
        let mut view = job("running", 1, &["running"]);
        assert_eq!(last_checkpoint(&view, now), "-");
        view.checkpoint = Some(CheckpointView {
            number: 41,
            attempt: 1,
            tasks: 1,
            completed_at: "2026-01-01T00:00:59.2Z".into(),
            bytes: 10,
            took_ms: 1,
            savepoint: None,
        });
        assert_eq!(last_checkpoint(&view, now), "41, 0.8 s ago");
    }

    #[test]
    fn a_cause_is_told_with_who_was_first_and_what_it_printed() {
        let cause = Cause {
            kind: CauseKind::TaskFailed,
            message: "rank 1 exited with 3".into(),
            rank: Some(incumbent_cluster_core::Rank(1)),
            node: Some("tm-2".into()),
            exit_code: Some(3),
            signal: None,
            last_lines: vec!["no room".into()],
        };
        assert_eq!(
            cause_lines(&cause),
            [
                "rank 1 exited with 3",
                "first was: rank 1, on tm-2, exit code 3",
                "its last lines:",
                "    no room"
            ]
        );
    }
}
