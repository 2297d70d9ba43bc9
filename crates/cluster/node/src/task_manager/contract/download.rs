//! `GET /v1/restore`: what to start from, and its files, checked on their way.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use futures::{Stream, StreamExt as _};
use incumbent_backend::causes;
use incumbent_cluster_blobs::Error;
use tokio::sync::mpsc;

use super::TaskContract;
use super::problems;
use super::restore::{Read, Restore};
use crate::api::Problem;

/// How long a task may leave a piece of a file untaken: it holds a place among
/// [`MOST_TRANSFERS`](super::MOST_TRANSFERS) meanwhile.
pub const UNREAD_TIME: Duration = Duration::from_secs(60);

pub(super) async fn restore(
    State(contract): State<Arc<TaskContract>>,
) -> Result<Response, Problem> {
    let (_, read) = contract.read_restore().await?;
    let json = [(CONTENT_TYPE, "application/json")];
    Ok((json, read.view.clone()).into_response())
}

pub(super) async fn restore_file(
    State(contract): State<Arc<TaskContract>>,
    Path((rank, name)): Path<(String, String)>,
) -> Result<Response, Problem> {
    let (restore, read) = contract.read_restore().await?;
    let file = rank.parse().ok().and_then(|rank| read.file(rank, &name));
    let Some(file) = file else {
        let number = restore.checkpoint().number;
        return Err(Problem::not_found(format!(
            "Checkpoint {number} has no file {name:?} of a rank {rank:?}. GET /v1/restore says \
             which there are."
        )));
    };
    let permits = contract.transfer().await;
    let blobs = &contract.contracts.blobs;
    let mut pieces = Box::pin(blobs.read_checkpoint_file(restore.checkpoint(), file));
    // The status says whether it is there.
    let first = match pieces.next().await.transpose() {
        Ok(first) => first,
        Err(error) => return Err(contract.not_read(&error)),
    };
    let (sender, mut receiver) = mpsc::channel(1);
    let pieces = futures::stream::iter(first.map(Ok)).chain(pieces);
    let reader = Arc::clone(&contract);
    tokio::spawn(async move {
        pass_on(&reader, pieces, sender).await;
        drop(permits);
    });
    let pieces = futures::stream::poll_fn(move |context| receiver.poll_recv(context));
    let headers = [
        (CONTENT_TYPE, "application/octet-stream".to_owned()),
        (CONTENT_LENGTH, file.size.to_string()),
    ];
    Ok((headers, Body::from_stream(pieces)).into_response())
}

/// Passes the pieces on. It ends with the last one, with an error, or when nobody takes them.
async fn pass_on(
    contract: &TaskContract,
    mut pieces: impl Stream<Item = Result<Bytes, Error>> + Unpin,
    to: mpsc::Sender<io::Result<Bytes>>,
) {
    while let Some(piece) = pieces.next().await {
        let is_last = piece.is_err();
        let piece = piece.map_err(|error| {
            let problem = contract.not_read(&error);
            io::Error::other(problem.detail)
        });
        let taken = tokio::time::timeout(UNREAD_TIME, to.send(piece)).await;
        if is_last || !matches!(taken, Ok(Ok(()))) {
            // What is missing of its length says to the task that it is not whole.
            return;
        }
    }
}

impl TaskContract {
    async fn read_restore(&self) -> Result<(&Restore, &Read), Problem> {
        let restore = self.restore.as_ref();
        let restore = restore.ok_or_else(problems::nothing_to_restore)?;
        let read = restore.read(&self.contracts.blobs).await;
        let read = read.map_err(|error| self.not_read(&error))?;
        Ok((restore, read))
    }

    /// Blobs that are out come back. What is gone or altered does not, so the task ends.
    fn not_read(&self, error: &Error) -> Problem {
        let why = causes(error);
        if error.is_outage() {
            self.contracts.blob_health.failed(&why);
            return problems::of_outage(error);
        }
        let why = format!(
            "{why}; start the job from another checkpoint or a savepoint (--restore), or have its \
             files brought back"
        );
        self.cannot_restore(why.clone());
        problems::not_restored(&why)
    }
}
