//! Reading the files of a checkpoint.

use bytes::Bytes;
use futures::Stream;
use futures::stream::try_unfold;
use incumbent_cluster_core::checkpoint::{CheckpointId, StoredFile};

use crate::blobs::Blobs;
use crate::checkpoint::{altered, describe, path};
use crate::digest::Hasher;
use crate::error::Error;
use crate::upload::hash;

impl Blobs {
    /// The content of a file of a checkpoint, part by part. Its size is compared first, and its
    /// last part is withheld until the digest of all was found right: who has received everything
    /// has received what was stored. Of an empty file there is no part, only the end.
    ///
    /// `of` is a checkpoint whose manifest names the file.
    ///
    /// # Errors
    ///
    /// The last item may be one:
    ///
    /// - [`Error::NotFound`]: the file is gone.
    /// - [`Error::Damaged`]: it was altered, or `file` names none of its checkpoint.
    /// - [`Error::Denied`], [`Error::Unavailable`]: as [`Blobs::check`]; read it again from the
    ///   beginning.
    pub fn read_checkpoint_file(
        &self,
        of: &CheckpointId,
        file: &StoredFile,
    ) -> impl Stream<Item = Result<Bytes, Error>> + Send + use<> {
        let reading = Reading {
            blobs: self.clone(),
            of: *of,
            file: file.clone(),
            hasher: Hasher::default(),
            from: None,
        };
        try_unfold(reading, Reading::next)
    }
}

impl Blobs {
    /// A range of a file of a checkpoint, as it is stored. Unlike with
    /// [`Blobs::read_checkpoint_file`], **its digest is not compared**: that is of the whole. The
    /// caller knows a checksum of the range, or does without.
    ///
    /// `of` is a checkpoint whose manifest names the file, and the range is one of its bytes.
    ///
    /// # Errors
    ///
    /// - [`Error::NotFound`]: the file is gone.
    /// - [`Error::Damaged`]: it is shorter than it was, or `file` names none of its checkpoint.
    /// - [`Error::Denied`], [`Error::Unavailable`]: as [`Blobs::check`]; read it again.
    pub async fn read_checkpoint_range(
        &self,
        of: &CheckpointId,
        file: &StoredFile,
        range: std::ops::Range<u64>,
    ) -> Result<Bytes, Error> {
        let reading = Reading {
            blobs: self.clone(),
            of: *of,
            file: file.clone(),
            hasher: Hasher::default(),
            from: None,
        };
        reading.part(range.start, range.end).await
    }
}

/// A file that is being read.
struct Reading {
    blobs: Blobs,
    of: CheckpointId,
    file: StoredFile,
    hasher: Hasher,
    /// How far it was read; `None` before its size was compared.
    from: Option<u64>,
}

impl Reading {
    async fn next(mut self) -> Result<Option<(Bytes, Self)>, Error> {
        let from = match self.from {
            Some(from) if from == self.file.size => return Ok(None),
            Some(from) => from,
            None => self.begin().await?,
        };
        let to = self
            .file
            .size
            .min(from + self.blobs.store.part_size() as u64);
        let part = self.part(from, to).await?;
        let hasher = std::mem::take(&mut self.hasher);
        self.hasher = hash(hasher, part.clone()).await;
        if to == self.file.size {
            let found = std::mem::take(&mut self.hasher).finish().to_string();
            if found != self.file.sha256 {
                let found = format!("SHA-256 {found}");
                return Err(altered(self.what(), &self.file, &found));
            }
        }
        self.from = Some(to);
        // An empty file ends here.
        Ok((!part.is_empty()).then_some((part, self)))
    }

    /// Compares the size.
    async fn begin(&self) -> Result<u64, Error> {
        let path = path(&self.of, &self.file)?;
        match self.blobs.store.size(&self.doing(), path).await? {
            None => Err(self.blobs.not_found(&self.what()).await),
            Some(size) if size == self.file.size => Ok(0),
            Some(size) => Err(altered(self.what(), &self.file, &format!("{size} bytes"))),
        }
    }

    async fn part(&self, from: u64, to: u64) -> Result<Bytes, Error> {
        if from == to {
            return Ok(Bytes::new());
        }
        let path = path(&self.of, &self.file)?;
        let doing = self.doing();
        let read = self.blobs.store.read_part(&doing, path, from, to);
        match read.await? {
            None => Err(self.blobs.not_found(&self.what()).await),
            Some(part) if part.len() as u64 == to - from => Ok(part),
            Some(part) => Err(altered(
                self.what(),
                &self.file,
                &format!("{} bytes", from + part.len() as u64),
            )),
        }
    }

    fn what(&self) -> String {
        describe(&self.of, &self.file)
    }

    fn doing(&self) -> String {
        format!("reading {}", self.what())
    }
}
