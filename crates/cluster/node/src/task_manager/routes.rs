//! What other nodes ask of a TaskManager, under `/node/v1`.

use std::time::Duration;

use axum::body::Body;
use axum::extract::{Path, Query, Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};
use axum::{Json, Router};
use bytes::Bytes;
use futures::{Stream, StreamExt};
use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderValue};
use incumbent_cluster_core::{Attempt, Incarnation, JobId, Rank, TaskId};
use serde::Deserialize;

use super::contract::Unanswered;
use super::handle::TaskManagerHandle;
use super::log::{FRAMES, LogFrom, LogPiece, LogRead, frames};
use super::task_http::NoAnswer;
use crate::query::{Question, RankAnswer};
use crate::wire::{ORDERS, Orders, Outcomes, Problem};

/// How often a follower of a silent task hears that the connection is well.
const HEARTBEAT: Duration = Duration::from_secs(10);

/// The path of orders, relative to nothing: the proof is over whole paths.
pub(super) fn orders(handle: TaskManagerHandle) -> Router {
    Router::new()
        .route(ORDERS, post(take_orders))
        .with_state(handle)
}

/// The paths of tasks.
pub(super) fn tasks(handle: TaskManagerHandle) -> Router {
    const LOG: &str = "/node/v1/tasks/{job}/{incarnation}/{attempt}/{rank}/log";
    const QUERY: &str = "/node/v1/tasks/{job}/{incarnation}/{attempt}/{rank}/query";
    const HTTP: &str = "/node/v1/tasks/{job}/{incarnation}/{attempt}/{rank}/http/{endpoint}";
    Router::new()
        .route(LOG, get(log))
        .route(QUERY, post(query))
        .route(HTTP, any(http))
        .route(&format!("{HTTP}/"), any(http))
        .route(&format!("{HTTP}/{{*path}}"), any(http))
        .with_state(handle)
}

async fn take_orders(
    State(handle): State<TaskManagerHandle>,
    Json(Orders { orders }): Json<Orders>,
) -> Result<Json<Outcomes>, Problem> {
    let mut refused = Vec::with_capacity(orders.len());
    // In their order, and all of them: the leader learns the outcome of each.
    for order in orders {
        let outcome = handle.order(Box::new(order)).await;
        refused.push(outcome.map_err(|_| ending())?.err());
    }
    Ok(Json(Outcomes { refused }))
}

/// How a log is asked for. Without `offset` and `tail` it begins at the beginning.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct LogQuery {
    offset: Option<u64>,
    tail: Option<u64>,
    #[serde(default)]
    follow: bool,
}

/// The log as [frames](super::log::FrameDecoder).
async fn log(
    State(handle): State<TaskManagerHandle>,
    Path(path): Path<(String, String, String, String)>,
    Query(query): Query<LogQuery>,
) -> Result<Response, Problem> {
    let task = task(path)?;
    let from = match (query.offset, query.tail) {
        (Some(offset), _) => LogFrom::Offset(offset),
        (None, Some(lines)) => LogFrom::Tail(lines),
        (None, None) => LogFrom::Offset(0),
    };
    let read = LogRead {
        from,
        is_following: query.follow,
    };
    let pieces = handle.log(task, read).ok_or_else(|| unknown(task))?;
    let mut response = Response::new(Body::from_stream(framed(pieces)));
    let kind = HeaderValue::from_static(FRAMES);
    response.headers_mut().insert(CONTENT_TYPE, kind);
    Ok(response)
}

/// Pieces as frames, with a sign of life while there are none, and an end.
fn framed(
    pieces: impl Stream<Item = std::io::Result<LogPiece>> + Send,
) -> impl Stream<Item = std::io::Result<Bytes>> + Send {
    let state = (Box::pin(pieces), Some(0));
    futures::stream::unfold(state, async |(mut pieces, ended_at)| {
        let offset: u64 = ended_at?;
        match tokio::time::timeout(HEARTBEAT, pieces.next()).await {
            Ok(Some(Ok(piece))) => {
                let frame = Ok(frames::of_piece(&piece));
                Some((frame, (pieces, Some(piece.end()))))
            }
            // Without the end: what follows is missing.
            Ok(Some(Err(error))) => Some((Err(error), (pieces, None))),
            Ok(None) => Some((Ok(frames::end(offset)), (pieces, None))),
            Err(_) => Some((Ok(frames::heartbeat()), (pieces, Some(offset)))),
        }
    })
}

