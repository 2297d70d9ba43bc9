//! [`Archive`]: jobs that ended long ago, as files (R11).

use incumbent_backend::causes;
use incumbent_cluster_blobs::Blobs;
use incumbent_cluster_core::JobRecord;

/// Where old jobs go.
#[derive(Clone)]
pub(super) struct Archive {
    blobs: Blobs,
}

impl Archive {
    pub(super) fn new(blobs: Blobs) -> Self {
        Self { blobs }
    }

    /// Says beside the files of the savepoints of a job what they are. Its record may go
    /// afterwards.
    ///
    /// # Errors
    ///
    /// Why not, for people: the record must stay.
    pub(super) async fn mark_savepoints(&self, body: &JobRecord) -> Result<(), String> {
        for savepoint in &body.savepoints {
            let (name, blobs) = (&body.spec.name, &self.blobs);
            let marked = blobs.mark_savepoint(body.id, body.incarnation, name, savepoint);
            marked.await.map_err(|error| causes(&error))?;
        }
        Ok(())
    }

    /// Keeps a job that has ended. Its record may go afterwards.
    ///
    /// # Errors
    ///
    /// Why not, for people: the record must stay.
    pub(super) async fn keep(&self, body: &JobRecord) -> Result<(), String> {
        let json = serde_json::to_vec(body).map_err(|error| error.to_string())?;
        let kept = self
            .blobs
            .put_archived_job(body.id, body.incarnation, json.into());
        kept.await.map(drop).map_err(|error| causes(&error))
    }
}
