//! `POST /jars/upload`: a program, as the first file of a form.

use std::collections::VecDeque;
use std::io;
use std::sync::LazyLock;
use std::time::Duration;

use axum::body::{Body, BodyDataStream, Bytes};
use axum::extract::State;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use futures::StreamExt as _;
use incumbent_cluster_blobs::{Error, MAX_ARTIFACT};
use serde_json::json;
use tokio::sync::Semaphore;

use super::id::JarId;
use super::program::{HEAD, Look, why_not};
use crate::ask::Flink;
use crate::errors::{Answer, Failure, ok};
use crate::multipart::{FirstFile, Found};
use crate::times;

/// Uploads at a time of one process. Each holds a megabyte or two, and writes to the blobs.
pub const MOST_UPLOADS: usize = 16;

/// How long nothing may come of an upload.
const STALL: Duration = Duration::from_secs(30);

/// What a form has besides its file, at most.
const FORM: u64 = 64 * 1024;

static PERMITS: LazyLock<Semaphore> = LazyLock::new(|| Semaphore::new(MOST_UPLOADS));

pub(super) async fn upload(State(flink): State<Flink>, headers: HeaderMap, body: Body) -> Answer {
    let Ok(_permit) = PERMITS.try_acquire() else {
        let text = format!(
            "{MOST_UPLOADS} uploads are under way on this node. Try again, or ask another node."
        );
        return Err(Failure::new(StatusCode::SERVICE_UNAVAILABLE, text));
    };
    let length = headers
        .get(CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if length.is_some_and(|length| length > MAX_ARTIFACT + FORM) {
        return Err(too_large());
    }
    let kind = headers
        .get(CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok());
    let form = kind.and_then(FirstFile::of).ok_or_else(|| {
        Failure::bad_request(
            "The program must be sent as a file of a form: curl -F jarfile=@PROGRAM …/jars/upload",
        )
    })?;
    let mut parts = Parts {
        body: body.into_data_stream(),
        form,
        found: VecDeque::new(),
        look: Look::default(),
    };
    let name = loop {
        match parts.next().await.map_err(|error| broken(&error))? {
            Some(Found::Name(name)) => break name,
            Some(Found::Bytes(_) | Found::End) => {}
            None => {
                return Err(Failure::bad_request(
                    "Exactly 1 file must be sent, received 0.",
                ));
            }
        }
    };
    let head = parts.head().await.map_err(|error| broken(&error))?;
    if let Some(why) = why_not(&head) {
        return Err(Failure::bad_request(format!(
            "{name:?} cannot be run: {why}. Send a program for Linux (ELF), or a script that begins with #!."
        )));
    }
    let content = futures::stream::unfold((&mut parts, false), async |(parts, is_over)| {
        if is_over {
            return None;
        }
        match parts.next().await {
            Ok(Some(Found::Bytes(bytes))) => Some((Ok(Bytes::from(bytes)), (parts, false))),
            Ok(Some(Found::Name(_) | Found::End)) => None,
            Ok(None) => Some((Err(io::ErrorKind::UnexpectedEof.into()), (parts, true))),
            Err(error) => Some((Err(error), (parts, true))),
        }
    });
    let stored = flink.blobs.put_artifact(content, None).await;
    let stored = stored.map_err(|error| of_blobs(&error))?;
    let id = JarId::new(stored.digest, &name, parts.look.speaks_contract());
    tracing::info!(artifact = %stored.digest, name = id.name(), bytes = stored.size, "a program was uploaded");
    flink.shelf.put(id.clone(), times::now());
    // Flink says a path; its last part is the id.
    ok(json!({ "filename": format!("/artifacts/{id}"), "status": "success" }))
}

/// The form, as it comes.
struct Parts {
    body: BodyDataStream,
    form: FirstFile,
    found: VecDeque<Found>,
    look: Look,
}

impl Parts {
    async fn next(&mut self) -> io::Result<Option<Found>> {
        loop {
            if let Some(found) = self.found.pop_front() {
                if let Found::Bytes(bytes) = &found {
                    self.look.at(bytes);
                }
                return Ok(Some(found));
            }
            if !self.more().await? {
                return Ok(None);
            }
        }
    }

    /// Reads on; `false` at the end of the body.
    async fn more(&mut self) -> io::Result<bool> {
        let late = |_| io::Error::from(io::ErrorKind::TimedOut);
        let piece = tokio::time::timeout(STALL, self.body.next())
            .await
            .map_err(late)?;
        let Some(piece) = piece else {
            return Ok(false);
        };
        let piece = piece.map_err(io::Error::other)?;
        let found = self.form.take(&piece);
        self.found
            .extend(found.map_err(|_| io::ErrorKind::InvalidData)?);
        Ok(true)
    }

    /// The first bytes of the file, which stay to be read.
    async fn head(&mut self) -> io::Result<Vec<u8>> {
        loop {
            let mut head = Vec::new();
            let mut is_whole = false;
            for found in &self.found {
                match found {
                    Found::Bytes(bytes) => head.extend_from_slice(bytes),
                    Found::End => is_whole = true,
                    Found::Name(_) => {}
                }
            }
            if is_whole || head.len() >= HEAD {
                return Ok(head);
            }
            if !self.more().await? {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }
}

fn broken(error: &io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::TimedOut => Failure::new(
            StatusCode::REQUEST_TIMEOUT,
            "The upload did not arrive in time. Nothing was kept; send it again.",
        ),
        io::ErrorKind::InvalidData => {
            Failure::bad_request("The form cannot be read. Nothing was kept.")
        }
        _ => Failure::bad_request("The upload broke off. Nothing was kept; send it again."),
    }
}

fn too_large() -> Failure {
    Failure::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        format!(
            "The program has more than {MAX_ARTIFACT} bytes, which is the limit. Nothing was kept."
        ),
    )
}

/// What the blobs say.
pub(super) fn of_blobs(error: &Error) -> Failure {
    let text = |error: &Error| format!("{error}. Nothing was kept.");
    match error {
        Error::TooLarge { .. } => too_large(),
        Error::Sender { source, .. } => match source.downcast_ref::<io::Error>() {
            Some(error) => broken(error),
            None => Failure::bad_request("The upload broke off. Nothing was kept; send it again."),
        },
        Error::Full { .. } => Failure::new(StatusCode::INSUFFICIENT_STORAGE, text(error)),
        _ => Failure::new(StatusCode::SERVICE_UNAVAILABLE, text(error)),
    }
}
