//! Savepoints: made, listed, removed. All of it is the leader's: it knows whose they are.

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use incumbent_cluster_core::SavepointId;
use incumbent_cluster_core::leader::{Answer, Question};
use incumbent_cluster_core::view::SavepointView;
use serde::Deserialize;

use super::led::{Answered, Led, by_id, unexpected};
use super::problem::Problem;
use super::types::SavepointList;

/// Most savepoints on a page.
pub const MOST_SAVEPOINTS: usize = 10_000;

/// Savepoints on a page if nothing is said.
pub const USUAL_SAVEPOINTS: usize = 1000;

/// Makes a savepoint, or says how far it is.
pub(super) async fn make(
    State(led): State<Led>,
    Path((job, savepoint)): Path<(String, String)>,
) -> Result<Response, Problem> {
    let (job, savepoint) = (by_id(&job)?, parse(&savepoint)?);
    let view = led.job(Question::Savepoint { job, savepoint }).await?;
    let id = savepoint.to_string();
    match view.savepoints.iter().find(|found| found.id == id) {
        Some(found) => Ok(Json(found).into_response()),
        None => Ok((StatusCode::ACCEPTED, Json(view)).into_response()),
    }
}

#[derive(Deserialize)]
pub(super) struct Page {
    limit: Option<usize>,
    after: Option<String>,
}

pub(super) async fn list(
    State(led): State<Led>,
    Query(page): Query<Page>,
) -> Answered<SavepointList> {
    let limit = page.limit.unwrap_or(USUAL_SAVEPOINTS);
    if !(1..=MOST_SAVEPOINTS).contains(&limit) {
        let detail = format!("limit is {limit}; it must be 1 to {MOST_SAVEPOINTS}.");
        return Err(Problem::bad_request(detail));
    }
    // Before the savepoints: if it was complete then, so are they.
    let is_complete = led.cluster().await?.is_complete;
    let mut savepoints = known(&led).await?;
    savepoints.sort_by_cached_key(|savepoint| std::cmp::Reverse(place(savepoint)));
    if let Some(after) = page.after {
        savepoints.retain(|savepoint| place(savepoint) < after);
    }
    let next = (savepoints.get(limit)).map(|_| place(&savepoints[limit - 1]));
    savepoints.truncate(limit);
    Ok(Json(SavepointList {
        savepoints,
        next,
        is_complete,
    }))
}

/// Where a savepoint is in the order of all: by the time of its completion, and by its id if that
/// was the same.
fn place(savepoint: &SavepointView) -> String {
    format!("{}~{}", savepoint.checkpoint.completed_at, savepoint.id)
}

pub(super) async fn show(
    State(led): State<Led>,
    Path(savepoint): Path<String>,
) -> Answered<SavepointView> {
    let id = parse(&savepoint)?.to_string();
    let found = known(&led).await?.into_iter().find(|found| found.id == id);
    found.map(Json).ok_or_else(|| {
        Problem::not_found(format!(
            "There is no savepoint {id}. It was never completed, or it was removed. GET /v1/savepoints lists those that there are."
        ))
    })
}

pub(super) async fn remove(
    State(led): State<Led>,
    Path(savepoint): Path<String>,
) -> Result<StatusCode, Problem> {
    let id = parse(&savepoint)?;
    match led.ask(Question::RemoveSavepoint(id)).await? {
        // It is gone, as was wanted: the answer to an earlier try may have been lost.
        Answer::Done | Answer::NotFound(_) => Ok(StatusCode::NO_CONTENT),
        other => Err(unexpected(other)),
    }
}

/// Those of open records, and those of which only the files are known.
async fn known(led: &Led) -> Result<Vec<SavepointView>, Problem> {
    match led.ask(Question::Savepoints).await? {
        Answer::Savepoints(savepoints) => Ok(savepoints),
        other => Err(unexpected(other)),
    }
}

fn parse(savepoint: &str) -> Result<SavepointId, Problem> {
    savepoint.parse().map_err(|_| {
        Problem::bad_request(format!(
            "{savepoint:?} is not the id of a savepoint: 32 hexadecimal digits in lower case."
        ))
    })
}
