//! Jobs that ended so long ago that the leader has moved them to the blobs (R11).

use std::time::Duration;

use bytes::Bytes;
use incumbent_backend::causes;
use incumbent_cluster_blobs::{Blobs, Error};
use incumbent_cluster_core::{Incarnation, JobId, JobRecord};

/// How long the blobs may take. Submitting goes on without them.
const PATIENCE: Duration = Duration::from_secs(2);

/// The archived job of this id: the one that was submitted last, if the id came back. `None` also
/// if the blobs cannot tell, which is logged.
pub(super) async fn find(blobs: &Blobs, job: JobId) -> Option<JobRecord> {
    let why = match tokio::time::timeout(PATIENCE, blobs.archived_job(job)).await {
        Ok(Ok(found)) => return newest(job, &found),
        Ok(Err(Error::NotFound { .. })) => return None,
        Ok(Err(error)) => causes(&error),
        Err(_) => format!("the blobs did not answer in {PATIENCE:?}"),
    };
    tracing::warn!(%job, why, "cannot look for an archived job; it counts as not there");
    None
}

fn newest(job: JobId, found: &[(Incarnation, Bytes)]) -> Option<JobRecord> {
    let records = found.iter().filter_map(|(incarnation, json)| {
        serde_json::from_slice::<JobRecord>(json)
            .inspect_err(|error| {
                tracing::warn!(%job, %incarnation, %error, "an archived job cannot be read");
            })
            .ok()
    });
    records.max_by_key(|record| record.submitted_ms)
}
