//! What a JobManager serves under `/node/v1`.

use std::net::SocketAddr;
use std::time::Duration;

use axum::extract::{ConnectInfo, DefaultBodyLimit, Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use bytes::Bytes;
use http::{Extensions, StatusCode};
use incumbent_cluster_core::message::{Ack, Report};
use incumbent_gateway::Peer;
use serde::de::DeserializeOwned;
use tokio::sync::oneshot;

use super::JobManagerHandle;
use super::door::Input;
use crate::wire::{ANNOUNCEMENTS, Announcement, Form, Problem, REPORTS, prove};

/// How long a report waits for its acknowledgement. The loop gives it at once, unless the term is
/// over or the leader has a reason; a TaskManager waits a little longer.
const ACKNOWLEDGING: Duration = Duration::from_secs(5);

type Answered<T> = Result<T, Box<Problem>>;

pub(super) fn router(handle: JobManagerHandle) -> Router {
    let secret = handle.shared.node.cluster().secret.clone();
    let router = Router::new()
        .route(REPORTS, post(report))
        .route(ANNOUNCEMENTS, post(announce))
        .route("/node/v1/hints/{job}", post(hint))
        // Bodies are limited where they are proven.
        .layer(DefaultBodyLimit::disable())
        .with_state(handle);
    prove(router, &secret, Form::Whole)
}

async fn report(
    State(handle): State<JobManagerHandle>,
    extensions: Extensions,
    body: Bytes,
) -> Answered<Json<Ack>> {
    let report: Box<Report> = read(&body)?;
    let door = handle.door().ok_or_else(not_leading)?;
    let address = if report.is_full {
        let peer = peer(&extensions).ok_or_else(unknown_peer)?;
        let node = &handle.shared.node;
        Some(door.registry.admit(&report, peer, node).await?)
    } else {
        None
    };
    let (answer, answered) = oneshot::channel();
    let input = Input::Reported {
        report,
        address,
        answer,
    };
    door.send(input).await.map_err(|_| not_leading())?;
    let ack = match tokio::time::timeout(ACKNOWLEDGING, answered).await {
        Ok(Ok(ack)) => ack,
        Ok(Err(_)) => return Err(not_leading()),
        Err(_) => return Err(unacknowledged()),
    };
    // Once more, and last (R8): the acknowledgement may have waited for this task to run.
    if door.guard.is_valid() {
        Ok(Json(ack))
    } else {
        Err(not_leading())
    }
}

async fn announce(
    State(handle): State<JobManagerHandle>,
    body: Bytes,
) -> Answered<Json<serde_json::Value>> {
    let announcement: Announcement = read(&body)?;
    let door = handle.door().ok_or_else(not_leading)?;
    door.registry.announce(announcement, &handle.shared.node)?;
    Ok(Json(serde_json::Value::Null))
}

async fn hint(
    State(handle): State<JobManagerHandle>,
    Path(job): Path<String>,
) -> Answered<Json<serde_json::Value>> {
    let job = job.parse();
    let job = job.map_err(|error: incumbent_cluster_core::BadId| malformed(error))?;
    let door = handle.door().ok_or_else(not_leading)?;
    let sent = door.send(Input::Hinted(job)).await;
    sent.map_err(|_| not_leading())?;
    Ok(Json(serde_json::Value::Null))
}

/// Where a request comes from.
fn peer(extensions: &Extensions) -> Option<SocketAddr> {
    let peer = extensions.get::<Peer>().map(|peer| peer.address);
    let info = extensions.get::<ConnectInfo<SocketAddr>>();
    peer.or_else(|| info.map(|info| info.0))
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Answered<T> {
    serde_json::from_slice(body).map_err(malformed)
}

fn malformed(why: impl std::fmt::Display) -> Box<Problem> {
    let detail = format!("{why}; the nodes may be of different versions");
    let (status, kind) = (StatusCode::BAD_REQUEST, "malformed");
    Box::new(Problem::new(
        status,
        kind,
        "this cannot be understood",
        detail,
    ))
}

fn not_leading() -> Box<Problem> {
    Box::new(Problem::not_leading())
}

fn unknown_peer() -> Box<Problem> {
    let (status, kind) = (StatusCode::INTERNAL_SERVER_ERROR, "no-peer");
    let detail = "the server does not say where requests come from";
    Box::new(Problem::new(status, kind, "no address", detail))
}

fn unacknowledged() -> Box<Problem> {
    let (status, kind) = (StatusCode::SERVICE_UNAVAILABLE, "not-acknowledged");
    let detail = "the leader did not acknowledge the report in time; report again";
    Box::new(Problem::new(status, kind, "not acknowledged", detail))
}

/// For handlers whose errors are problems.
impl IntoResponse for Box<Problem> {
    fn into_response(self) -> Response {
        (*self).into_response()
    }
}
