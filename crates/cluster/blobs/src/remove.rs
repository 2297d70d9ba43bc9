//! Removing the files of a job or a savepoint, by command only.

use incumbent_cluster_core::{Incarnation, JobId};
use object_store::path::Path;

use crate::blobs::Blobs;
use crate::error::Error;
use crate::listing::Verdict;
use crate::names;
use crate::page::MAX_PAGE;

/// What was removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Removed {
    /// How many files.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Files in the directory that this program does not write, and so did not remove.
    pub left: u64,
    /// Whether there are more to remove: call it again, if you still lead.
    pub more: bool,
}

impl Blobs {
    /// Removes all files of one incarnation of one job: its log tails, its checkpoints and its
    /// archived record. Its savepoints, other incarnations, other jobs and artifacts, which jobs
    /// may share, are not touched.
    ///
    /// Only after the job's record is gone, so that no record names a file that is gone, and only
    /// if no other job starts from its checkpoints. If it fails halfway, repeat it. At most
    /// [`MAX_PAGE`] files and one are removed.
    ///
    /// # Errors
    ///
    /// - [`Error::NotOurs`]: the blobs belong to another cluster, or [`Blobs::belongs_to`] was not
    ///   called. Nothing was removed.
    /// - [`Error::Denied`], [`Error::Unavailable`]: as [`Blobs::check`]; some may be removed.
    pub async fn remove_job(&self, job: JobId, incarnation: Incarnation) -> Result<Removed, Error> {
        self.still_ours().await?;
        let doing = format!("removing the files of job {job}");
        let mut removed = Removed::default();
        let dir = names::job(job, incarnation);
        self.remove_below(&doing, dir, names::is_of_job, &mut removed)
            .await?;
        if removed.more {
            return Ok(removed);
        }
        let archived = names::archived_incarnation(job, incarnation);
        if let Some(size) = self.store.size(&doing, archived.clone()).await?
            && self.store.delete(&doing, archived).await?
        {
            removed.files += 1;
            removed.bytes += size;
        }
        Ok(removed)
    }

    /// Removes files below a directory that are ours, at most [`MAX_PAGE`] of them.
    pub(crate) async fn remove_below(
        &self,
        doing: &str,
        dir: Path,
        is_ours: fn(&str) -> bool,
        removed: &mut Removed,
    ) -> Result<(), Error> {
        let judge = move |name: &str| match is_ours(name) {
            true => Verdict::Take,
            false => Verdict::Unknown,
        };
        let found = self.store.sift(doing, dir, MAX_PAGE, judge).await?;
        let paths = found.taken.iter().map(|entry| entry.path.clone()).collect();
        self.store.delete_all(doing, paths).await?;
        removed.files += found.taken.len() as u64;
        removed.bytes += found.taken.iter().map(|entry| entry.size).sum::<u64>();
        removed.more = found.more;
        if !found.more {
            removed.left += found.strangers;
        }
        Ok(())
    }
}
