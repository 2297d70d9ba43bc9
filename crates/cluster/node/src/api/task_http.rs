//! A task's own HTTP, through any node.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Redirect, Response};
use incumbent_cluster_core::Rank;
use serde::Deserialize;

use super::Api;
use super::locate::{Asker, Located, locate};
use super::problem::Problem;
use crate::security::{answer_of_task, request_to_task};
use crate::wire;

/// How long a task may take to begin its answer.
const FIRST_BYTE: Duration = Duration::from_secs(60);

/// The endpoint of a job that names none: every task has one port.
const USUAL: &str = "http";

/// What the path names, besides what the task gets.
#[derive(Deserialize)]
pub(super) struct Named {
    job: String,
    rank: u32,
}

/// Links of a page are relative to its path, so that ends in a slash.
pub(super) async fn to_slash(request: Request) -> Response {
    let path = request.uri().path();
    let query = request.uri().query().map(|query| format!("?{query}"));
    let last = path.rsplit('/').next().unwrap_or_default();
    Redirect::permanent(&format!("{last}/{}", query.unwrap_or_default())).into_response()
}

pub(super) async fn pass_on(
    State(api): State<Arc<Api>>,
    Path(named): Path<Named>,
    request: Request,
) -> Result<Response, Problem> {
    let asker = Asker::of(&request);
    let Named { job, rank } = named;
    let id = api.id_of(&job, asker).await?;
    let record = api.record(id).await?;
    let Located {
        task,
        address,
        node,
    } = locate(&record, Rank(rank))?;
    // As it came: the task may take apart what is encoded in it.
    let rest = rest(&request);
    let (endpoint, rest) = match rest.split_once('/').unwrap_or((&rest, "")) {
        (first, rest) if record.spec.endpoints.iter().any(|name| name == first) => (first, rest),
        _ => (USUAL, &rest[..]),
    };
    let query = request.uri().query().map(|query| format!("?{query}"));
    let path = format!(
        "{}/http/{endpoint}/{rest}{}",
        wire::task(&task),
        query.unwrap_or_default()
    );
    let (mut head, body) = request.into_parts();
    request_to_task(&mut head.headers);
    let doubt = match head.method.is_safe() {
        true => "The request only reads: nothing was changed, and it can be sent again.",
        false => "The request may have been processed.",
    };
    let mut passed = Request::new(body);
    *passed.method_mut() = head.method;
    *passed.headers_mut() = head.headers;
    let asked = api.node.client().stream(&address, &path, passed);
    match tokio::time::timeout(FIRST_BYTE, asked).await {
        Ok(Ok(answer)) => Ok(answer_of_task(answer.map(Body::new))),
        Ok(Err(error)) => Err(Problem::node_unreached(format!(
            "Rank {rank} of job {id} is on {node}: {error}. If that node is gone, the leader starts the job elsewhere; \
             try again."
        ))),
        Err(_) => Err(Problem::new(
            StatusCode::GATEWAY_TIMEOUT,
            "slow-task",
            "The task did not answer in time",
            format!(
                "Rank {rank} of job {id} did not begin its answer within {} s. {doubt}",
                FIRST_BYTE.as_secs()
            ),
        )),
    }
}

/// What follows `/v1/jobs/{job}/tasks/{rank}/http/`.
fn rest(request: &Request) -> String {
    let parts = request.uri().path().splitn(8, '/');
    parts.last().unwrap_or_default().to_owned()
}
