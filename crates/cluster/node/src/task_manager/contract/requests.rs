//! What a task asks and says: everything but files and events.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use bytes::Bytes;
use incumbent_cluster_core::message::{Acked, LONGEST_PROGRESS};
use incumbent_cluster_core::task_manager::Said;

use super::TaskContract;
use super::metrics_text::TaskMetrics;
use super::parts::Which;
use super::problems;
use super::types::{Named, Peers, TaskIdentity};
use crate::api::{Problem, whole};

/// Largest body of an acknowledgement, in bytes: the names of a thousand files.
pub const LARGEST_ACK: usize = 256 * 1024;

/// Largest metrics of one task, in bytes.
pub const LARGEST_TASK_METRICS: usize = 64 * 1024;

type Contract = State<Arc<TaskContract>>;

pub(super) async fn identity(State(contract): Contract) -> Json<TaskIdentity> {
    Json(contract.identity.clone())
}

/// Says that the task is ready, and waits for the others. If the client goes away meanwhile, it may
/// ask again.
pub(super) async fn ready(State(contract): Contract) -> Result<Json<Peers>, Problem> {
    contract.say(Said::Ready).await?;
    let mut standing = contract.standing.subscribe();
    // A task that is told to stop before that is not to wait for ever.
    let begun = standing.wait_for(|standing| standing.has_begun || standing.is_stopped);
    begun.await.map_err(|_| problems::ending())?;
    let peers = contract.identity.peers.clone();
    Ok(Json(Peers { peers }))
}

pub(super) async fn ack(
    State(contract): Contract,
    Path(number): Path<String>,
    body: Body,
) -> Result<StatusCode, Problem> {
    let Which::Number(number) = contract.which(&number)? else {
        return Err(Problem::bad_request(
            "The last files are handed over with POST /v1/finish.",
        ));
    };
    let names = named(body).await?;
    let part = contract
        .parts()
        .freeze(Which::Number(number), names.as_deref());
    let part = part.map_err(|refusal| problems::refused(&refusal))?;
    contract.say(Said::Acked(Acked { number, part })).await?;
    contract
        .standing
        .send_modify(|standing| standing.answered(number));
    Ok(StatusCode::OK)
}

pub(super) async fn finish(State(contract): Contract, body: Body) -> Result<StatusCode, Problem> {
    if !contract.is_checkpointing() {
        return Err(problems::not_checkpointing());
    }
    let names = named(body).await?;
    let part = contract.parts().freeze(Which::Last, names.as_deref());
    let part = part.map_err(|refusal| problems::refused(&refusal))?;
    contract.say(Said::Finished(part)).await?;
    contract
        .standing
        .send_modify(|standing| standing.finished());
    Ok(StatusCode::OK)
}

pub(super) async fn metrics(State(contract): Contract, body: Body) -> Result<StatusCode, Problem> {
    let text = text(body, LARGEST_TASK_METRICS, "The metrics").await?;
    let metrics = TaskMetrics::parse(&text)
        .map_err(|bad| Problem::bad_request(format!("The metrics cannot be read: {bad}.")))?;
    let (name, rank) = (&contract.identity.name, contract.task.rank.0);
    contract.show(metrics.to_text(name, rank));
    Ok(StatusCode::OK)
}

pub(super) async fn progress(State(contract): Contract, body: Body) -> Result<StatusCode, Problem> {
    let too_long = || Problem::too_large("The line", LONGEST_PROGRESS as u64, "Make it shorter.");
    // The end of the line does not count.
    let text = match text(body, LONGEST_PROGRESS + 1, "The line").await {
        Err(problem) if problem.status == StatusCode::PAYLOAD_TOO_LARGE.as_u16() => {
            return Err(too_long());
        }
        read => read?,
    };
    let line = text.strip_suffix('\n').unwrap_or(&text);
    if line.len() > LONGEST_PROGRESS {
        return Err(too_long());
    }
    if line.contains(char::is_control) {
        let detail = "Progress is one line of text, without control characters.";
        return Err(Problem::bad_request(detail));
    }
    contract.say(Said::Progress(line.to_owned())).await?;
    Ok(StatusCode::OK)
}

/// The names in a body, if it has one.
async fn named(body: Body) -> Result<Option<Vec<String>>, Problem> {
    let bytes = whole(body, LARGEST_ACK, "The list of files").await?;
    if bytes.is_empty() {
        return Ok(None);
    }
    let named: Named = serde_json::from_slice(&bytes).map_err(|error| {
        Problem::bad_request(format!(
            "The body is either empty or {{\"files\":[…]}}: {error}."
        ))
    })?;
    Ok(named.files)
}

async fn text(body: Body, most: usize, what: &str) -> Result<String, Problem> {
    let bytes: Bytes = whole(body, most, what).await?;
    String::from_utf8(bytes.into()).map_err(|_| Problem::bad_request(format!("{what}: not UTF-8.")))
}

impl TaskContract {
    pub(super) fn is_checkpointing(&self) -> bool {
        self.identity.is_checkpointing
    }

    /// The part that this piece of a path names.
    pub(super) fn which(&self, number: &str) -> Result<Which, Problem> {
        if !self.is_checkpointing() {
            return Err(problems::not_checkpointing());
        }
        if number == "final" {
            return Ok(Which::Last);
        }
        let parsed = number.parse().map(Which::Number);
        parsed.map_err(|_| Problem::bad_request("A checkpoint is named by its number, or `final`."))
    }
}
