//! `/v1`: what people and programs ask, of any node.
//!
//! ```text
//!   /v1/… ─┬─ this node itself: own.rs
//!          │    submit.rs     creates the record, without leading (R1)
//!          │    artifacts.rs  to and from the blobs
//!          │    checkpoints.rs  of a job, from its record if nobody leads
//!          │    locate.rs     reads the record, which says where a task is, for
//!          │      logs/       its log, and
//!          │      task_http.rs  its own HTTP
//!          │    state/        of a job: asked of its tasks, or read from its checkpoint
//!          │    why.rs        what the leader says of a job, and which operator is slow (pace.rs)
//!          │    metrics/      of all nodes; job_metrics.rs: of one job
//!          │    job_file.rs   what a job file stands for
//!          │    group/        who leads and led, records, what changes, and how to log in
//!          └─ the leader: led.rs, behind NodeLayer: passed on to it, held while nobody leads
//!               wish.rs        what is wanted of a job
//!               savepoints.rs  made, listed, removed
//!               overview/      the cluster at a glance, and many jobs in pages
//! ```
//!
//! What a node does itself never passes the leader, so it goes on while nobody leads. Routes and
//! their OpenAPI document are made from one list (`route.rs`).
//!
//! # Limits
//!
//! | what | limit | when it is reached |
//! |---|---|---|
//! | specification of a job | 64 KiB, its record 400 KiB | 413 |
//! | artifact | 1 GiB | 413 |
//! | uploads at a time | [`MOST_UPLOADS`] | 503 |
//! | silence of a body, a body of JSON in all | 30 s, 60 s | 408 |
//! | waiting for a leader, for its answer | 30 s, [`LONGEST_QUESTION`] | 503 |
//! | jobs on a page | [`MOST_JOBS`], usually [`USUAL_JOBS`] | 400 |
//! | savepoints on a page | [`MOST_SAVEPOINTS`], usually [`USUAL_SAVEPOINTS`] | 400 |
//! | series of the metrics of a job | [`MOST_SERIES`] | the rest is left out and counted |
//! | age of the metrics of a job that are shown | [`METRICS_AGE`] | its TaskManagers are asked again |
//! | rows of jobs on a page | [`MOST_ROWS`], usually [`USUAL_ROWS`] | 400 |
//! | things that are wrong, in the overview | [`MOST_WRONG`] | the others are counted |
//! | tasks that are named of one node | [`MOST_TASKS_OF_NODE`] | the others are counted |
//! | names of records on a page | [`MOST_NAMES`], usually [`USUAL_NAMES`] | 400 |
//! | lists and records that are read for others at a time | [`MOST_READS`] | 503 |
//! | listeners to events, and how long | [`MOST_LISTENERS`], [`LONGEST_STREAM`] | 503; it ends |
//! | logs of ranks that are read at a time | [`MOST_LOGS`] | 503 |
//! | ranks whose logs are told together | [`MOST_TOGETHER`] | 400: name a rank |
//! | a line of a log | [`LONGEST_LINE`] | it comes in pieces |
//! | entries of a range of state | [`MOST_ENTRIES`], usually [`USUAL_ENTRIES`] | 400 |
//! | the answer of a rank to a query | [`QUERY_TIME`](crate::task_manager::QUERY_TIME) | 504, which names the rank |
//! | a state that is scanned for a range, as a checkpoint has it | 256 MiB, 2 scans at a time | 413, 503 |
//! | first byte of a task's answer | 60 s | 504 |
//! | metrics of a node: time, size | [`SCRAPE_TIME`], [`LARGEST_METRICS`] | it is left out and named |
//! | metrics of all nodes | [`WHOLE_SCRAPE`] | the rest is left out and named |

mod archive;
mod artifacts;
mod body;
mod check;
mod checkpoints;
mod group;
mod gzip;
mod job_file;
mod job_metrics;
mod led;
mod locate;
mod logs;
mod metrics;
mod overview;
mod own;
mod pace;
mod problem;
mod route;
mod savepoints;
mod seams;
mod state;
mod submit;
mod task_http;
mod types;
mod view;
mod why;
mod wish;
pub mod words;

use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::response::{IntoResponse as _, Response};
use incumbent_cluster_blobs::Blobs;
use incumbent_gateway::NodeLayer;
use tokio::sync::Semaphore;

pub use artifacts::MOST_UPLOADS;
pub use group::{
    ASKING, FeatureKind, Features, LONGEST_STREAM, LeaderNow, LeaderState, LeadershipStory, LogIn,
    MOST_LISTENERS, MOST_NAMES, MOST_READS, RecordNames, RecordView, RootView, Session,
    USUAL_NAMES,
};
pub use job_file::JobFileView;
pub use job_metrics::{JobMetrics, METRICS_AGE, MOST_SERIES, Series};
pub use led::{LONGEST_QUESTION, MOST_JOBS, USUAL_JOBS};
pub use logs::{LONGEST_LINE, MOST_LOGS, MOST_TOGETHER};
pub use metrics::{LARGEST_METRICS, SCRAPE_TIME, WHOLE_SCRAPE};
pub use overview::{
    About, JobCounts, JobRow, JobRows, MOST_ROWS, MOST_TASKS_OF_NODE, MOST_WRONG, Marks,
    NodeCounts, NodeRow, NodeRows, Overview, RowCheckpoint, Severity, SlotCounts, TaskOfNode,
    USUAL_ROWS, Wrong,
};
pub use problem::{FieldProblem, PROBLEM_JSON, Problem, Processed};
pub use savepoints::{MOST_SAVEPOINTS, USUAL_SAVEPOINTS};
pub use seams::AskLeader;
pub use state::{MOST_ENTRIES, USUAL_ENTRIES};
pub use types::{
    ArtifactView, AsOf, AttemptList, JobList, LogEnd, LogLine, NodeList, SavepointList, StateEntry,
    StateNames, StateRange, StateValue, TaskList, UnreadableSavepoint, WantedJob, WantedNode, Why,
};

