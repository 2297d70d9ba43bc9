//! [`routes`]: the paths, and what each asks of `/v1`.

mod applications;
mod jobs;
mod nodes;
mod triggers;
mod vertices;

use std::collections::HashMap;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{MatchedPath, Query, Request};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderValue};
use axum::http::uri::PathAndQuery;
use axum::http::{StatusCode, Uri};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{delete, get};
use incumbent_cluster_blobs::Blobs;
use incumbent_cluster_core::view::JobView;
use incumbent_gateway::Peer;
use serde_json::json;
use tower_service::Service as _;

use crate::ask::{Ask, Flink, LARGEST_ANSWER};
use crate::errors::{Answer, Failure, ok};
use crate::which::{Whose, is_from_flinks_tools, speaks_as_its_client, whose};
use crate::{jars, jobs as all_jobs, metrics, overview};

/// What follows the `?` of a path.
type Params = Query<HashMap<String, String>>;

/// `/v1` of a node with Flink's API beside it. `v1` is what the node serves itself; `blobs` is
/// where uploads go.
///
/// What comes of this must be protected as `v1` is: it is asked in process, behind that.
pub fn routes(v1: Router, blobs: Blobs) -> Router {
    let flink = Flink {
        v1: v1.clone(),
        blobs,
        shelf: std::sync::Arc::default(),
    };
    let flink = of_cluster()
        .merge(applications::routes())
        .merge(jobs::routes())
        .merge(triggers::routes())
        .merge(vertices::routes())
        .merge(nodes::routes())
        .merge(jars::routes())
        .method_not_allowed_fallback(no_path)
        .with_state(flink);
    let versioned = flink.clone();
    let divert = from_fn(move |request: Request, next: Next| {
        let versioned = versioned.clone();
        async move { diverted(versioned, request, next).await }
    });
    v1.layer(divert).merge(flink)
}

/// Tells Flink's tools in Flink's form why a request was refused before it came to a path: without
/// a token, under a foreign name, from a foreign page. It belongs around what protects
/// [`routes`].
///
/// Flink's client takes any other object for a success: its `cancel` would say that the job is
/// canceled.
pub fn with_refusals(protected: Router) -> Router {
    protected.layer(from_fn(async |request: Request, next: Next| {
        let (method, path) = (request.method(), request.uri().path());
        let is_flinks = is_from_flinks_tools(method, path, request.headers());
        let answer = next.run(request).await;
        match is_flinks && is_problem(&answer) {
            true => in_flinks_form(answer).await,
            false => answer,
        }
    }))
}

fn is_problem(answer: &Response) -> bool {
    let kind = answer.headers().get(CONTENT_TYPE);
    kind.is_some_and(|kind| kind == "application/problem+json")
}

async fn in_flinks_form(problem: Response) -> Response {
    let (mut parts, body) = problem.into_parts();
    let body = to_bytes(body, LARGEST_ANSWER).await.unwrap_or_default();
    let failure = Failure::of_v1(parts.status, &body).into_response();
    // What it says to browsers, and how to prove oneself, stays.
    parts.headers.remove(CONTENT_LENGTH);
    for (name, value) in failure.headers() {
        parts.headers.insert(name, value.clone());
    }
    Response::from_parts(parts, failure.into_body())
}

/// Lets Flink's router answer what is its, though it came to ours.
async fn diverted(mut flink: Router, request: Request, next: Next) -> Response {
    let is_ours = request.extensions().get::<MatchedPath>().is_some();
    let path = match whose(
        request.method(),
        request.uri().path(),
        request.headers(),
        is_ours,
    ) {
        Whose::Ours => return next.run(request).await,
        Whose::Nobodys => return Failure::no_path(request.uri().path()).into_response(),
        Whose::Flinks(path) => path.to_owned(),
    };
    let asked = request.uri().clone();
    let method = request.method().clone();
    let is_its_client = speaks_as_its_client(request.headers());
    let (mut parts, body) = request.into_parts();
    let target = match parts.uri.query() {
        Some(query) => format!("{path}?{query}"),
        None => path,
    };
    let Ok(target) = target.parse::<PathAndQuery>() else {
        return Failure::no_path(&target).into_response();
    };
    let mut uri = parts.uri.into_parts();
    uri.path_and_query = Some(target);
    parts.uri = Uri::from_parts(uri).unwrap_or_default();
    // What our router has found in the path means nothing to the other one.
    let peer = parts.extensions.get::<Peer>().cloned();
    parts.extensions.clear();
    if let Some(peer) = peer {
        parts.extensions.insert(peer);
    }
    let request = Request::from_parts(parts, body);
    let answer = flink
        .call(request)
        .await
        .unwrap_or_else(|never| match never {});
    if answer.status() != StatusCode::NOT_FOUND || answer.headers().contains_key(CONTENT_TYPE) {
        return answer;
    }
    // Nothing of Flink's has this path either.
    if is_its_client {
        return Failure::no_path(asked.path()).into_response();
    }
    let mut nothing = Request::new(Body::empty());
    (*nothing.method_mut(), *nothing.uri_mut()) = (method, asked);
    next.run(nothing).await
}

async fn no_path(uri: Uri) -> Failure {
    Failure::no_path(uri.path())
}

fn of_cluster() -> Router<Flink> {
    Router::new()
        .route("/config", get(async || ok(overview::config())))
        .route(
            "/overview",
            get(async |ask: Ask| {
                let (cluster, jobs) = (ask.cluster().await?, all_jobs::all(&ask).await?);
                ok(overview::overview(&cluster, &jobs))
            }),
        )
        .route("/datasets", get(async || ok(json!({ "dataSets": [] }))))
        .route(
            "/cluster",
            delete(async || -> Answer {
                Err(Failure::new(
                    StatusCode::FORBIDDEN,
                    "A cluster of Incumbent is not shut down by a request: jobs go on whatever dies. Stop its \
                     processes where they were started.",
                ))
            }),
        )
}

/// A text for the dashboard: what a task has printed, which must not become a page of this node.
fn text(text: String) -> Response {
    let mut response = text.into_response();
    let plain = HeaderValue::from_static("text/plain; charset=UTF-8");
    response.headers_mut().insert(CONTENT_TYPE, plain);
    response
}

/// What the tasks of a job say. `/v1` asks for it once a second, however many ask here.
async fn series_of(ask: &Ask, job: &JobView) -> Result<Vec<metrics::Series>, Failure> {
    let found: metrics::JobMetrics = ask.get(&format!("/v1/jobs/{}/metrics", job.id)).await?;
    Ok(found.of(&job.name))
}

/// What all nodes say of themselves and of the tasks that they have.
async fn series(ask: &Ask) -> Result<Vec<metrics::Series>, Failure> {
    Ok(metrics::series(&ask.text("/v1/metrics").await?))
}

fn list(query: &HashMap<String, String>) -> Result<Option<Vec<String>>, Failure> {
    metrics::wanted(query.get("get").map(String::as_str))
}
