//! Storing a file of any length that somebody sends, with bounded memory.

use std::mem;
use std::pin::pin;

use bytes::{Bytes, BytesMut};
use futures::{Stream, StreamExt};
use object_store::path::Path;
use tokio::task::spawn_blocking;

use crate::blobs::Blobs;
use crate::digest::{Digest, Hasher};
use crate::error::{BoxError, Error};
use crate::parts::Parts;

/// What is stored, and what it may be.
#[derive(Debug)]
pub(crate) struct Terms<'a> {
    /// As in "storing an artifact".
    pub(crate) doing: &'a str,
    /// What it is, as in "the artifact".
    pub(crate) what: &'a str,
    /// Most bytes.
    pub(crate) limit: u64,
    /// The digest that it has to have, if that is known.
    pub(crate) expected: Option<Digest>,
}

/// What was stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Received {
    pub(crate) digest: Digest,
    pub(crate) size: u64,
}

impl Blobs {
    /// Stores a file under a name that was drawn, so that nothing else has it. Its digest is
    /// computed on the way. It is whole and durable when this returns, and nothing is kept if it
    /// fails. At most two parts of it are in memory.
    pub(crate) async fn upload<E: Into<BoxError>>(
        &self,
        terms: Terms<'_>,
        drawn: Path,
        content: impl Stream<Item = Result<Bytes, E>> + Send,
    ) -> Result<Received, Error> {
        let mut receiving = Receiving {
            blobs: self,
            terms,
            path: drawn,
            parts: None,
            hasher: Hasher::default(),
            size: 0,
        };
        let last = match receiving.all_but_the_last(content).await {
            Ok(last) => last,
            Err(error) => {
                receiving.abort().await;
                return Err(error);
            }
        };
        receiving.finish(last).await
    }
}

/// An upload that is under way.
struct Receiving<'a> {
    blobs: &'a Blobs,
    terms: Terms<'a>,
    path: Path,
    /// Begun with the second part: most files have only one, and are written at once.
    parts: Option<Parts<'a>>,
    hasher: Hasher,
    size: u64,
}

impl Receiving<'_> {
    /// Writes all whole parts that others follow, and returns the last one.
    async fn all_but_the_last<E: Into<BoxError>>(
        &mut self,
        content: impl Stream<Item = Result<Bytes, E>> + Send,
    ) -> Result<Bytes, Error> {
        let mut content = pin!(content);
        let whole = self.blobs.store.part_size();
        // Copied: pieces as they come may be of one byte each, and hold on to far more.
        let mut part = BytesMut::new();
        while let Some(bytes) = content.next().await {
            let mut bytes = bytes.map_err(|error| Error::Sender {
                received: self.size,
                source: error.into(),
            })?;
            self.size += bytes.len() as u64;
            if self.size > self.terms.limit {
                return Err(Error::TooLarge {
                    what: self.terms.what.to_owned(),
                    limit: self.terms.limit,
                });
            }
            // Parts of one length: some stores want that.
            while part.len() + bytes.len() > whole {
                part.extend_from_slice(&bytes.split_to(whole - part.len()));
                self.write(mem::take(&mut part).freeze()).await?;
            }
            part.extend_from_slice(&bytes);
        }
        Ok(part.freeze())
    }

    /// Hashes and writes a part at the same time.
    async fn write(&mut self, part: Bytes) -> Result<(), Error> {
        let doing = self.terms.doing;
        let mut parts = match self.parts.take() {
            Some(parts) => parts,
            None => {
                // The first part may have taken its time, and beginning makes directories.
                self.blobs.still_there().await?;
                self.blobs.store.begin(doing, self.path.clone()).await?
            }
        };
        let hashing = hash(mem::take(&mut self.hasher), part.clone());
        let (hasher, written) = tokio::join!(hashing, parts.write(doing, part));
        self.hasher = hasher;
        // Kept also after a failure, to be aborted.
        self.parts = Some(parts);
        written
    }

    async fn finish(mut self, last: Bytes) -> Result<Received, Error> {
        let doing = self.terms.doing;
        self.hasher = hash(mem::take(&mut self.hasher), last.clone()).await;
        let digest = mem::take(&mut self.hasher).finish();
        let expected = self.terms.expected.unwrap_or(digest);
        if expected != digest {
            self.abort().await;
            return Err(Error::Damaged {
                what: format!("{} that was uploaded", self.terms.what),
                expected: expected.to_string(),
                found: digest.to_string(),
            });
        }
        let written = match self.parts.take() {
            None => {
                // Nobody else has drawn this name: if it is taken, this write was repeated.
                let created = self.blobs.store.create(doing, self.path.clone(), last);
                created.await.map(drop)
            }
            Some(mut parts) => match parts.write(doing, last).await {
                Ok(()) => parts.complete(doing).await,
                Err(error) => Err(error),
            },
        };
        if let Err(error) = written {
            self.blobs.settle(error, self.path, self.size).await?;
        }
        let size = self.size;
        Ok(Received { digest, size })
    }

    async fn abort(&mut self) {
        if let Some(parts) = self.parts.take() {
            // The first failure is the one to report.
            let _ = parts.abort("removing an upload").await;
        }
    }
}

/// Off the threads that serve: a part takes a millisecond or more.
pub(crate) async fn hash(mut hasher: Hasher, part: Bytes) -> Hasher {
    let hashing = spawn_blocking(move || {
        hasher.update(&part);
        hasher
    });
    hashing
        .await
        .expect("hashing does not panic, and is not cut off while somebody waits")
}
