//! Sweeping up what unfinished work has left in the blobs.

use std::time::Duration;

use incumbent::Guard;
use incumbent_backend::causes;
use incumbent_cluster_blobs::Blobs;
use metrics::counter;
use tokio::time::sleep;

/// From the begin of a term to its first sweep: leaders that follow each other quickly sweep
/// nothing.
const FIRST: Duration = Duration::from_secs(300);

/// Between two sweeps. Leftovers are a day old before they go, so nothing is gained by more.
const PERIOD: Duration = Duration::from_secs(6 * 3600);

/// Between two batches.
const PAUSE: Duration = Duration::from_secs(1);

/// Sweeps now and then, while the term lasts. Never ends by itself.
pub(super) async fn sweep_now_and_then(blobs: Blobs, guard: Guard) {
    sleep(FIRST).await;
    loop {
        while guard.is_valid() {
            match blobs.sweep().await {
                Ok(swept) => {
                    let (files, bytes) = (swept.deleted, swept.bytes);
                    if files > 0 {
                        counter!("incumbent_cluster_janitor_deleted_total").increment(files);
                        counter!("incumbent_cluster_janitor_deleted_bytes_total").increment(bytes);
                        tracing::info!(files, bytes, "leftovers of unfinished uploads are deleted");
                    }
                    // If nothing more can be deleted now, a day may help.
                    if !swept.more || files == 0 {
                        break;
                    }
                }
                Err(error) => {
                    let why = causes(&error);
                    tracing::debug!(why, "cannot sweep up leftovers; trying again later");
                    break;
                }
            }
            sleep(PAUSE).await;
        }
        sleep(PERIOD).await;
    }
}
