//! Writing manifests.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use incumbent_cluster_core::checkpoint::Manifest;
use incumbent_cluster_core::leader::LeaderEvent;
use metrics::histogram;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::Files;
use super::trying::try_until;

/// How long a manifest is tried, with waiting for its turn: half the usual timeout of a checkpoint,
/// so that the leader learns why before it gives up.
const PATIENCE: Duration = Duration::from_secs(30);

/// Writes this manifest, and tells the machine. An answer that was lost costs a file that the
/// janitor takes: each try has a name of its own.
pub(super) async fn store(files: Files, places: Arc<Semaphore>, manifest: Box<Manifest>) {
    let checkpoint = Box::new(manifest.id);
    let began = Instant::now();
    let stored = try_until(PATIENCE, &files.guard, || {
        let work = async {
            let _place = places.acquire().await.expect("it is never closed");
            files.blobs.put_manifest(&manifest, files.epoch()).await
        };
        work.boxed()
    });
    let event = match stored.await {
        None => return,
        Some(Ok(pointer)) => {
            histogram!("incumbent_cluster_manifest_seconds").record(began.elapsed());
            LeaderEvent::ManifestStored {
                checkpoint,
                manifest: Box::new(pointer),
            }
        }
        Some(Err(given_up)) => {
            let (job, number) = (checkpoint.job, checkpoint.number);
            let why = given_up.why;
            tracing::debug!(%job, number, why, "the manifest of a checkpoint was not written");
            LeaderEvent::ManifestNotStored {
                checkpoint,
                why,
                is_outage: given_up.is_outage,
            }
        }
    };
    files.tell(event).await;
}
