//! Artifacts: files that jobs run, named by their digest.

use bytes::Bytes;
use futures::Stream;

use crate::blobs::Blobs;
use crate::digest::Digest;
use crate::error::{BoxError, Error};
use crate::names;
use crate::page::{MAX_PAGE, Page};
use crate::upload::{Received, Terms};

/// The largest artifact, unless [`Blobs::with_largest_artifact`] says otherwise. A program with a
/// large model in it has less; what has more belongs into an object store that the job reads.
pub const MAX_ARTIFACT: u64 = 1024 * 1024 * 1024;

/// A file in the blobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Artifact {
    /// What it is named by.
    pub digest: Digest,
    /// Its length in bytes.
    pub size: u64,
}

impl Blobs {
    /// Stores a file under its digest, which is computed on the way, and must be `expected` if the
    /// sender has said what it is.
    ///
    /// The file exists when all of it is on the disk. Storing it again is harmless, also at the
    /// same time, and mends a copy that was damaged. How long the sender may take for its bytes is
    /// the caller's decision.
    ///
    /// # Errors
    ///
    /// Nothing is kept after any of them.
    ///
    /// - [`Error::Sender`]: the stream failed; its cause is in `source`.
    /// - [`Error::TooLarge`]: the limit was passed. The rest was not read.
    /// - [`Error::Damaged`]: it arrived whole but is not what was expected.
    /// - [`Error::Denied`], [`Error::Full`], [`Error::Unavailable`]: as [`Blobs::check`].
    pub async fn put_artifact<E: Into<BoxError>>(
        &self,
        content: impl Stream<Item = Result<Bytes, E>> + Send,
        expected: Option<Digest>,
    ) -> Result<Artifact, Error> {
        self.still_there().await?;
        let doing = "storing an artifact";
        let staged = names::upload();
        let terms = Terms {
            doing,
            what: "the artifact",
            limit: self.largest_artifact,
            expected,
        };
        let Received { digest, size } = self.upload(terms, staged.clone(), content).await?;
        let named = names::artifact(digest);
        if let Err(error) = self.store.rename(doing, staged.clone(), named).await {
            // The first failure is the one to report.
            let _ = self.store.delete("removing an upload", staged).await;
            return Err(error);
        }
        Ok(Artifact { digest, size })
    }

    /// Whether an artifact is here.
    ///
    /// # Errors
    ///
    /// [`Error::Denied`], [`Error::Unavailable`]: it is not known.
    pub async fn has_artifact(&self, digest: Digest) -> Result<bool, Error> {
        Ok(self.artifact(digest).await?.is_some())
    }

    /// An artifact and its length; `None` if it is not here.
    ///
    /// # Errors
    ///
    /// [`Error::Denied`], [`Error::Unavailable`]: it is not known.
    pub async fn artifact(&self, digest: Digest) -> Result<Option<Artifact>, Error> {
        let doing = "looking for an artifact";
        match self.store.size(doing, names::artifact(digest)).await? {
            Some(size) => Ok(Some(Artifact { digest, size })),
            None => self.still_there().await.map(|()| None),
        }
    }

    /// The artifacts whose digest is greater than `after`, in order, at most `most` and
    /// [`MAX_PAGE`] of them.
    ///
    /// # Errors
    ///
    /// [`Error::Denied`], [`Error::Unavailable`]: as [`Blobs::check`].
    pub async fn artifacts(
        &self,
        after: Option<Digest>,
        most: usize,
    ) -> Result<Page<Artifact>, Error> {
        let most = most.min(MAX_PAGE);
        let after = after.map(String::from);
        let doing = "listing artifacts";
        let found = self
            .store
            .list(doing, names::artifacts(), after, most + 1)
            .await?;
        self.still_there().await?;
        Ok(Page::of(found, most, |entry| {
            let digest = entry.name.parse().ok()?;
            Some(Artifact {
                digest,
                size: entry.size,
            })
        }))
    }
}
