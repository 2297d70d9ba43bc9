//! Submitting (R1): any node writes the record of a job, without leading.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::header::LOCATION;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse as _, Response};
use incumbent::Creation;
use incumbent_cluster_core::checkpoint::RestoreFrom;
use incumbent_cluster_core::record::{LARGEST_RECORD, largest_size};
use incumbent_cluster_core::{Incarnation, JobId, JobRecord, JobSpec, LARGEST_SPEC};

use super::problem::Problem;
use super::{Api, archive, body, check, view};
use crate::{ENDPOINT, wire};

/// How long the leader may take to hear of a new job by a hint. It finds the record without one,
/// too, only later.
const HINT: Duration = Duration::from_secs(2);

pub(super) async fn submit(
    State(api): State<Arc<Api>>,
    Path(job): Path<String>,
    body: Body,
) -> Result<Response, Problem> {
    let id: JobId = job.parse().map_err(|_| {
        Problem::bad_request(format!(
            "{job:?} is not the id of a job. The one who submits draws it at random before the first try: 32 hexadecimal \
             digits in lower case."
        ))
    })?;
    let body = body::whole(body, LARGEST_SPEC, "the specification of the job").await?;
    let spec = check::spec(&body)?;
    if matches!(spec.restore, Some(RestoreFrom::Job { job, .. }) if job == id) {
        return Err(Problem::bad_request(
            "The job is to start from itself. A job goes on from its last checkpoint anyway; to start anew from \
             another one's, draw a new id.",
        ));
    }
    let record = record(id, spec);
    let name = id.record();
    check_size(&record)?;
    // An archived job leaves no tombstone, and a late repetition must not run it again.
    if let Some(found) = archive::find(&api.blobs, id).await {
        return existing(&found, &record, 0);
    }
    let created = api.node.group().create(&name, &record).await;
    let what = format!("the record of job {id}");
    match created.map_err(|error| Problem::of_store(&error, &what))? {
        Creation::Created(stamp) => {
            tracing::info!(
                job = %id, name = record.spec.name, tasks = record.spec.tasks,
                "a job was submitted here and is written down; the leader starts it"
            );
            tokio::spawn(hint(Arc::clone(&api), id));
            let view = view::of_record(&record, stamp.epoch().get());
            let location = [(LOCATION, format!("/v1/jobs/{id}"))];
            Ok((StatusCode::CREATED, location, Json(view)).into_response())
        }
        Creation::Exists(found) => existing(&found.data, &record, found.stamp.epoch().get()),
        Creation::Deleted(_) => Err(Problem::new(
            StatusCode::GONE,
            "gone",
            "The job was removed",
            format!(
                "The id {id} was a job's that was removed. Nothing was changed. Draw a new id."
            ),
        )),
    }
}

/// The answer if there is such a job already: it, or 409 if it is another.
fn existing(found: &JobRecord, wanted: &JobRecord, epoch: u64) -> Result<Response, Problem> {
    if found.spec == wanted.spec {
        return Ok(Json(view::of_record(found, epoch)).into_response());
    }
    Err(Problem::conflict(format!(
        "The id {} is another job's, {:?}, whose specification is not this one. Nothing was changed. Draw a new id.",
        found.id, found.spec.name
    )))
}

fn record(id: JobId, spec: JobSpec) -> JobRecord {
    let now = now();
    let since_1970 = now
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    let submitted_at = humantime::format_rfc3339_millis(now).to_string();
    let submitted_ms = u64::try_from(since_1970.as_millis()).unwrap_or(u64::MAX);
    let incarnation = Incarnation::new(rand::random());
    JobRecord::new(id, incarnation, spec, submitted_at, submitted_ms)
}

#[expect(
    clippy::disallowed_methods,
    reason = "shown to people, and orders waiting jobs"
)]
pub(super) fn now() -> SystemTime {
    SystemTime::now()
}

/// Whether the record stays small enough for the job's whole life.
fn check_size(record: &JobRecord) -> Result<(), Problem> {
    if largest_size(record, record.spec.tasks) > LARGEST_RECORD {
        let advice = "Shorten the command and the environment, or give the job fewer tasks.";
        return Err(Problem::too_large(
            "the record of the job",
            LARGEST_RECORD as u64,
            advice,
        ));
    }
    Ok(())
}

/// Tells the leader, if there is one. It finds the record without being told, only later.
async fn hint(api: Arc<Api>, job: JobId) {
    let view = api.node.group().observe().view();
    let endpoint = ENDPOINT.parse().expect("it is a name");
    let Some(address) = view
        .active()
        .and_then(|leader| leader.endpoints.get(&endpoint))
    else {
        return;
    };
    let hint = wire::hint(job);
    let asked = api
        .node
        .client()
        .whole(Method::POST, address, &hint, Bytes::new(), HINT);
    if let Err(error) = asked.await {
        tracing::debug!(%job, %error, "the leader got no hint; it finds the job by itself");
    }
}
