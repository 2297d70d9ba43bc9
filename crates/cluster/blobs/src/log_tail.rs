//! The last lines of tasks that have ended, for when their TaskManager is gone.

use bytes::Bytes;
use incumbent_cluster_core::{Attempt, Incarnation, JobId, Rank, TaskId};

use crate::blobs::Blobs;
use crate::error::Error;
use crate::names;
use crate::page::{MAX_PAGE, Page};
use crate::store::Written;

/// The longest tail of one stream of one task. It shows what happened last; a job of a thousand
/// tasks that fails twenty times must not fill a disk.
pub const MAX_LOG_TAIL: usize = 1024 * 1024;

/// A tail in a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogTail {
    /// Whose it is.
    pub rank: Rank,
    /// Which of the task's streams, as in `stdout`.
    pub stream: String,
    /// Its length in bytes.
    pub size: u64,
}

impl Blobs {
    /// Keeps the tail of one stream of a task that has ended. A stream has one tail: what a
    /// repeated call brings is ignored.
    ///
    /// # Errors
    ///
    /// - [`Error::TooLarge`]: longer than [`MAX_LOG_TAIL`]; keep the end.
    /// - [`Error::Name`]: `stream` is no name; 1 to 64 letters, digits, `_` or `-` are.
    /// - [`Error::Denied`], [`Error::Full`], [`Error::Unavailable`]: as [`Blobs::check`].
    pub async fn put_log_tail(
        &self,
        task: TaskId,
        stream: &str,
        tail: Bytes,
    ) -> Result<Written, Error> {
        let path = names::log(task, stream)?;
        if tail.len() > MAX_LOG_TAIL {
            let what = describe(task, stream);
            return Err(Error::TooLarge {
                what,
                limit: MAX_LOG_TAIL as u64,
            });
        }
        self.still_there().await?;
        let doing = format!("storing {}", describe(task, stream));
        self.store.create(&doing, path, tail).await
    }

    /// The tail of one stream of a task.
    ///
    /// # Errors
    ///
    /// - [`Error::NotFound`]: the task has not ended, printed nothing, or nobody could store it.
    /// - [`Error::Name`]: as [`Blobs::put_log_tail`].
    /// - [`Error::Denied`], [`Error::Unavailable`]: as [`Blobs::check`].
    pub async fn log_tail(&self, task: TaskId, stream: &str) -> Result<Bytes, Error> {
        let path = names::log(task, stream)?;
        let what = describe(task, stream);
        let doing = format!("reading {what}");
        match self.store.read(&doing, &what, path, MAX_LOG_TAIL).await? {
            Some(tail) => Ok(tail),
            None => Err(self.not_found(&what).await),
        }
    }

    /// The tails of one attempt by rank and stream, at most [`MAX_PAGE`] of them.
    ///
    /// # Errors
    ///
    /// [`Error::Denied`], [`Error::Unavailable`]: as [`Blobs::check`].
    pub async fn log_tails(
        &self,
        job: JobId,
        incarnation: Incarnation,
        attempt: Attempt,
    ) -> Result<Page<LogTail>, Error> {
        let dir = names::attempt_logs(job, incarnation, attempt);
        let found = self
            .store
            .list("listing log tails", dir, None, MAX_PAGE + 1)
            .await?;
        self.still_there().await?;
        let mut page = Page::of(found, MAX_PAGE, |entry| {
            let (rank, stream) = names::rank_and_stream(&entry.name)?;
            Some(LogTail {
                rank,
                stream: stream.to_owned(),
                size: entry.size,
            })
        });
        page.entries
            .sort_by(|a, b| (a.rank, &a.stream).cmp(&(b.rank, &b.stream)));
        Ok(page)
    }

    /// The attempts of a job of which there are tails, in order.
    ///
    /// # Errors
    ///
    /// [`Error::Denied`], [`Error::Unavailable`]: as [`Blobs::check`].
    pub async fn attempts_with_log_tails(
        &self,
        job: JobId,
        incarnation: Incarnation,
    ) -> Result<Vec<Attempt>, Error> {
        let dir = names::logs(job, incarnation);
        let found = self.store.level("listing attempts", dir).await?.dirs;
        self.still_there().await?;
        let numbers = found.iter().filter_map(|name| names::number(name));
        let mut attempts: Vec<Attempt> = numbers.map(Attempt).collect();
        attempts.sort_unstable();
        Ok(attempts)
    }
}

fn describe(task: TaskId, stream: &str) -> String {
    format!("the {stream} of {task}")
}
