//! What one request begins and others ask after: savepoints, stops, disposals, checkpoints.

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::routing::{get, post};
use serde_json::json;

use crate::ask::{self, Ask, Flink};
use crate::errors::{Answer, accepted, ok};
use crate::savepoints::{self, Disposal, Trigger};

/// How often the removal of a savepoint is tried that its job may still need, and how long between:
/// ten seconds in all, many times the usual interval of checkpoints.
const TRIES: u32 = 40;
const BETWEEN_TRIES: Duration = Duration::from_millis(250);

pub(super) fn routes() -> Router<Flink> {
    Router::new()
        .route("/jobs/{job}/savepoints", post(savepoint))
        .route("/jobs/{job}/savepoints/{trigger}", get(savepoint_status))
        .route("/jobs/{job}/stop", post(stop))
        .route("/jobs/{job}/checkpoints", post(checkpoint))
        .route("/jobs/{job}/checkpoints/{trigger}", get(checkpoint_status))
        .route("/savepoint-disposal", post(dispose))
        .route("/savepoint-disposal/{trigger}", get(disposed))
}

async fn stop(ask: Ask, Path(job): Path<String>, body: Body) -> Answer {
    let trigger: Trigger = ask::body(body).await?;
    stopped(&ask, &job, &trigger).await
}

async fn stopped(ask: &Ask, job: &str, trigger: &Trigger) -> Answer {
    let (job, id) = (ask.job(job).await?, trigger.id()?);
    savepoints::check_stop(&job)?;
    let path = format!("/v1/jobs/{}/desired", job.id);
    ask.put(
        &path,
        &json!({ "state": "suspended", "savepoint": id.to_string() }),
    )
    .await?;
    accepted(savepoints::begun(id))
}

async fn savepoint(ask: Ask, Path(job): Path<String>, body: Body) -> Answer {
    let trigger: Trigger = ask::body(body).await?;
    if trigger.cancel_job == Some(true) {
        return stopped(&ask, &job, &trigger).await;
    }
    let (job, id) = (ask.job(&job).await?, trigger.id()?);
    ask.put(&format!("/v1/jobs/{}/savepoints/{id}", job.id), &json!({}))
        .await?;
    accepted(savepoints::begun(id))
}

async fn savepoint_status(ask: Ask, Path((job, trigger)): Path<(String, String)>) -> Answer {
    let id = savepoints::parse(&trigger)?;
    ok(savepoints::status(&ask.job(&job).await?, id)?)
}

async fn dispose(ask: Ask, body: Body) -> Answer {
    let disposal: Disposal = ask::body(body).await?;
    let id = savepoints::of_location(&disposal.path)?;
    let path = format!("/v1/savepoints/{id}");
    // `/v1` removes what is not there. Flink's client would say that it has disposed of it.
    let _: serde_json::Value = ask.get(&path).await?;
    // What the job would start from next stays until there is a newer checkpoint, which is soon.
    let mut left = TRIES;
    while let Err(failure) = ask.delete(&path).await {
        left -= 1;
        if failure.status != StatusCode::CONFLICT || left == 0 {
            return Err(failure);
        }
        tokio::time::sleep(BETWEEN_TRIES).await;
    }
    // Flink says 200 here, and 202 of all other triggers.
    ok(savepoints::begun(id))
}

async fn disposed(ask: Ask, Path(trigger): Path<String>) -> Answer {
    let id = savepoints::parse(&trigger)?;
    let found: Result<serde_json::Value, _> = ask.get(&format!("/v1/savepoints/{id}")).await;
    let is_there = match found {
        Ok(_) => true,
        Err(failure) if failure.status == StatusCode::NOT_FOUND => false,
        Err(failure) => return Err(failure),
    };
    ok(savepoints::disposed(is_there, id)?)
}

async fn checkpoint(ask: Ask, Path(job): Path<String>, body: Body) -> Answer {
    let _: savepoints::Checkpoint = ask::body(body).await?;
    accepted(savepoints::checkpoint_begun(&ask.job(&job).await?)?)
}

async fn checkpoint_status(ask: Ask, Path((job, trigger)): Path<(String, String)>) -> Answer {
    let trigger = savepoints::parse(&trigger)?;
    ok(savepoints::checkpoint_status(
        &ask.job(&job).await?,
        trigger,
    )?)
}
