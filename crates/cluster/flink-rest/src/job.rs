//! `/jobs/:id` and what is below it, but for vertices and checkpoints.

use axum::http::StatusCode;
use incumbent_cluster_core::JobState;
use incumbent_cluster_core::Restart;
use incumbent_cluster_core::view::JobView;
use serde_json::{Map, Value, json};

use crate::errors::Failure;
use crate::jobs::Span;
use crate::{plan, state, times, vertices};

/// What Flink says of the scheduler that all jobs of old have.
pub(crate) const SCHEDULER: &str = "Default";

/// What is said of a job.
pub(crate) fn details(job: &JobView, now: i64) -> Value {
    let span = Span::of(job, now);
    json!({
        "jid": job.id,
        // Since 2.3; so is the next one.
        "application-id": job.id,
        "schedulerType": SCHEDULER,
        "name": job.name,
        "isStoppable": false,
        "state": state::of_job(job),
        "job-type": "STREAMING",
        "start-time": span.start,
        "end-time": span.end,
        "duration": span.duration,
        "maxParallelism": -1,
        "now": now,
        "timestamps": timestamps(job),
        "vertices": [vertices::in_job(job, now)],
        "status-counts": gang_counts(job),
        "plan": plan::plan(job),
        "pending-operators": 0,
    })
}

/// Vertices by state: there is one.
fn gang_counts(job: &JobView) -> Map<String, Value> {
    let gang = state::of_gang(job);
    let count = |state: &&str| ((*state).to_owned(), Value::from(u8::from(*state == gang)));
    state::OF_TASKS.iter().map(count).collect()
}

/// When it came to each state; 0 if it did not, or nobody knows.
fn timestamps(job: &JobView) -> Map<String, Value> {
    let submitted = times::at(&job.submitted_at);
    let ended = job.ended_at.as_deref().map_or(0, times::at);
    let tasks = job.tasks.iter().filter_map(|task| task.since.as_deref());
    let since = tasks.map(times::at).max().unwrap_or(0);
    let now_is = state::of_job(job);
    let at = |state: &&str| {
        let at = match *state {
            "INITIALIZING" | "CREATED" => submitted,
            "RUNNING" => since,
            "FAILED" | "CANCELED" | "FINISHED" | "SUSPENDED" if *state == now_is => {
                ended.max(since)
            }
            _ => 0,
        };
        ((*state).to_owned(), Value::from(at))
    };
    state::OF_JOBS.iter().map(at).collect()
}

/// `/jobs/:id/status`.
pub(crate) fn status(job: &JobView) -> Value {
    json!({ "status": state::of_job(job) })
}

/// `/jobs/:id/execution-result`.
pub(crate) fn execution_result(job: &JobView, now: i64) -> Value {
    let application = match job.state {
        JobState::Finished => "SUCCEEDED",
        JobState::Failed => "FAILED",
        JobState::Canceled => "CANCELED",
        JobState::Waiting
        | JobState::Running
        | JobState::Restarting
        | JobState::Stopping
        | JobState::Suspended => return json!({ "status": { "id": "IN_PROGRESS" } }),
    };
    let span = Span::of(job, now);
    let mut result = json!({
        "id": job.id,
        // Since 2.3, and so are the times.
        "application-id": job.id,
        "name": job.name,
        "start-time": span.start,
        "end-time": span.end,
        "application-status": application,
        "accumulator-results": {},
        "net-runtime": span.duration,
    });
    if let (JobState::Failed, Some(cause)) = (job.state, &job.cause) {
        result["failure-cause"] = crate::java::failure(&cause.message);
    }
    json!({ "status": { "id": "COMPLETED" }, "job-execution-result": result })
}

/// `/jobs/:id/config`: what was submitted.
pub(crate) fn config(job: &JobView) -> Value {
    let spec = job.spec.as_ref();
    let restart = spec.map_or_else(String::new, |spec| restart(&spec.restart));
    let mut user = Map::new();
    if let Some(Value::Object(fields)) = spec.and_then(|spec| serde_json::to_value(spec).ok()) {
        for (name, value) in fields {
            let text = match value {
                Value::String(text) => text,
                // The values may be secrets; Flink hides only some, by their names.
                Value::Object(env) if name == "env" => env
                    .keys()
                    .map(String::as_str)
                    .collect::<Vec<_>>()
                    .join(", "),
                other => other.to_string(),
            };
            user.insert(name, text.into());
        }
    }
    json!({
        "jid": job.id,
        "name": job.name,
        "execution-config": {
            "execution-mode": "PIPELINED",
            "restart-strategy": restart,
            "job-parallelism": state::tasks(job),
            "object-reuse-mode": false,
            "user-config": user,
        },
    })
}

fn restart(restart: &Restart) -> String {
    match restart {
        Restart::ExponentialDelay {
            initial_ms, max_ms, ..
        } => {
            format!("Restart with exponential delay: initial {initial_ms} ms, at most {max_ms} ms.")
        }
        Restart::FixedDelay { delay_ms, attempts } => {
            format!("Restart with fixed delay ({delay_ms} ms). #{attempts} restart attempts.")
        }
        Restart::None => "Restarting is disabled.".to_owned(),
    }
}

/// `/jobs/:id/accumulators`: there are none.
pub(crate) fn accumulators() -> Value {
    json!({
        "job-accumulators": [],
        "user-task-accumulators": [],
        "serialized-user-task-accumulators": {},
    })
}

/// What `PATCH /jobs/:id?mode=` wants; only canceling is left in Flink, too.
pub(crate) fn check_mode(mode: Option<&str>) -> Result<(), Failure> {
    match mode.map(str::to_ascii_lowercase).as_deref() {
        None | Some("cancel") => Ok(()),
        Some("stop") => Err(Failure::new(
            StatusCode::PERMANENT_REDIRECT,
            "The termination mode \"stop\" has been removed. For an ungraceful shutdown, please use \"cancel\" \
             instead. For a graceful shutdown, please use \"jobs/:jobId/stop\" instead.",
        )),
        Some(other) => Err(Failure::bad_request(format!(
            "Bad request, could not parse parameters: Cannot resolve query parameter (mode) from value \"{other}\"."
        ))),
    }
}
