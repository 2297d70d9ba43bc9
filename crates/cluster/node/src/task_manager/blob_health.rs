//! [`BlobHealth`]: whether the blobs answer, asked once for all tasks.

use std::time::Duration;

use incumbent::backend::{Pace, jitter};
use incumbent_backend::causes;
use incumbent_backend::outage::{News, Outage, Recovery};
use incumbent_cluster_blobs::Blobs;
use tokio::sync::watch;

/// Pauses between two questions to blobs that do not answer.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// Whether the blobs answer. Restarts wait for them (R4).
#[derive(Debug)]
pub(super) struct BlobHealth {
    is_well: watch::Sender<bool>,
    outage: Outage,
}

impl BlobHealth {
    /// They answer, until somebody finds that they do not.
    pub(super) fn new() -> Self {
        Self {
            is_well: watch::Sender::new(true),
            outage: Outage::new(),
        }
    }

    /// Somebody asked them, and had no answer.
    pub(super) fn failed(&self, why: &str) {
        if let News::Began | News::OtherReason = self.outage.failed(why) {
            tracing::warn!(
                why,
                "the blobs do not answer; checkpoints and tasks that need an artifact wait for \
                 them, those that run go on"
            );
        }
        self.is_well.send_if_modified(std::mem::take);
    }

    /// Waits until they answer.
    pub(super) async fn well(&self) {
        // The sender is here, so waiting cannot fail.
        let _ = self.is_well.subscribe().wait_for(|is_well| *is_well).await;
    }

    /// What they are, as it changes.
    pub(super) fn subscribe(&self) -> watch::Receiver<bool> {
        self.is_well.subscribe()
    }

    /// Asks blobs that do not answer until they do. Never returns.
    pub(super) async fn follow(&self, blobs: &Blobs) {
        let mut is_well = self.is_well.subscribe();
        let mut pace = Pace::new(FIRST_PAUSE, LONGEST_PAUSE);
        while is_well.wait_for(|is_well| !is_well).await.is_ok() {
            tokio::time::sleep(pace.after_failure(jitter())).await;
            match blobs.check().await {
                Ok(()) => {
                    pace.reset();
                    if let Recovery::Over { .. } = self.outage.worked() {
                        tracing::info!("the blobs answer again");
                    }
                    self.is_well.send_replace(true);
                }
                Err(error) => self.failed(&causes(&error)),
            }
        }
    }
}
