//! [`Artifacts`]: the files that tasks are started from, fetched once by digest and kept.

use std::collections::HashMap;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use incumbent_cluster_blobs::{Blobs, Digest, Error};
use tokio::sync::Mutex as AsyncMutex;

use super::metrics;

/// Bytes of artifacts that are kept. More are kept only while tasks use them.
pub const ARTIFACT_CACHE: u64 = 4 * 1024 * 1024 * 1024;

/// The cache of artifacts, in a directory of its own.
#[derive(Debug)]
pub(super) struct Artifacts {
    blobs: Blobs,
    dir: PathBuf,
    limit: u64,
    entries: Mutex<Entries>,
}

#[derive(Debug, Default)]
struct Entries {
    by_digest: HashMap<Digest, Entry>,
    /// Counts uses, to find the one that was used longest ago.
    uses: u64,
}

#[derive(Debug, Default)]
struct Entry {
    /// Held while it is fetched, so that it is fetched once.
    fetching: Arc<AsyncMutex<()>>,
    /// What the file was when it had been verified.
    verified: Option<Mark>,
    users: usize,
    last_use: u64,
}

/// What changes when a file is written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Mark {
    inode: u64,
    size: u64,
    modified: (i64, i64),
}

/// An artifact that is in the cache for as long as this value exists.
#[derive(Debug)]
pub(super) struct Artifact {
    cache: Arc<Artifacts>,
    digest: Digest,
}

impl Artifacts {
    /// A cache in this directory, which is empty.
    pub(super) fn new(blobs: Blobs, dir: PathBuf, limit: u64) -> Arc<Self> {
        Arc::new(Self {
            blobs,
            dir,
            limit,
            entries: Mutex::default(),
        })
    }

    /// The artifact, fetched and verified unless it is here and unchanged.
    ///
    /// # Errors
    ///
    /// As of [`Blobs::fetch_artifact`].
    ///
    /// # Cancel safety
    ///
    /// Safe: another call that waits for the same artifact fetches it.
    pub(super) async fn get(self: &Arc<Self>, digest: Digest) -> Result<Artifact, Error> {
        let fetching = {
            let mut entries = self.entries();
            entries.uses += 1;
            let use_number = entries.uses;
            let entry = entries.by_digest.entry(digest).or_default();
            entry.users += 1;
            entry.last_use = use_number;
            Arc::clone(&entry.fetching)
        };
        // From here on dropping gives the use back.
        let artifact = Artifact {
            cache: Arc::clone(self),
            digest,
        };
        let _fetching = fetching.lock().await;
        let verified = self
            .entries()
            .by_digest
            .get(&digest)
            .and_then(|entry| entry.verified);
        if verified.is_some() && verified == mark(&self.path(digest)) {
            ::metrics::counter!(metrics::ARTIFACT_HITS).increment(1);
            return Ok(artifact);
        }
        if verified.is_some() {
            tracing::warn!(
                artifact = %digest,
                "a task has changed the cached file of an artifact; fetching it again"
            );
        }
        ::metrics::counter!(metrics::ARTIFACT_FETCHES).increment(1);
        let path = self.path(digest);
        self.blobs.fetch_artifact(digest, &path).await?;
        if let Some(entry) = self.entries().by_digest.get_mut(&digest) {
            entry.verified = mark(&path);
        }
        self.evict();
        Ok(artifact)
    }

    /// Removes what was used longest ago and has no user, until the rest is within the limit.
    fn evict(&self) {
        let mut entries = self.entries();
        loop {
            let sizes = entries
                .by_digest
                .values()
                .filter_map(|entry| entry.verified);
            let total: u64 = sizes.map(|mark| mark.size).sum();
            ::metrics::gauge!(metrics::ARTIFACT_BYTES).set(total as f64);
            if total <= self.limit {
                return;
            }
            let unused = entries
                .by_digest
                .iter()
                .filter(|(_, entry)| entry.users == 0);
            let oldest = unused.min_by_key(|(_, entry)| entry.last_use);
            let Some(digest) = oldest.map(|(digest, _)| *digest) else {
                return;
            };
            entries.by_digest.remove(&digest);
            let _ = fs::remove_file(self.path(digest));
        }
    }

    fn path(&self, digest: Digest) -> PathBuf {
        self.dir.join(digest.to_string())
    }

    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Artifact {
    /// Puts it into a task's directory under this path. It is the same file as in the cache, for
    /// reading and executing only; a copy where that cannot be. Blocks.
    pub(super) fn place(&self, to: &Path) -> io::Result<()> {
        let from = self.cache.path(self.digest);
        match fs::hard_link(&from, to) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(error),
            // Another file system, or one without links.
            Err(_) => fs::copy(&from, to).map(drop),
        }
    }
}

