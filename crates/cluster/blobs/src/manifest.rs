//! Manifests: the file of a checkpoint that names all others.

use std::collections::BTreeSet;

use incumbent_cluster_core::checkpoint::{
    CheckpointId, LARGEST_MANIFEST, MANIFEST_FORMAT, Manifest, ManifestPointer, RestorePoint,
    is_file_name,
};
use incumbent_core::Epoch;
use object_store::PutPayload;
use serde::Deserialize;

use crate::blobs::Blobs;
use crate::checkpoint;
use crate::digest::Digest;
use crate::error::Error;
use crate::names::checkpoints as names;

/// What every version can read of a manifest or a savepoint of another one.
#[derive(Deserialize)]
pub(crate) struct Format {
    pub(crate) format: u32,
}

impl Blobs {
    /// Writes a manifest. It counts when a record points to it, and is litter until then. Each call
    /// draws another name; the epoch of the writer is in it, for people.
    ///
    /// # Errors
    ///
    /// - [`Error::TooLarge`]: more than [`LARGEST_MANIFEST`] bytes.
    /// - [`Error::Damaged`]: it would be refused by [`Blobs::manifest`].
    /// - [`Error::Denied`], [`Error::Full`], [`Error::Unavailable`]: as [`Blobs::check`]; write it
    ///   again.
    pub async fn put_manifest(
        &self,
        manifest: &Manifest,
        epoch: Epoch,
    ) -> Result<ManifestPointer, Error> {
        let what = format!("the manifest of {}", describe(&manifest.id));
        examine(&what, manifest)?;
        let too_large = |what| Error::TooLarge {
            what,
            limit: LARGEST_MANIFEST as u64,
        };
        // One that is far too large is not even made.
        if least_size(manifest) > LARGEST_MANIFEST {
            return Err(too_large(what));
        }
        let json = serde_json::to_vec(manifest).expect("numbers and texts are JSON");
        if json.len() > LARGEST_MANIFEST {
            return Err(too_large(what));
        }
        self.still_there().await?;
        let object = names::draw_manifest(epoch);
        let path = names::manifest(&manifest.id, &object).expect("a name that was drawn is one");
        let sha256 = Digest::of(&json).to_string();
        let size = json.len() as u64;
        let doing = format!("storing {what}");
        let json = PutPayload::from(json);
        if let Err(error) = self.store.create(&doing, path.clone(), json).await {
            self.settle(error, path, size).await?;
        }
        Ok(ManifestPointer { object, sha256 })
    }

    /// Reads the manifest of a checkpoint: the one that the pointer means, of this checkpoint, and
    /// with all of its files below its root.
    ///
    /// # Errors
    ///
    /// - [`Error::NotFound`]: it is gone.
    /// - [`Error::Damaged`]: it was altered, or names what it must not name.
    /// - [`Error::OtherVersion`]: it has another format.
    /// - [`Error::Denied`], [`Error::Unavailable`]: as [`Blobs::check`].
    pub async fn manifest(&self, point: &RestorePoint) -> Result<Manifest, Error> {
        let what = format!("the manifest of {}", describe(&point.from));
        let RestorePoint { from, manifest, .. } = point;
        let damaged = |expected: String, found: String| Error::Damaged {
            what: what.clone(),
            expected,
            found,
        };
        let Some(path) = names::manifest(from, &manifest.object) else {
            let found = format!("{:?}", crate::names::cut_short(&manifest.object));
            return Err(damaged("the name of a manifest".to_owned(), found));
        };
        let doing = format!("reading {what}");
        let read = self.store.read(&doing, &what, path, LARGEST_MANIFEST);
        let Some(json) = read.await? else {
            return Err(self.not_found(&what).await);
        };
        let found = Digest::of(&json).to_string();
        if found != manifest.sha256 {
            return Err(damaged(format!("SHA-256 {}", manifest.sha256), found));
        }
        let unreadable = |error: serde_json::Error| {
            damaged(
                format!("a manifest of format {MANIFEST_FORMAT}"),
                error.to_string(),
            )
        };
        let Format { format } = serde_json::from_slice(&json).map_err(unreadable)?;
        if format != MANIFEST_FORMAT {
            return Err(Error::OtherVersion {
                what,
                found: format,
                known: MANIFEST_FORMAT,
            });
        }
        let manifest: Manifest = serde_json::from_slice(&json).map_err(unreadable)?;
        if manifest.id != *from {
            return Err(damaged(describe(from), describe(&manifest.id)));
        }
        if manifest.ranks.len() as u64 != u64::from(point.tasks) {
            let found = format!("those of {}", manifest.ranks.len());
            return Err(damaged(
                format!("the files of {} ranks", point.tasks),
                found,
            ));
        }
        examine(&what, &manifest)?;
        Ok(manifest)
    }
}

/// What it has as JSON at least: its texts.
fn least_size(manifest: &Manifest) -> usize {
    let files = manifest.ranks.iter().flat_map(|part| &part.files);
    files
        .map(|file| file.name.len() + file.object.len() + file.sha256.len())
        .sum()
}

/// Refuses a manifest whose names lead elsewhere, or are not what names are.
fn examine(what: &str, manifest: &Manifest) -> Result<(), Error> {
    for part in &manifest.ranks {
        let mut names = BTreeSet::new();
        for file in &part.files {
            let wrong = if !is_file_name(&file.name) {
                "the names of files"
            } else if !names.insert(&file.name) {
                "each name once"
            } else if file.sha256.parse::<Digest>().is_err() {
                "the digest of each file"
            } else {
                checkpoint::path(&manifest.id, file)?;
                continue;
            };
            return Err(Error::Damaged {
                what: what.to_owned(),
                expected: wrong.to_owned(),
                found: format!("file {:?}", crate::names::cut_short(&file.name)),
            });
        }
    }
    Ok(())
}

/// For messages.
pub(crate) fn describe(id: &CheckpointId) -> String {
    let CheckpointId {
        job,
        attempt,
        number,
        savepoint,
        ..
    } = id;
    let of = format!("checkpoint {number} of attempt {attempt} of job {job}");
    match savepoint {
        Some(savepoint) => format!("{of} (savepoint {savepoint})"),
        None => of,
    }
}
