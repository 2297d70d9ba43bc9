//! Removing the files of a job, by command only.

use incumbent_cluster_core::{Incarnation, JobId};

use crate::blobs::Blobs;
use crate::error::Error;
use crate::names;
use crate::page::MAX_PAGE;

/// What was removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Removed {
    /// How many files.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Files in the job's directory that this program does not write, and so did not remove.
    pub left: u64,
}

impl Blobs {
    /// Removes all files of one incarnation of one job: its log tails and its archived record.
    /// Other incarnations, other jobs and artifacts, which jobs may share, are not touched.
    ///
    /// Only after the job's record is gone, so that no record names a file that is gone. If it
    /// fails halfway, repeat it.
    ///
    /// # Errors
    ///
    /// - [`Error::NotOurs`]: the blobs belong to another cluster, or [`Blobs::belongs_to`] was not
    ///   called. Nothing was removed.
    /// - [`Error::Denied`], [`Error::Unavailable`]: as [`Blobs::check`]; some may be removed.
    pub async fn remove_job(&self, job: JobId, incarnation: Incarnation) -> Result<Removed, Error> {
        self.still_ours().await?;
        let doing = format!("removing the files of job {job}");
        let dir = names::job(job, incarnation);
        let mut removed = Removed::default();
        let mut after = None;
        loop {
            let found = self
                .store
                .list(&doing, dir.clone(), after, MAX_PAGE)
                .await?;
            let Some(last) = found.last() else { break };
            after = Some(last.name.clone());
            for entry in found {
                if !is_ours(&entry.name) {
                    removed.left += 1;
                    continue;
                }
                let was_there = self.store.delete(&doing, entry.path).await?;
                removed.count(was_there, entry.size);
            }
        }
        let archived = names::archived_incarnation(job, incarnation);
        if let Some(size) = self.store.size(&doing, archived.clone()).await? {
            let was_there = self.store.delete(&doing, archived).await?;
            removed.count(was_there, size);
        }
        Ok(removed)
    }
}

/// Whether a file in the directory of a job is of a kind that we write.
fn is_ours(name: &str) -> bool {
    let log = name
        .strip_prefix("logs/")
        .and_then(|rest| rest.split_once('/'));
    log.is_some_and(|(attempt, rest)| {
        names::number(attempt).is_some() && names::rank_and_stream(rest).is_some()
    })
}

impl Removed {
    fn count(&mut self, was_there: bool, bytes: u64) {
        if was_there {
            self.files += 1;
            self.bytes += bytes;
        }
    }
}
