//! Artifacts: files that jobs run, named by their digest.

use std::mem;
use std::pin::pin;

use bytes::Bytes;
use futures::{Stream, StreamExt};
use tokio::task::spawn_blocking;

use crate::blobs::Blobs;
use crate::digest::{Digest, Hasher};
use crate::error::{BoxError, Error};
use crate::names;
use crate::page::{MAX_PAGE, Page};
use crate::store::{PART, Parts};

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
        let parts = self.store.begin(doing, staged.clone()).await?;
        let received = self.receive(doing, parts, content, expected).await?;
        let named = names::artifact(received.digest);
        if let Err(error) = self.store.rename(doing, staged.clone(), named).await {
            // The first failure is the one to report.
            let _ = self.store.delete("removing an upload", staged).await;
            return Err(error);
        }
        Ok(received)
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

    /// Writes the parts of an upload, and completes it if it is what it should be.
    async fn receive<E: Into<BoxError>>(
        &self,
        doing: &str,
        mut parts: Parts<'_>,
        content: impl Stream<Item = Result<Bytes, E>> + Send,
        expected: Option<Digest>,
    ) -> Result<Artifact, Error> {
        match self.write_all(doing, &mut parts, content).await {
            Ok(artifact) if expected.is_none_or(|expected| expected == artifact.digest) => {
                parts.complete(doing).await?;
                Ok(artifact)
            }
            failed => {
                // The first failure is the one to report.
                let _ = parts.abort("removing an upload").await;
                let found = failed?.digest;
                let expected = expected.map(String::from).unwrap_or_default();
                let what = "the artifact that was uploaded".to_owned();
                Err(Error::Damaged {
                    what,
                    expected,
                    found: found.to_string(),
                })
            }
        }
    }

    async fn write_all<E: Into<BoxError>>(
        &self,
        doing: &str,
        parts: &mut Parts<'_>,
        content: impl Stream<Item = Result<Bytes, E>> + Send,
    ) -> Result<Artifact, Error> {
        let mut content = pin!(content);
        let mut hasher = Hasher::default();
        let mut size = 0;
        let mut part = Vec::new();
        let mut filled = 0;
        while let Some(bytes) = content.next().await {
            let bytes = bytes.map_err(|error| Error::Sender {
                received: size,
                source: error.into(),
            })?;
            size += bytes.len() as u64;
            if size > self.largest_artifact {
                let what = "the artifact".to_owned();
                return Err(Error::TooLarge {
                    what,
                    limit: self.largest_artifact,
                });
            }
            filled += bytes.len();
            part.push(bytes);
            if filled >= PART {
                hasher = hash(hasher, part.clone()).await;
                parts.write(doing, mem::take(&mut part)).await?;
                filled = 0;
            }
        }
        hasher = hash(hasher, part.clone()).await;
        parts.write(doing, part).await?;
        Ok(Artifact {
            digest: hasher.finish(),
            size,
        })
    }
}

/// Off the threads that serve: a part takes a millisecond or more.
async fn hash(mut hasher: Hasher, part: Vec<Bytes>) -> Hasher {
    let hashing = spawn_blocking(move || {
        part.iter().for_each(|bytes| hasher.update(bytes));
        hasher
    });
    hashing
        .await
        .expect("hashing does not panic, and is not cut off while somebody waits")
}
