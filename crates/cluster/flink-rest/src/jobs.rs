//! `/jobs` and `/jobs/overview`.

use incumbent_cluster_core::view::JobView;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::ask::Ask;
use crate::errors::Failure;
use crate::{job, state, times};

/// Most jobs of a list: the newest. A dashboard asks for all of them every three seconds.
pub const MOST_JOBS: usize = 10_000;

/// Jobs of one question to `/v1`.
const PAGE: usize = 1000;

/// A page of jobs, as `/v1` gives it.
#[derive(Deserialize)]
struct Page {
    jobs: Vec<JobView>,
    next: Option<String>,
}

/// All jobs, newest first.
pub(crate) async fn all(ask: &Ask) -> Result<Vec<JobView>, Failure> {
    let mut jobs = Vec::new();
    let mut path = format!("/v1/jobs?limit={PAGE}");
    while jobs.len() < MOST_JOBS {
        let page: Page = ask.get(&path).await?;
        jobs.extend(page.jobs);
        let Some(next) = page.next else {
            break;
        };
        let next = percent_encoding::utf8_percent_encode(&next, percent_encoding::NON_ALPHANUMERIC);
        path = format!("/v1/jobs?limit={PAGE}&after={next}");
    }
    jobs.truncate(MOST_JOBS);
    Ok(jobs)
}

/// The ids and states of all.
pub(crate) fn ids(jobs: &[JobView]) -> Value {
    let of = |job: &JobView| json!({ "id": job.id, "status": state::of_job(job) });
    json!({ "jobs": jobs.iter().map(of).collect::<Vec<_>>() })
}

/// What the dashboard lists, and `flink list`.
pub(crate) fn overview(jobs: &[JobView], now: i64) -> Value {
    json!({ "jobs": jobs.iter().map(|job| entry(job, now)).collect::<Vec<_>>() })
}

pub(crate) fn entry(of: &JobView, now: i64) -> Value {
    let span = Span::of(of, now);
    json!({
        "jid": of.id,
        "name": of.name,
        "start-time": span.start,
        "end-time": span.end,
        "duration": span.duration,
        "state": state::of_job(of),
        "last-modification": last_modification(of, span.start),
        "tasks": tasks(of),
        "pending-operators": 0,
        "jobType": "STREAMING",
        "schedulerType": job::SCHEDULER,
    })
}

/// The same counts as in the view of a job, in lower case and with their sum.
fn tasks(job: &JobView) -> Map<String, Value> {
    let counts = state::counts(job);
    let mut tasks: Map<String, Value> = (counts.into_iter())
        .map(|(state, count)| (state.to_ascii_lowercase(), count))
        .collect();
    // Those of an attempt that has ended may be more than the next one has.
    let total = state::tasks(job).max(job.tasks.len());
    tasks.insert("total".into(), total.into());
    tasks
}

fn last_modification(job: &JobView, start: i64) -> i64 {
    let since = job.tasks.iter().filter_map(|task| task.since.as_deref());
    let ended = job.ended_at.as_deref();
    since.chain(ended).map(times::at).fold(start, i64::max)
}

/// From when to when a job was there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) start: i64,
    pub(crate) end: i64,
    pub(crate) duration: i64,
}

impl Span {
    pub(crate) fn of(job: &JobView, now: i64) -> Self {
        let start = times::at(&job.submitted_at);
        let ended = job.ended_at.as_deref().filter(|_| state::has_ended(job));
        let end = ended.map_or(times::NEVER, times::at);
        let until = if end == times::NEVER { now } else { end };
        Self {
            start,
            end,
            duration: (until - start).max(0),
        }
    }
}
