//! `/jobs/:id/exceptions`: the attempts that failed, newest first.

use incumbent_cluster_core::view::JobView;
use incumbent_cluster_core::{Cause, CauseKind};
use serde_json::{Value, json};

use crate::plan::vertex_name;
use crate::{state, times};

/// How many are told if nothing is said: Flink's own number.
const USUAL: usize = 20;

/// One failure of the job.
struct Failed<'a> {
    cause: &'a Cause,
    at: i64,
}

/// The failures, at most so many.
pub(crate) fn exceptions(job: &JobView, most: Option<usize>) -> Value {
    let all = failures(job);
    let most = most.unwrap_or(USUAL);
    let is_truncated = all.len() > most;
    let entries: Vec<Value> = all
        .iter()
        .take(most)
        .map(|failed| entry(job, failed))
        .collect();
    let newest = all.first();
    json!({
        // The first four were all that Flink had, once; 1.20 still says them.
        "root-exception": newest.map(|failed| text(failed.cause)),
        "timestamp": newest.map(|failed| failed.at),
        "all-exceptions": [],
        "truncated": is_truncated,
        "exceptionHistory": { "entries": entries, "truncated": is_truncated },
    })
}

fn failures(job: &JobView) -> Vec<Failed<'_>> {
    let ended = job.attempts.iter().rev();
    let ended = ended.map(|ended| Failed {
        cause: &ended.cause,
        at: times::at(&ended.ended_at),
    });
    let mut all: Vec<Failed<'_>> = ended.collect();
    // Why it ended for good need not be of an attempt: it was refused, for example.
    if let Some(cause) = &job.cause
        && !all.iter().any(|failed| failed.cause == cause)
    {
        let at = job.ended_at.as_deref().unwrap_or(&job.submitted_at);
        let at = times::at(at);
        all.insert(0, Failed { cause, at });
    }
    all.retain(|failed| state::is_failure(failed.cause.kind));
    all
}

fn entry(job: &JobView, failed: &Failed<'_>) -> Value {
    let Failed { cause, at } = failed;
    let task = cause.rank.map(|rank| {
        let tasks = state::tasks(job);
        format!("{} ({}/{tasks})", vertex_name(job), rank.0 + 1)
    });
    json!({
        "exceptionName": name(cause.kind),
        "stacktrace": text(cause),
        "timestamp": at,
        "taskName": task,
        "endpoint": cause.node,
        // As 1.20 called it before.
        "location": cause.node,
        "taskManagerId": cause.node,
        "failureLabels": {},
        "concurrentExceptions": [],
    })
}

/// What happened, and the last lines of the one that it happened to.
fn text(cause: &Cause) -> String {
    let mut text = format!("{}: {}", name(cause.kind), cause.message);
    for line in &cause.last_lines {
        text.push_str("\n\t");
        text.push_str(line);
    }
    text
}

fn name(kind: CauseKind) -> String {
    let name = serde_json::to_value(kind).unwrap_or_default();
    let words = name.as_str().unwrap_or_default().split('_');
    let capital = |word: &str| match word.split_at_checked(1) {
        Some((first, rest)) => first.to_ascii_uppercase() + rest,
        None => String::new(),
    };
    let name: String = words.map(capital).collect();
    format!("incumbent.{name}")
}
