//! The files of checkpoints: what tasks have stored.

use bytes::Bytes;
use futures::Stream;
use incumbent_cluster_core::checkpoint::{CheckpointId, PartKind, PartPlace, StoredFile};

use crate::blobs::Blobs;
use crate::digest::Digest;
use crate::error::{BoxError, Error};
use crate::names::checkpoints as names;
use crate::upload::{Received, Terms};

/// The largest file of a checkpoint, unless [`Blobs::with_largest_checkpoint_file`] says otherwise.
/// A rank with more state writes several files. It also bounds what one request can fill a disk
/// with.
pub const MAX_CHECKPOINT_FILE: u64 = 16 * 1024 * 1024 * 1024;

/// The largest file that S3 copies by itself. A larger one is read and written.
const LARGEST_COPY: u64 = 5 * 1024 * 1024 * 1024;

impl Blobs {
    /// Stores a file of a checkpoint, in a stream: at most two parts of it are in memory. It is
    /// durable when this returns, and what this returns goes into the manifest.
    ///
    /// Each call draws another object name. So the same file may be stored again, also at the same
    /// time, and neither a slow write nor one whose answer was lost changes what another one has
    /// stored. How long the sender may take for its bytes is the caller's decision.
    ///
    /// # Errors
    ///
    /// No file is visible after any of them.
    ///
    /// - [`Error::Name`]: `name` is no name of a file.
    /// - [`Error::Sender`]: the stream failed; its cause is in `source`.
    /// - [`Error::TooLarge`]: more than [`MAX_CHECKPOINT_FILE`]. The rest was not read.
    /// - [`Error::Denied`], [`Error::Full`], [`Error::Unavailable`]: as [`Blobs::check`]; store it
    ///   again.
    pub async fn put_checkpoint_file<E: Into<BoxError>>(
        &self,
        place: PartPlace,
        name: &str,
        content: impl Stream<Item = Result<Bytes, E>> + Send,
    ) -> Result<StoredFile, Error> {
        let object = names::draw_file(place, name)?;
        self.still_there().await?;
        let what = format!("file {name} of {}", part(place));
        let terms = Terms {
            doing: &format!("storing {what}"),
            what: &what,
            limit: self.largest_checkpoint_file,
            expected: None,
        };
        let drawn = names::below(&names::root_of_part(place), &object);
        let Received { digest, size } = self.upload(terms, drawn, content).await?;
        Ok(StoredFile {
            name: name.to_owned(),
            object,
            size,
            sha256: digest.to_string(),
        })
    }

    /// Copies a stored file to another place, where the store can without moving its bytes through
    /// this process: a savepoint has files of its own, also of ranks that had finished before it.
    ///
    /// `from` is a checkpoint that names the file. The copy has the name, the size and the digest
    /// of the file; its content is verified when it is read.
    ///
    /// # Errors
    ///
    /// - [`Error::NotFound`]: the file is gone.
    /// - [`Error::Damaged`]: it has another size by now, or `file` names none of its checkpoint.
    /// - [`Error::Name`]: as [`Blobs::put_checkpoint_file`].
    /// - [`Error::Denied`], [`Error::Full`], [`Error::Unavailable`]: as [`Blobs::check`]; copy it
    ///   again.
    pub async fn copy_checkpoint_file(
        &self,
        from: &CheckpointId,
        file: &StoredFile,
        to: PartPlace,
    ) -> Result<StoredFile, Error> {
        let what = describe(from, file);
        let doing = format!("copying {what}");
        let source = path(from, file)?;
        let object = names::draw_file(to, &file.name)?;
        self.still_there().await?;
        let drawn = names::below(&names::root_of_part(to), &object);
        let Some(size) = self.store.size(&doing, source.clone()).await? else {
            return Err(self.not_found(&what).await);
        };
        if size != file.size {
            return Err(altered(what, file, &format!("{size} bytes")));
        }
        if size > LARGEST_COPY && self.store.is_remote() {
            let content = self.read_checkpoint_file(from, file);
            let terms = Terms {
                doing: &doing,
                what: &what,
                limit: size,
                expected: file.sha256.parse::<Digest>().ok(),
            };
            self.upload(terms, drawn, content).await?;
        } else {
            match self.store.copy(&doing, source, drawn.clone()).await {
                Ok(true) => {}
                Ok(false) => return Err(self.not_found(&what).await),
                Err(error) => self.settle(error, drawn, size).await?,
            }
        }
        Ok(StoredFile {
            object,
            ..file.clone()
        })
    }
}

/// Where a file is, if it is in the root of its checkpoint.
pub(crate) fn path(
    of: &CheckpointId,
    file: &StoredFile,
) -> Result<object_store::path::Path, Error> {
    names::file(of, &file.object, &file.name).ok_or_else(|| Error::Damaged {
        what: format!("the manifest of {}", crate::manifest::describe(of)),
        expected: format!(
            "a file {} below its checkpoint",
            crate::names::cut_short(&file.name)
        ),
        found: format!("{:?}", crate::names::cut_short(&file.object)),
    })
}

/// The error of a file that is not what the manifest says.
pub(crate) fn altered(what: String, file: &StoredFile, found: &str) -> Error {
    Error::Damaged {
        what,
        expected: format!("{} bytes with SHA-256 {}", file.size, file.sha256),
        found: found.to_owned(),
    }
}

/// For messages.
pub(crate) fn describe(of: &CheckpointId, file: &StoredFile) -> String {
    format!("file {} of {}", file.name, crate::manifest::describe(of))
}

fn part(place: PartPlace) -> String {
    let PartPlace {
        checkpoint,
        rank,
        kind,
    } = place;
    let rank = rank.0;
    match kind {
        PartKind::Numbered => format!("rank {rank} of {}", crate::manifest::describe(&checkpoint)),
        PartKind::Last => format!(
            "rank {rank}, for the end of attempt {} of job {}",
            checkpoint.attempt, checkpoint.job
        ),
    }
}
