//! `/applications`, which Flink has since 2.3: what runs jobs. Here each job is an application of
//! its own, with the same id, as Flink makes one for a job that is submitted alone.

use incumbent_cluster_core::JobState;
use incumbent_cluster_core::view::JobView;
use serde_json::{Map, Value, json};

use crate::errors::Failure;
use crate::jobs::{self, Span};
use crate::{exceptions, state, times};

/// Flink's states of an application.
const STATES: [&str; 7] = [
    "CREATED",
    "RUNNING",
    "FAILING",
    "FAILED",
    "CANCELING",
    "CANCELED",
    "FINISHED",
];

/// What the dashboard lists.
pub(crate) fn overview(jobs: &[JobView], now: i64) -> Value {
    let entry = |job: &JobView| {
        let mut entry = entry(job, now);
        let mut counts = Map::new();
        counts.insert(state::of_job(job).to_owned(), 1.into());
        entry["jobs"] = counts.into();
        entry
    };
    json!({ "applications": jobs.iter().map(entry).collect::<Vec<_>>() })
}

/// One of them.
pub(crate) fn details(job: &JobView, now: i64) -> Value {
    let mut details = entry(job, now);
    details["timestamps"] = timestamps(job).into();
    details["jobs"] = [jobs::entry(job, now)].into();
    details
}

/// The failures of its job.
pub(crate) fn exceptions(job: &JobView) -> Value {
    let entry = |entry: &Value| {
        json!({
            "exceptionName": entry["exceptionName"],
            "stacktrace": entry["stacktrace"],
            "timestamp": entry["timestamp"],
            "jobId": job.id,
        })
    };
    let all = exceptions::exceptions(job, None);
    let entries = all["exceptionHistory"]["entries"].as_array();
    let entries = entries.into_iter().flatten().map(entry);
    json!({ "exceptionHistory": { "entries": entries.collect::<Vec<_>>() } })
}

/// Says of an id that it is that of no application, as Flink does.
pub(crate) fn not_found(failure: Failure, id: &str) -> Failure {
    match failure.status.as_u16() {
        404 => Failure::not_found(format!("Application {id} not found")),
        400 => Failure::bad_id("applicationid", id),
        _ => failure,
    }
}

fn entry(job: &JobView, now: i64) -> Value {
    let span = Span::of(job, now);
    json!({
        "id": job.id,
        "name": job.name,
        "start-time": span.start,
        "end-time": span.end,
        "duration": span.duration,
        "status": of_job(job),
    })
}

fn of_job(job: &JobView) -> &'static str {
    match job.state {
        JobState::Waiting => "CREATED",
        JobState::Finished => "FINISHED",
        JobState::Failed => "FAILED",
        JobState::Canceled => "CANCELED",
        JobState::Stopping if state::of_job(job) == "CANCELLING" => "CANCELING",
        // A suspended one may go on.
        JobState::Running | JobState::Restarting | JobState::Stopping | JobState::Suspended => {
            "RUNNING"
        }
    }
}

/// When it came to each state; 0 if it did not, or nobody knows.
fn timestamps(job: &JobView) -> Map<String, Value> {
    let submitted = times::at(&job.submitted_at);
    let ended = job.ended_at.as_deref().filter(|_| state::has_ended(job));
    let now_is = of_job(job);
    let at = |name: &&str| {
        let at = match *name {
            "CREATED" => submitted,
            "RUNNING" if now_is != "CREATED" => submitted,
            name if name == now_is => ended.map_or(0, times::at),
            _ => 0,
        };
        ((*name).to_owned(), Value::from(at))
    };
    STATES.iter().map(at).collect()
}