pub(crate) use artifacts::of_upload;
pub(crate) use body::{steady, whole};
pub(crate) use group::{OfGroup, Seen};
pub(crate) use metrics::Merged;
pub(crate) use problem::chain;
pub(crate) use route::{Document, Route};

use crate::Node;
use crate::security::is_of_task;

/// The longest text of the HTTP framework about a request that it refuses, in bytes.
const LONGEST_REJECTION: usize = 4096;

/// What the routes that this node answers itself share.
pub(crate) struct Api {
    node: Node,
    blobs: Blobs,
    /// The routes of the leader, wherever it is.
    led: Router,
    /// Permits to upload.
    uploads: Arc<Semaphore>,
    /// Permits to read logs.
    logs: Arc<Semaphore>,
    /// Says when records of jobs change.
    records: logs::RecordWatch,
    /// The nodes that the leader named last.
    nodes: metrics::LastNodes,
    /// The last looks at the metrics of jobs.
    looks: job_metrics::Looks,
    /// What queries of the state of jobs share.
    state: state::States,
    /// The OpenAPI document.
    document: String,
}

/// The routes of `/v1`, for [`Server::run`](crate::server::Server::run). `leader` is the JobManager
/// of this process, if it has one; without one, this node never leads.
pub fn routes(node: &Node, blobs: Blobs, leader: Option<Arc<dyn AskLeader>>) -> Router {
    let mut document = Document::new();
    let passing = NodeLayer::new(node.role().clone()).pass_on(node.gateway().clone());
    let answering = led::Led {
        leader,
        blobs: blobs.clone(),
        looks: overview::Looks::default(),
    };
    let led = document.router(led::routes()).with_state(answering);
    let led: Router = led.layer(passing);
    let own = document.router(own::routes());
    let of_group = document.router(group::routes());
    let api = Api {
        node: node.clone(),
        blobs,
        led: led.clone(),
        uploads: Arc::new(Semaphore::new(MOST_UPLOADS)),
        logs: Arc::new(Semaphore::new(MOST_LOGS)),
        records: logs::RecordWatch::default(),
        nodes: metrics::LastNodes::default(),
        looks: job_metrics::Looks::default(),
        state: state::States::default(),
        document: document.into_json(),
    };
    let api = Arc::new(api);
    let source: Arc<dyn group::Source> = api.clone();
    let of_group = of_group.with_state(Arc::new(OfGroup::of_cluster(node, source)));
    // Some paths have methods of both kinds.
    complete(own.with_state(api).merge(of_group).merge(led))
}

/// The routes of a group that is no cluster, and the pages.
pub(crate) fn group_router(of: Arc<OfGroup>) -> Router {
    let mut document = Document::new();
    let routes = document.router(group::routes()).with_state(of);
    let document: bytes::Bytes = document.into_json().into();
    let document = move || async { ([(CONTENT_TYPE, "application/json")], document) };
    let routes = routes.route("/v1/openapi.json", axum::routing::get(document));
    complete(routes)
}

/// Adds what is served besides `/v1`, and makes all answers alike.
fn complete(routes: Router) -> Router {
    routes
        .layer(axum::middleware::from_fn(gzip::compressed))
        .merge(incumbent_cluster_ui::pages())
        .fallback(async |request: Request| {
            let path = request.uri().path();
            Problem::not_found(format!(
                "This node has no path {path:?}. /v1/openapi.json says which there are."
            ))
        })
        .layer(axum::middleware::map_response(as_problem))
}

/// Turns a refusal of the HTTP framework into a problem like all others.
pub(crate) async fn as_problem(response: Response) -> Response {
    let status = response.status();
    let is_failure = status.is_client_error() || status.is_server_error();
    // What has a type of its own is a problem, or the answer of a task.
    let kind = response.headers().get(CONTENT_TYPE);
    let is_plain = kind.is_none_or(|kind| kind.as_bytes().starts_with(b"text/plain"));
    if !is_failure || !is_plain || is_of_task(&response) {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let text = axum::body::to_bytes(body, LONGEST_REJECTION).await;
    let text = text.unwrap_or_default();
    let text = match String::from_utf8_lossy(&text) {
        _ if status == StatusCode::METHOD_NOT_ALLOWED => {
            "This path has no such method; the field Allow says which it has.".into()
        }
        text if text.is_empty() => "Nothing was done; see /v1/openapi.json.".into(),
        text => text,
    };
    let title = status.canonical_reason();
    let title = title.unwrap_or("It cannot be answered");
    let problem = Problem::new(status, "bad-request", title, text).into_response();
    // `Allow` says what may be done.
    parts.headers.remove(CONTENT_LENGTH);
    parts.headers.extend(problem.headers().clone());
    Response::from_parts(parts, problem.into_body())
}
