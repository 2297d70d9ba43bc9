//! The logs of tasks, from any node, whether anybody leads or not.
//!
//! ```text
//!   mod.rs: what is asked ──► follow.rs: attempt after attempt ──► rank.rs: one log of one rank
//!                               ▲ watch.rs: the record changes         TaskManager, or else blobs
//!   told.rs: text or events ◄───┴──────────── lines.rs ◄───────────────────┘
//! ```
//!
//! The record of the job says where its tasks are. So a log that is followed goes on while nobody
//! leads, and when the store does not answer: only a new attempt is not found then.
//!
//! Each event has an id that says how far all ranks were read. A client that gives it as
//! `Last-Event-ID`, to any node, gets the rest: no line twice, and none left out.

mod follow;
mod lines;
mod position;
mod rank;
mod told;
mod watch;

use std::sync::Arc;

use axum::extract::{Path, Query, Request, State};
use axum::http::HeaderMap;
use axum::http::header::ACCEPT;
use axum::response::Response;
use incumbent_cluster_core::{Attempt, JobRecord, Rank};
use serde::Deserialize;

use super::Api;
use super::locate::{Asker, check_rank};
use super::problem::Problem;
use crate::server::Ending;
use follow::{Begin, Telling, Wanted};
use told::{Counted, Form, Writer};

pub use lines::LONGEST_LINE;
pub(super) use watch::RecordWatch;

/// Logs of ranks that are read at a time through one node, followed or not. Each needs a connection
/// to a TaskManager, and some memory.
pub const MOST_LOGS: usize = 2048;

/// Most ranks whose logs are told together. Of larger jobs, ranks are read one by one.
pub const MOST_TOGETHER: u32 = 256;

/// How a log is asked for.
#[derive(Debug, Deserialize)]
pub(super) struct Ask {
    rank: Option<u32>,
    attempt: Option<u32>,
    tail: Option<u64>,
    follow: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct OfTask {
    job: String,
    rank: u32,
}

/// The log of one task.
pub(super) async fn of_task(
    State(api): State<Arc<Api>>,
    Path(OfTask { job, rank }): Path<OfTask>,
    Query(mut ask): Query<Ask>,
    request: Request,
) -> Result<Response, Problem> {
    ask.rank = Some(rank);
    answer(api, job, ask, request).await
}

/// The logs of all tasks.
pub(super) async fn of_job(
    State(api): State<Arc<Api>>,
    Path(job): Path<String>,
    Query(ask): Query<Ask>,
    request: Request,
) -> Result<Response, Problem> {
    answer(api, job, ask, request).await
}

async fn answer(
    api: Arc<Api>,
    job: String,
    ask: Ask,
    request: Request,
) -> Result<Response, Problem> {
    let headers = request.headers();
    let id = api.id_of(&job, Asker::of(&request)).await?;
    let changed = api.records.of(api.node.group(), id);
    let record = api.record(id).await?;
    let ranks = ranks(&record, ask.rank)?;
    let count = u32::try_from(ranks.len()).unwrap_or(u32::MAX);
    let Ok(permit) = Arc::clone(&api.logs).try_acquire_many_owned(count) else {
        return Err(Problem::too_many("logs of tasks", MOST_LOGS));
    };
    let is_following = is_set("follow", ask.follow.as_deref())?;
    let attempt = ask.attempt.map(Attempt);
    check_attempt(&record, attempt)?;
    let is_events = wants_events(headers);
    let begin = match (position(headers, ranks.len())?, ask.tail) {
        (Some(position), tail) => Begin::After(position, tail),
        (None, Some(lines)) => Begin::Tail(lines),
        (None, None) => Begin::Start,
    };
    let form = match (&begin, is_events) {
        (_, false) => Form::Text {
            has_ranks: ask.rank.is_none(),
        },
        (Begin::After(position, _), true) => Form::Events(position.clone()),
        (_, true) => {
            let first = attempt.unwrap_or(record.attempt);
            Form::Events(position::Position::start(first, ranks.len()))
        }
    };
    let wanted = Wanted {
        ranks: ranks.clone(),
        attempt,
        begin,
        is_following,
    };
    let ending = request.extensions().get::<Ending>().cloned();
    let writer = Writer {
        telling: Telling::of(api, record, changed, wanted),
        form,
        ranks,
        ending,
        _permit: permit,
        _counted: Counted::new(),
    };
    Ok(writer.into_response())
}

fn ranks(record: &JobRecord, rank: Option<u32>) -> Result<Vec<Rank>, Problem> {
    let (id, tasks) = (record.id, record.tasks());
    match rank {
        // Before it was rescaled, it may have had more.
        Some(rank) if rank < record.spec.tasks => Ok(vec![Rank(rank)]),
        Some(rank) => {
            check_rank(record, Rank(rank))?;
            Ok(vec![Rank(rank)])
        }
        None if tasks <= MOST_TOGETHER => Ok((0..tasks).map(Rank).collect()),
        None => Err(Problem::bad_request(format!(
            "Job {id} has {tasks} tasks; the logs of at most {MOST_TOGETHER} are told together. Name a rank: \
             --rank 0 (by HTTP ?rank=0)."
        ))),
    }
}

fn check_attempt(record: &JobRecord, attempt: Option<Attempt>) -> Result<(), Problem> {
    match attempt {
        Some(attempt) if attempt > record.attempt => Err(Problem::not_found(format!(
            "Job {} has not come to attempt {attempt}; its present one is {}.",
            record.id, record.attempt
        ))),
        Some(Attempt(0)) => Err(Problem::not_found("Attempts are counted from 1.")),
        Some(_) | None => Ok(()),
    }
}

fn is_set(name: &str, value: Option<&str>) -> Result<bool, Problem> {
    match value {
        None | Some("false" | "0") => Ok(false),
        Some("" | "true" | "1") => Ok(true),
        Some(other) => Err(Problem::bad_request(format!(
            "{name} is {other:?}; it must be true or false."
        ))),
    }
}

fn wants_events(headers: &HeaderMap) -> bool {
    let mut accepted = headers.get_all(ACCEPT).iter();
    accepted.any(|line| {
        line.to_str()
            .is_ok_and(|line| line.contains("text/event-stream"))
    })
}

/// Where the client has stopped.
fn position(headers: &HeaderMap, ranks: usize) -> Result<Option<position::Position>, Problem> {
    let Some(last) = headers.get("last-event-id").filter(|last| !last.is_empty()) else {
        return Ok(None);
    };
    let position = last
        .to_str()
        .ok()
        .and_then(|last| last.parse::<position::Position>().ok());
    match position {
        Some(position) if position.offsets.len() == ranks => Ok(Some(position)),
        Some(_) | None => Err(Problem::bad_request(
            "Last-Event-ID is not an id that this log has given. Leave it out to begin anew.",
        )),
    }
}