/// Asks a task about its state.
async fn query(
    State(handle): State<TaskManagerHandle>,
    Path(path): Path<(String, String, String, String)>,
    Json(question): Json<Question>,
) -> Result<Json<RankAnswer>, Problem> {
    let answer = handle.query(task(path)?, &question).await;
    answer.map(Json).map_err(unanswered)
}

/// Passes a request on to the task.
async fn http(
    State(handle): State<TaskManagerHandle>,
    Path(path): Path<Vec<(String, String)>>,
    request: Request,
) -> Result<Response, Problem> {
    let part = |wanted: &str| {
        let found = path.iter().find(|(name, _)| name == wanted);
        found.map(|(_, value)| value.clone()).unwrap_or_default()
    };
    let ids = (
        part("job"),
        part("incarnation"),
        part("attempt"),
        part("rank"),
    );
    let task = task(ids)?;
    let uri = request.uri();
    let whole = uri.path_and_query().map_or("/", |path| path.as_str());
    let rest = after_endpoint(whole).to_owned();
    handle.http(task, &rest, request).await.map_err(no_answer)
}

/// What follows the name of the endpoint, as it was sent: nothing is decoded on the way.
fn after_endpoint(whole: &str) -> &str {
    // "", node, v1, tasks, job, incarnation, attempt, rank, http, endpoint
    const BEFORE: usize = 10;
    let (path, _) = whole.split_once('?').unwrap_or((whole, ""));
    match path.match_indices('/').nth(BEFORE - 1) {
        Some((at, _)) => &whole[at..],
        // The query, if there is one.
        None => &whole[path.len()..],
    }
}

fn task(
    (job, incarnation, attempt, rank): (String, String, String, String),
) -> Result<TaskId, Problem> {
    let parse = || {
        Some(TaskId {
            job: job.parse::<JobId>().ok()?,
            incarnation: incarnation.parse::<Incarnation>().ok()?,
            attempt: Attempt(attempt.parse().ok()?),
            rank: Rank(rank.parse().ok()?),
        })
    };
    parse().ok_or_else(|| Problem::not_found("the path names no task"))
}

fn unknown(task: TaskId) -> Problem {
    Problem::not_found(format!(
        "this TaskManager has no task and no log of {task}; if it has ended, the end of its log is \
         in the blobs"
    ))
}

fn ending() -> Problem {
    let status = StatusCode::SERVICE_UNAVAILABLE;
    Problem::new(
        status,
        "ending",
        "the TaskManager ends",
        "it takes no orders any more",
    )
}

fn no_answer(error: NoAnswer) -> Problem {
    let (status, kind) = match &error {
        NoAnswer::NoSuchTask => (StatusCode::NOT_FOUND, "not-found"),
        NoAnswer::NotRunning => (StatusCode::SERVICE_UNAVAILABLE, "not-running"),
        NoAnswer::NotListening { .. } => (StatusCode::BAD_GATEWAY, "not-listening"),
        NoAnswer::Lost(_) => (StatusCode::BAD_GATEWAY, "lost"),
        NoAnswer::Late => (StatusCode::GATEWAY_TIMEOUT, "slow"),
        NoAnswer::BadPath => (StatusCode::BAD_REQUEST, "bad-path"),
    };
    Problem::new(status, kind, "the task gave no answer", error.to_string())
}

fn unanswered(why: Unanswered) -> Problem {
    let (status, kind) = match &why {
        Unanswered::NoSuchTask => (StatusCode::NOT_FOUND, "not-found"),
        Unanswered::NotQueryable => (StatusCode::CONFLICT, "not-queryable"),
        Unanswered::TooMany => (StatusCode::SERVICE_UNAVAILABLE, "too-many"),
        Unanswered::Late => (StatusCode::GATEWAY_TIMEOUT, "slow-task"),
        Unanswered::BadAnswer(_) => (StatusCode::BAD_GATEWAY, "bad-answer"),
        Unanswered::TooLarge => (StatusCode::BAD_GATEWAY, "answer-too-large"),
    };
    Problem::new(status, kind, "the task gave no answer", why.to_string())
}

impl IntoResponse for NoAnswer {
    fn into_response(self) -> Response {
        no_answer(self).into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_follows_the_endpoint_is_passed_on_as_it_was_sent() {
        let task = "/node/v1/tasks/j/i/1/0/http/web";
        for rest in [
            "",
            "/",
            "/a/b?c=d/e",
            "/a%2Fb",
            "?x=/y",
            "//evil",
            "/@host/",
        ] {
            assert_eq!(after_endpoint(&format!("{task}{rest}")), rest);
        }
    }
}
