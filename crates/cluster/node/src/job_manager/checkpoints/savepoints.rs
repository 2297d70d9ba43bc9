//! Savepoints: found, marked and removed.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use incumbent_backend::causes;
use incumbent_cluster_blobs::{Blobs, Error};
use incumbent_cluster_core::checkpoint::Savepoint;
use incumbent_cluster_core::leader::{FoundSavepoint, LeaderEvent};
use incumbent_cluster_core::{Incarnation, JobId, SavepointId};
use tokio::sync::{Semaphore, SemaphorePermit, watch};

use super::Files;
use super::trying::{GivenUp, try_until};

/// How long a savepoint is looked for before the machine is told that the blobs do not answer: it
/// asks again. Also how long its removal is tried, as a person waits for it.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long a mark is tried. It is repeated before the record goes.
const MARKING: Duration = Duration::from_secs(60);

/// What is said beside the files of a savepoint.
pub(super) struct Mark {
    pub(super) job: JobId,
    pub(super) incarnation: Incarnation,
    pub(super) name: String,
    pub(super) savepoint: Box<Savepoint>,
    /// Whether the savepoint is going to be removed. It is let go when nothing is written any more.
    pub(super) withdrawn: watch::Receiver<bool>,
}

/// Looks for this savepoint, and tells the machine.
pub(super) async fn find(files: Files, places: Arc<Semaphore>, savepoint: SavepointId) {
    let found = try_until(PATIENCE, &files.guard, || {
        let work = async {
            let _place = place(&places).await;
            look(&files.blobs, savepoint).await
        };
        work.boxed()
    });
    let found = match found.await {
        None => return,
        Some(Ok(found)) => found,
        Some(Err(GivenUp {
            is_outage: true, ..
        })) => FoundSavepoint::Unavailable,
        Some(Err(GivenUp {
            error: Some(Error::NotFound { .. }),
            ..
        })) => FoundSavepoint::Absent,
        Some(Err(GivenUp { why, .. })) => FoundSavepoint::Damaged(why),
    };
    files
        .tell(LeaderEvent::SavepointFound { savepoint, found })
        .await;
}

/// A mark alone is no savepoint: the manifest must be there, too. What would start from it without
/// looking would fail again and again.
async fn look(blobs: &Blobs, savepoint: SavepointId) -> Result<FoundSavepoint, Error> {
    let point = blobs.savepoint(savepoint).await?.restore_point();
    match blobs.manifest(&point).await {
        Ok(_) => Ok(FoundSavepoint::Found(Box::new(point))),
        Err(gone @ Error::NotFound { .. }) => Ok(FoundSavepoint::Damaged(causes(&gone))),
        Err(error) => Err(error),
    }
}

/// Says beside the files of this savepoint that it was committed, unless that is withdrawn.
pub(super) async fn mark(files: Files, places: Arc<Semaphore>, mark: Mark) {
    let Mark {
        job,
        incarnation,
        name,
        savepoint,
        withdrawn,
    } = &mark;
    let marked = try_until(MARKING, &files.guard, || {
        let work = async {
            let _place = place(&places).await;
            if *withdrawn.borrow() {
                return Ok(());
            }
            let marked = files
                .blobs
                .mark_savepoint(*job, *incarnation, name, savepoint);
            marked.await.map(drop)
        };
        work.boxed()
    });
    if let Some(Err(GivenUp { why, .. })) = marked.await {
        let savepoint = savepoint.id;
        tracing::warn!(
            %job, %savepoint, why,
            "cannot write beside the files of a savepoint what it is; the record of the job says \
             it, and it is written again before that is removed"
        );
    }
}

/// Removes the files of this savepoint when its marks have ended, and tells the machine.
pub(super) async fn remove(
    files: Files,
    places: Arc<Semaphore>,
    savepoint: SavepointId,
    marks: Option<watch::Sender<bool>>,
) {
    if let Some(marks) = &marks {
        marks.send_replace(true);
    }
    let remove = || {
        let work = async {
            if let Some(marks) = &marks {
                marks.closed().await;
            }
            let _place = place(&places).await;
            files.blobs.remove_savepoint(savepoint).await
        };
        work.boxed()
    };
    let (mut count, mut bytes) = (0, 0);
    let last = loop {
        match try_until(PATIENCE, &files.guard, remove).await {
            None => return,
            Some(Ok(removed)) => {
                count += removed.files;
                bytes += removed.bytes;
                if !removed.more {
                    break Ok(removed);
                }
            }
            Some(Err(given_up)) => break Err(given_up),
        }
    };
    let why_not = match last {
        Ok(removed) => {
            let (files, left) = (count, removed.left);
            tracing::info!(%savepoint, files, bytes, "the files of a savepoint are removed");
            if left > 0 {
                tracing::warn!(
                    %savepoint, left,
                    "there are files in the directory of a removed savepoint that this program \
                     does not write; they are left"
                );
            }
            None
        }
        Err(given_up) => Some(given_up.why),
    };
    files
        .tell(LeaderEvent::SavepointRemoved { savepoint, why_not })
        .await;
}

async fn place(places: &Semaphore) -> SemaphorePermit<'_> {
    places.acquire().await.expect("it is never closed")
}
