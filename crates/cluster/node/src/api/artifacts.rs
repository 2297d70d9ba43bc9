//! Artifacts: files of jobs, named by their digest, uploaded and fetched through any node.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_TYPE, ETAG};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse as _, Response};
use incumbent_cluster_blobs::{Digest, Error, MAX_ARTIFACT};

use super::problem::Problem;
use super::types::ArtifactView;
use super::{Api, body};

/// Uploads at a time on one node. Each holds a megabyte or two, and writes to the blobs.
pub const MOST_UPLOADS: usize = 16;

pub(super) async fn upload(
    State(api): State<Arc<Api>>,
    Path(digest): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let digest = parse(&digest)?;
    let Ok(_permit) = Arc::clone(&api.uploads).try_acquire_owned() else {
        return Err(Problem::too_many("uploads", MOST_UPLOADS));
    };
    // Said before anything is sent, it costs nobody the sending.
    let length = headers.get(CONTENT_LENGTH);
    let length = length.and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if length.is_some_and(|length| length > MAX_ARTIFACT) {
        let advice = "Nothing was kept. Let the job fetch what is larger from where it is.";
        return Err(Problem::too_large("The artifact", MAX_ARTIFACT, advice));
    }
    let was_there = api
        .blobs
        .has_artifact(digest)
        .await
        .map_err(|error| Problem::of_blobs(&error))?;
    let stored = api
        .blobs
        .put_artifact(body::steady(body), Some(digest))
        .await;
    let stored = stored.map_err(|error| of_upload(&error))?;
    let status = if was_there {
        StatusCode::OK
    } else {
        StatusCode::CREATED
    };
    tracing::info!(artifact = %digest, bytes = stored.size, was_there, "an artifact was uploaded");
    let view = ArtifactView {
        digest: stored.digest.to_string(),
        size: stored.size,
    };
    Ok((status, Json(view)).into_response())
}

pub(super) async fn download(
    State(api): State<Arc<Api>>,
    Path(digest): Path<String>,
    method: Method,
) -> Result<Response, Problem> {
    let digest = parse(&digest)?;
    let found = api
        .blobs
        .artifact(digest)
        .await
        .map_err(|error| Problem::of_blobs(&error))?;
    let Some(found) = found else {
        return Err(Problem::not_found(format!(
            "No artifact has the digest {digest}. Upload it first."
        )));
    };
    let body = match method {
        Method::HEAD => Body::empty(),
        _ => Body::from_stream(api.blobs.read_artifact(found)),
    };
    let headers = [
        (CONTENT_TYPE, "application/octet-stream".to_owned()),
        // Shown by no browser: it may be a page.
        (CONTENT_DISPOSITION, "attachment".to_owned()),
        (
            CACHE_CONTROL,
            "private, max-age=31536000, immutable".to_owned(),
        ),
        (CONTENT_LENGTH, found.size.to_string()),
        (ETAG, format!("\"{digest}\"")),
    ];
    Ok((headers, body).into_response())
}

fn parse(digest: &str) -> Result<Digest, Problem> {
    let bad = |error| Problem::bad_request(format!("{digest:?}: {error}."));
    digest.parse().map_err(bad)
}

/// What stopped the sender is not the blobs' fault.
pub(crate) fn of_upload(error: &Error) -> Problem {
    match error {
        Error::Sender { source, .. } if is_late(&**source) => Problem::body_late(),
        other => Problem::of_blobs(other),
    }
}

fn is_late(error: &(dyn std::error::Error + 'static)) -> bool {
    let error = error.downcast_ref::<std::io::Error>();
    error.is_some_and(|error| error.kind() == std::io::ErrorKind::TimedOut)
}
