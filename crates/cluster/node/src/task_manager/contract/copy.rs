//! [`Copying`]: the last files of a rank that has finished, copied to those of a savepoint (R6).

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use incumbent::backend::{Pace, jitter};
use incumbent_backend::causes;
use incumbent_cluster_blobs::Error;
use incumbent_cluster_core::checkpoint::{CheckpointId, PartKind, PartPlace, RankPart};
use incumbent_cluster_core::message::Acked;
use incumbent_cluster_core::task_manager::Said;
use tokio::task::JoinHandle;

use super::TaskContract;

/// Pauses between attempts while the blobs do not answer.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// The copy that is under way. Only the newest counts.
#[derive(Debug, Default)]
pub(super) struct Copying {
    present: Mutex<Option<JoinHandle<()>>>,
}

impl Copying {
    pub(super) fn begin(
        &self,
        contract: Arc<TaskContract>,
        checkpoint: CheckpointId,
        part: RankPart,
    ) {
        let copying = async move {
            let mut standing = contract.standing.subscribe();
            let number = checkpoint.number;
            tokio::select! {
                () = contract.copy_and_say(checkpoint, part) => {}
                _ = standing.wait_for(|standing| standing.has_decided(number)) => {}
            }
        };
        let copying = tokio::spawn(tracing::Instrument::in_current_span(copying));
        self.replace(Some(copying));
    }

    pub(super) fn stop(&self) {
        self.replace(None);
    }

    fn replace(&self, next: Option<JoinHandle<()>>) {
        let present = self.present.lock();
        let mut present = present.unwrap_or_else(PoisonError::into_inner);
        if let Some(before) = std::mem::replace(&mut *present, next) {
            before.abort();
        }
    }
}

impl TaskContract {
    async fn copy_and_say(&self, checkpoint: CheckpointId, part: RankPart) {
        let number = checkpoint.number;
        let mut pace = Pace::new(FIRST_PAUSE, LONGEST_PAUSE);
        let part = loop {
            match self.copy(checkpoint, &part).await {
                Ok(part) => break part,
                Err(error) if error.is_outage() => {
                    self.contracts.blob_health.failed(&causes(&error));
                    tokio::time::sleep(pace.after_failure(jitter())).await;
                    self.contracts.blob_health.well().await;
                }
                Err(error) => {
                    tracing::warn!(
                        job = %self.task.job,
                        attempt = self.task.attempt.0,
                        rank = self.task.rank.0,
                        number,
                        error = causes(&error),
                        "the last files of a rank that has finished cannot be copied; the savepoint \
                         will be aborted"
                    );
                    return;
                }
            }
        };
        if let Err(problem) = self.say(Said::Acked(Acked { number, part })).await {
            tracing::debug!(number, why = problem.detail, "the copy came too late");
        }
    }

    async fn copy(&self, to: CheckpointId, part: &RankPart) -> Result<RankPart, Error> {
        let from = self.checkpoint(to.number);
        let place = PartPlace {
            checkpoint: to,
            rank: self.task.rank,
            kind: PartKind::Numbered,
        };
        let mut files = Vec::with_capacity(part.files.len());
        for file in &part.files {
            let _permits = self.transfer().await;
            let blobs = &self.contracts.blobs;
            files.push(blobs.copy_checkpoint_file(&from, file, place).await?);
        }
        Ok(RankPart {
            is_finished: true,
            files,
        })
    }
}