impl Drop for Artifact {
    fn drop(&mut self) {
        let mut entries = self.cache.entries();
        let Some(entry) = entries.by_digest.get_mut(&self.digest) else {
            return;
        };
        entry.users -= 1;
        if entry.users == 0 && entry.verified.is_none() {
            entries.by_digest.remove(&self.digest);
        }
        drop(entries);
        self.cache.evict();
    }
}

fn mark(path: &Path) -> Option<Mark> {
    let found: Metadata = fs::symlink_metadata(path).ok().filter(Metadata::is_file)?;
    Some(Mark {
        inode: found.ino(),
        size: found.size(),
        modified: (found.mtime(), found.mtime_nsec()),
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use futures::stream;
    use tempfile::TempDir;

    use super::*;

    struct Fixture {
        dir: TempDir,
        blobs: Blobs,
        cache: Arc<Artifacts>,
    }

    async fn fixture(limit: u64) -> Fixture {
        let dir = TempDir::new().unwrap();
        let blobs = Blobs::open("memory:").await.unwrap();
        blobs.belongs_to("test").await.unwrap();
        let path = dir.path().join("cache");
        fs::create_dir(&path).unwrap();
        let cache = Artifacts::new(blobs.clone(), path, limit);
        Fixture { dir, blobs, cache }
    }

    impl Fixture {
        async fn upload(&self, content: &'static str) -> Digest {
            let parts = stream::iter([Ok::<_, io::Error>(content.into())]);
            self.blobs.put_artifact(parts, None).await.unwrap().digest
        }

        fn cached(&self) -> usize {
            fs::read_dir(&self.cache.dir).unwrap().count()
        }
    }

    #[tokio::test]
    async fn many_that_want_the_same_fetch_it_once() {
        let fixture = fixture(1000).await;
        let digest = fixture.upload("#!/bin/sh\n").await;
        let gets = (0..20).map(|_| fixture.cache.get(digest));
        let artifacts = futures::future::join_all(gets).await;
        assert!(artifacts.iter().all(Result::is_ok));
        let inode = mark(&fixture.cache.path(digest)).unwrap().inode;
        drop(artifacts);
        let again = fixture.cache.get(digest).await.unwrap();
        assert_eq!(mark(&fixture.cache.path(digest)).unwrap().inode, inode);

        let to = fixture.dir.path().join("run.sh");
        again.place(&to).unwrap();
        assert_eq!(fs::read_to_string(&to).unwrap(), "#!/bin/sh\n");
        assert_eq!(
            fs::metadata(&to).unwrap().permissions().mode() & 0o777,
            0o555
        );
    }

    #[tokio::test]
    async fn what_a_task_has_changed_is_fetched_again() {
        let fixture = fixture(1000).await;
        let digest = fixture.upload("good").await;
        let artifact = fixture.cache.get(digest).await.unwrap();
        let path = fixture.cache.path(digest);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        fs::write(&path, "altered").unwrap();
        let again = fixture.cache.get(digest).await.unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "good");
        drop((artifact, again));
    }

    #[tokio::test]
    async fn only_what_nobody_uses_is_evicted_oldest_first() {
        let fixture = fixture(10).await;
        let mut digests = Vec::new();
        for content in ["aaaaa", "bbbbb", "ccccc"] {
            digests.push(fixture.upload(content).await);
        }
        let first = fixture.cache.get(digests[0]).await.unwrap();
        drop(fixture.cache.get(digests[1]).await.unwrap());
        let third = fixture.cache.get(digests[2]).await.unwrap();
        assert!(!fixture.cache.path(digests[1]).exists());
        assert_eq!(fixture.cached(), 2);
        let second = fixture.cache.get(digests[1]).await.unwrap();
        assert_eq!(fixture.cached(), 3, "all are used");
        drop(third);
        assert!(!fixture.cache.path(digests[2]).exists());
        drop((first, second));
    }

    #[tokio::test]
    async fn a_missing_one_leaves_nothing() {
        let fixture = fixture(10).await;
        let missing = fixture.cache.get(Digest::of(b"never")).await;
        assert!(matches!(missing, Err(Error::NotFound { .. })));
        assert!(fixture.cache.entries().by_digest.is_empty());
    }
}
