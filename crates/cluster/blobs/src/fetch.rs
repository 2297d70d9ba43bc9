//! Fetching an artifact to a file of this machine.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use futures::Stream;
use tokio::task::spawn_blocking;

use crate::artifact::Artifact;
use crate::blobs::Blobs;
use crate::digest::{Digest, Hasher};
use crate::error::Error;
use crate::names;
use crate::store::PART;

/// A fetched program may be run and not be changed.
const MODE: u32 = 0o555;

impl Blobs {
    /// Copies an artifact to `to`, and verifies its digest on the way.
    ///
    /// `to` is replaced when the copy is whole, verified and on the disk, and never before: a file
    /// of that name is always good. It may be executed and read by all. Until then the copy is
    /// beside it, under a hidden name that ends in `.part`; only a process that is killed leaves
    /// one behind.
    ///
    /// # Errors
    ///
    /// Nothing is left behind after any of them.
    ///
    /// - [`Error::NotFound`]: it was never uploaded.
    /// - [`Error::Damaged`]: what is stored is not what its name says; upload it again.
    /// - [`Error::TooLarge`]: it is larger than this handle's limit.
    /// - [`Error::Target`]: `to` could not be written. The blobs are not to blame.
    /// - [`Error::Denied`], [`Error::Unavailable`]: as [`Blobs::check`].
    pub async fn fetch_artifact(&self, digest: Digest, to: &Path) -> Result<(), Error> {
        let what = format!("artifact {digest}");
        let doing = format!("reading {what}");
        let Some(artifact) = self.artifact(digest).await? else {
            return Err(self.not_found(&what).await);
        };
        if artifact.size > self.largest_artifact {
            return Err(Error::TooLarge {
                what,
                limit: self.largest_artifact,
            });
        }
        let path = names::artifact(digest);
        let mut copy = Copy::begin(to).await?;
        let mut from = 0;
        while from < artifact.size {
            let to = artifact.size.min(from + PART as u64);
            let part = self.store.read_part(&doing, path.clone(), from, to).await?;
            let Some(part) = part.filter(|part| part.len() as u64 == to - from) else {
                return Err(self.not_found(&what).await);
            };
            copy = copy.write(part).await?;
            from = to;
        }
        copy.finish(what, digest).await
    }

    /// The content of an artifact, part by part, for somebody who asks over the network. It is not
    /// verified: the reader has the digest.
    ///
    /// # Errors
    ///
    /// The last item may be one: [`Error::NotFound`] if it is gone by now, [`Error::Denied`],
    /// [`Error::Unavailable`].
    pub fn read_artifact(
        &self,
        artifact: Artifact,
    ) -> impl Stream<Item = Result<Bytes, Error>> + Send + use<> {
        let blobs = self.clone();
        futures::stream::try_unfold(0, move |from| {
            let blobs = blobs.clone();
            async move {
                if from >= artifact.size {
                    return Ok(None);
                }
                let what = format!("artifact {}", artifact.digest);
                let doing = format!("reading {what}");
                let to = artifact.size.min(from + PART as u64);
                let path = names::artifact(artifact.digest);
                match blobs.store.read_part(&doing, path, from, to).await? {
                    Some(part) if part.len() as u64 == to - from => Ok(Some((part, to))),
                    Some(_) | None => Err(blobs.not_found(&what).await),
                }
            }
        })
    }
}

/// A copy in the making. Dropping it removes what it has written.
struct Copy {
    file: File,
    hasher: Hasher,
    unfinished: Unfinished,
    to: PathBuf,
}

/// A file that is removed unless it got its final name.
struct Unfinished(PathBuf);

impl Drop for Unfinished {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

impl Copy {
    async fn begin(to: &Path) -> Result<Self, Error> {
        let to = to.to_owned();
        blocking(move || {
            let name = to.file_name().unwrap_or_default().to_string_lossy();
            let random = rand::random::<u64>();
            let path = to.with_file_name(format!(".{name}.{random:016x}.part"));
            let mut options = OpenOptions::new();
            // Not executable before it is verified.
            let file = options.write(true).create_new(true).mode(0o600).open(&path);
            let file = file.map_err(|error| target(&to, error))?;
            Ok(Self {
                file,
                hasher: Hasher::default(),
                unfinished: Unfinished(path),
                to,
            })
        })
        .await
    }

    async fn write(mut self, part: Bytes) -> Result<Self, Error> {
        blocking(move || {
            self.hasher.update(&part);
            self.file
                .write_all(&part)
                .map_err(|error| target(&self.to, error))?;
            Ok(self)
        })
        .await
    }

    /// Gives the copy its name, if it is what it should be.
    async fn finish(self, what: String, expected: Digest) -> Result<(), Error> {
        blocking(move || {
            let Self {
                file,
                hasher,
                unfinished,
                to,
            } = self;
            let found = hasher.finish();
            if found != expected {
                let (expected, found) = (expected.to_string(), found.to_string());
                return Err(Error::Damaged {
                    what,
                    expected,
                    found,
                });
            }
            let finish = || -> io::Result<()> {
                file.set_permissions(Permissions::from_mode(MODE))?;
                file.sync_all()?;
                // A file that is open for writing cannot be executed.
                drop(file);
                fs::rename(&unfinished.0, &to)?;
                let dir = to.parent().filter(|dir| !dir.as_os_str().is_empty());
                File::open(dir.unwrap_or(Path::new(".")))?.sync_all()
            };
            finish().map_err(|error| target(&to, error))
        })
        .await
    }
}

fn target(to: &Path, source: io::Error) -> Error {
    Error::Target {
        path: to.to_owned(),
        source,
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    let done = spawn_blocking(work).await;
    done.expect("copying does not panic, and is not cut off while somebody waits")
}
