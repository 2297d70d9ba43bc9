//! Savepoints, stops and disposals, each begun by one request and asked after by others.
//!
//! The id of the trigger is the id of the savepoint, so what the record of the job says of that is
//! what became of it: nothing has to be kept here, and any node can answer. Pure but for
//! [`Trigger`]'s random id.

use incumbent_cluster_core::checkpoint::Intent;
use incumbent_cluster_core::view::JobView;
use incumbent_cluster_core::{Desired, JobState, SavepointId};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::errors::Failure;
use crate::java;

/// The body that begins a savepoint.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Trigger {
    /// It is stopped with it. Flink would cancel it, which is the same but that it can be resumed.
    #[serde(rename = "cancel-job", default)]
    pub(crate) cancel_job: Option<bool>,
    /// The id, if the client has drawn it: then a repeated request makes one savepoint.
    #[serde(rename = "triggerId", default)]
    trigger: Option<String>,
}

/// The body that removes a savepoint.
#[derive(Debug, Deserialize)]
pub(crate) struct Disposal {
    #[serde(rename = "savepoint-path")]
    pub(crate) path: String,
}

/// The body that asks for a checkpoint. All of ours are full ones.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Checkpoint {
    #[serde(rename = "checkpointType", default)]
    _kind: Option<CheckpointKind>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
enum CheckpointKind {
    Configured,
    Full,
    Incremental,
}

impl Trigger {
    /// The id of the savepoint: the client's, or a new one.
    pub(crate) fn id(&self) -> Result<SavepointId, Failure> {
        match self.trigger.as_deref().filter(|id| !id.is_empty()) {
            None => Ok(SavepointId::new(rand::random())),
            Some(id) => parse(id),
        }
    }
}

/// The id of a trigger in a path.
pub(crate) fn parse(id: &str) -> Result<SavepointId, Failure> {
    let lower = id.to_ascii_lowercase();
    lower.parse().map_err(|_| Failure::bad_id("triggerid", id))
}

/// The savepoint that a location names: its id, whatever stands before it.
pub(crate) fn of_location(path: &str) -> Result<SavepointId, Failure> {
    let id = path
        .trim_end_matches('/')
        .rsplit(['/', '-', ':'])
        .next()
        .unwrap_or_default();
    id.to_ascii_lowercase().parse().map_err(|_| {
        Failure::bad_request(format!(
            "{path:?} is no savepoint of this cluster: a savepoint is named by its id, 32 hexadecimal digits, as it \
             was told when it was made. `incumbent savepoint ls` lists them."
        ))
    })
}

/// What begins something is answered with.
pub(crate) fn begun(id: SavepointId) -> Value {
    json!({ "request-id": id.to_string() })
}

/// Refuses a stop that could make no savepoint.
pub(crate) fn check_stop(job: &JobView) -> Result<(), Failure> {
    let is_checkpointing = job
        .spec
        .as_ref()
        .is_some_and(|spec| spec.checkpoints.is_some());
    match is_checkpointing || job.checkpoints.is_some() {
        true => Ok(()),
        false => Err(Failure::new(
            axum::http::StatusCode::CONFLICT,
            format!(
                "Job {} makes no checkpoints, so it cannot be stopped with a savepoint. Cancel it, or let \
                 `incumbent job stop {}` end it so that it begins anew when it is resumed.",
                job.id, job.name
            ),
        )),
    }
}

/// What became of a savepoint or a stop: `/jobs/:id/savepoints/:trigger`.
pub(crate) fn status(job: &JobView, id: SavepointId) -> Result<Value, Failure> {
    let text = id.to_string();
    let is_made = job.savepoints.iter().any(|made| made.id == text);
    let newest = job
        .checkpoint
        .as_ref()
        .and_then(|newest| newest.savepoint.as_ref());
    let is_closing = job.desired == Desired::Suspended && !job.state.is_at_rest();
    if is_made && is_closing && newest == Some(&text) {
        // Flink's stop is over when the job is.
        return Ok(in_progress());
    }
    if is_made {
        return Ok(completed(json!({ "location": text })));
    }
    let intent = match job.intent {
        Some(Intent::Savepoint { id } | Intent::Stop { savepoint: id }) => Some(id),
        Some(Intent::Rescale { .. }) | None => None,
    };
    let checkpoints = job.checkpoints.as_ref();
    let pending = checkpoints.and_then(|all| all.pending.as_ref()?.savepoint.as_ref());
    if intent == Some(id) || pending == Some(&text) {
        return Ok(in_progress());
    }
    let given_up = checkpoints.and_then(|all| all.given_up.as_ref());
    if let Some(given_up) = given_up.filter(|given_up| given_up.id == text) {
        let why = format!("Savepoint {text} was given up: {}", given_up.why);
        return Ok(completed(json!({ "failure-cause": java::failure(&why) })));
    }
    if job.state == JobState::Suspended {
        let why = format!(
            "Job {} is suspended, but there is no savepoint {text}: it had no tasks that ran, or was stopped with \
             another one. It goes on from its newest checkpoint when it is resumed.",
            job.id
        );
        return Ok(completed(json!({ "failure-cause": java::failure(&why) })));
    }
    Err(Failure::not_found(format!(
        "There is no savepoint operation with triggerId={text} for job {}. It was never begun, or it came to nothing \
         under an earlier leader, or was removed. `incumbent job why {}` says more.",
        job.id, job.name
    )))
}

/// What became of a disposal: `/savepoint-disposal/:trigger`.
pub(crate) fn disposed(is_there: bool, id: SavepointId) -> Result<Value, Failure> {
    match is_there {
        false => Ok(completed(json!({}))),
        true => Err(Failure::not_found(format!(
            "There is no savepoint disposal operation with triggerId={id}: that savepoint is there."
        ))),
    }
}

/// The trigger of a checkpoint: the highest number of those that were begun before.
pub(crate) fn checkpoint_begun(job: &JobView) -> Result<Value, Failure> {
    let Some(all) = &job.checkpoints else {
        return Err(Failure::bad_request(format!(
            "Checkpointing was not enabled for job {}.",
            job.id
        )));
    };
    let pending = all.pending.as_ref().map_or(0, |pending| pending.number);
    let completed = all.completed.last().map_or(0, |newest| newest.number);
    Ok(begun(SavepointId::new(u128::from(pending.max(completed)))))
}

/// What became of it: the next one is made anyway.
pub(crate) fn checkpoint_status(job: &JobView, trigger: SavepointId) -> Result<Value, Failure> {
    let Some(all) = &job.checkpoints else {
        return Err(Failure::not_found(format!(
            "Checkpointing was not enabled for job {}.",
            job.id
        )));
    };
    let next = all
        .completed
        .iter()
        .find(|one| u128::from(one.number) > trigger.get());
    Ok(match next {
        Some(one) => completed(json!({ "checkpointId": one.number })),
        None if job.state.is_at_rest() => {
            let why = format!("Job {} does not run any more.", job.id);
            completed(json!({ "failure-cause": java::failure(&why) }))
        }
        None => in_progress(),
    })
}

fn in_progress() -> Value {
    json!({ "status": { "id": "IN_PROGRESS" }, "operation": null })
}

fn completed(operation: Value) -> Value {
    json!({ "status": { "id": "COMPLETED" }, "operation": operation })
}
