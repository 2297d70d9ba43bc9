//! Savepoints: made, listed, removed. All of it is the leader's: it knows whose they are.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use incumbent_cluster_blobs::{Error, ListedSavepoint, MAX_PAGE, MarkedSavepoint, Page as Listed};
use incumbent_cluster_core::SavepointId;
use incumbent_cluster_core::leader::{Answer, Question};
use incumbent_cluster_core::view::{CheckpointView, SavepointView};
use serde::Deserialize;

use super::led::{Answered, Led, by_id, unexpected};
use super::problem::{self, Problem};
use super::types::{SavepointList, UnreadableSavepoint};

/// Most savepoints on a page: the blobs tell no more at a time.
pub const MOST_SAVEPOINTS: usize = MAX_PAGE;

/// Savepoints on a page if nothing is said: for each one, a file is read.
pub const USUAL_SAVEPOINTS: usize = 100;

/// How long the blobs may take. Those of jobs are told without them.
const BLOBS: Duration = Duration::from_secs(15);

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

/// In the order of their ids: by it, the blobs give pages.
pub(super) async fn list(
    State(led): State<Led>,
    Query(page): Query<Page>,
) -> Answered<SavepointList> {
    let limit = page.limit.unwrap_or(USUAL_SAVEPOINTS);
    if !(1..=MOST_SAVEPOINTS).contains(&limit) {
        let detail = format!("limit is {limit}; it must be 1 to {MOST_SAVEPOINTS}.");
        return Err(Problem::bad_request(detail));
    }
    let after = page.after.as_deref().map(parse).transpose()?;
    // Before the savepoints: if it was complete then, so are they.
    let is_complete = led.cluster().await?.is_complete;
    let (listed, without_files) = match files(&led, after, limit).await {
        Ok(listed) => (Some(listed), None),
        Err(problem) => (None, Some(problem.detail)),
    };
    let mut has_more = listed.as_ref().is_some_and(|page| page.more);
    let mut found = BTreeMap::new();
    for listed in listed.into_iter().flat_map(|page| page.entries) {
        let marked = listed.marked.map(|marked| of_files(&marked));
        found.insert(listed.id.to_string(), marked);
    }
    // What a record says is newer than what lies beside its files.
    for savepoint in known(&led).await? {
        if after.is_none_or(|after| savepoint.id > after.to_string()) {
            found.insert(savepoint.id.clone(), Ok(savepoint));
        }
    }
    has_more |= found.len() > limit;
    let last = found.keys().take(limit).next_back().cloned();
    let (mut savepoints, mut unreadable) = (Vec::new(), Vec::new());
    for (id, found) in found.into_iter().take(limit) {
        match found {
            Ok(savepoint) => savepoints.push(savepoint),
            Err(error) => unreadable.push(UnreadableSavepoint {
                id,
                why: problem::chain(&error),
            }),
        }
    }
    Ok(Json(SavepointList {
        savepoints,
        next: last.filter(|_| has_more),
        is_complete,
        unreadable,
        without_files,
    }))
}

/// What lies in the blobs.
async fn files(
    led: &Led,
    after: Option<SavepointId>,
    most: usize,
) -> Result<Listed<ListedSavepoint>, Problem> {
    let listed = tokio::time::timeout(BLOBS, led.blobs.savepoints(after, most));
    match listed.await {
        Ok(listed) => listed.map_err(|error| Problem::of_blobs(&error)),
        Err(_) => Err(blobs_late()),
    }
}

/// One of which only the files are known, as far as they say.
fn of_files(marked: &MarkedSavepoint) -> SavepointView {
    SavepointView {
        id: marked.savepoint.id.to_string(),
        job: marked.job.to_string(),
        name: marked.name.clone(),
        checkpoint: CheckpointView::of(&marked.savepoint.checkpoint),
        has_job: false,
    }
}

fn blobs_late() -> Problem {
    let detail = format!("The blobs did not answer within {} s.", BLOBS.as_secs());
    Problem::unavailable("blobs-unavailable", "The blobs do not answer", detail)
}

pub(super) async fn show(
    State(led): State<Led>,
    Path(savepoint): Path<String>,
) -> Answered<SavepointView> {
    let id = parse(&savepoint)?;
    let name = id.to_string();
    let mut known = known(&led).await?.into_iter();
    if let Some(found) = known.find(|found| found.id == name) {
        return Ok(Json(found));
    }
    match tokio::time::timeout(BLOBS, led.blobs.savepoint(id)).await {
        Ok(Ok(marked)) => Ok(Json(of_files(&marked))),
        Ok(Err(Error::NotFound { .. })) => Err(Problem::not_found(format!(
            "There is no savepoint {id}. It was never completed, or it was removed. `incumbent savepoint ls` \
             (by HTTP GET /v1/savepoints) lists those that there are."
        ))),
        Ok(Err(error)) => Err(Problem::of_blobs(&error)),
        Err(_) => Err(blobs_late()),
    }
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

/// Those of open records.
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
