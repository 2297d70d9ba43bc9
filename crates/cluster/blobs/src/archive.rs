//! Jobs that ended long ago (R11).

use bytes::Bytes;
use incumbent_cluster_core::{Incarnation, JobId};

use crate::blobs::Blobs;
use crate::error::Error;
use crate::names;
use crate::page::{MAX_PAGE, Page};
use crate::store::Written;

/// The largest archived job: the largest record of one, and room for what an archive adds.
pub const MAX_ARCHIVED_JOB: usize = 512 * 1024;

/// How many incarnations of one id are read. More than one means that an id was erased and came
/// back, which nobody does often.
const MAX_INCARNATIONS: usize = 16;

/// A job in the archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ArchivedJob {
    /// Its id.
    pub job: JobId,
    /// Which job of that id.
    pub incarnation: Incarnation,
    /// The length of its JSON in bytes.
    pub size: u64,
}

impl Blobs {
    /// Keeps a job that has ended. Its record may be erased afterwards, and not before. A repeated
    /// call changes nothing.
    ///
    /// # Errors
    ///
    /// - [`Error::TooLarge`]: longer than [`MAX_ARCHIVED_JOB`], which no record is.
    /// - [`Error::Denied`], [`Error::Full`], [`Error::Unavailable`]: as [`Blobs::check`]; the
    ///   record must stay.
    pub async fn put_archived_job(
        &self,
        job: JobId,
        incarnation: Incarnation,
        json: Bytes,
    ) -> Result<Written, Error> {
        let what = format!("the archived job {job}");
        if json.len() > MAX_ARCHIVED_JOB {
            return Err(Error::TooLarge {
                what,
                limit: MAX_ARCHIVED_JOB as u64,
            });
        }
        self.still_there().await?;
        let path = names::archived_incarnation(job, incarnation);
        self.store
            .create(&format!("storing {what}"), path, json)
            .await
    }

    /// An archived job: each incarnation of this id and its JSON. There is one, unless an erased id
    /// was submitted again.
    ///
    /// # Errors
    ///
    /// - [`Error::NotFound`]: there is none.
    /// - [`Error::Denied`], [`Error::Unavailable`]: as [`Blobs::check`].
    pub async fn archived_job(&self, job: JobId) -> Result<Vec<(Incarnation, Bytes)>, Error> {
        let what = format!("the archived job {job}");
        let doing = format!("reading {what}");
        let dir = names::archived(job);
        let mut found = Vec::new();
        for entry in self.store.list(&doing, dir, None, MAX_INCARNATIONS).await? {
            let Ok(incarnation) = entry.name.parse() else {
                continue;
            };
            let path = names::archived_incarnation(job, incarnation);
            let json = self
                .store
                .read(&doing, &what, path, MAX_ARCHIVED_JOB)
                .await?;
            found.extend(json.map(|json| (incarnation, json)));
        }
        if found.is_empty() {
            return Err(self.not_found(&what).await);
        }
        Ok(found)
    }

    /// The archived jobs after one of them, by id and incarnation, at most `most` and [`MAX_PAGE`]
    /// of them. Looks at the whole archive each time.
    ///
    /// # Errors
    ///
    /// [`Error::Denied`], [`Error::Unavailable`]: as [`Blobs::check`].
    pub async fn archived_jobs(
        &self,
        after: Option<(JobId, Incarnation)>,
        most: usize,
    ) -> Result<Page<ArchivedJob>, Error> {
        let most = most.min(MAX_PAGE);
        let after = after.map(|(job, incarnation)| format!("{job}/{incarnation}"));
        let dir = names::archive();
        let found = self
            .store
            .list("listing archived jobs", dir, after, most + 1)
            .await?;
        self.still_there().await?;
        Ok(Page::of(found, most, |entry| {
            let (job, incarnation) = entry.name.split_once('/')?;
            Some(ArchivedJob {
                job: job.parse().ok()?,
                incarnation: incarnation.parse().ok()?,
                size: entry.size,
            })
        }))
    }
}
