//! Keeps the newest usable configuration.

use std::hash::{BuildHasher, RandomState};
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock, Weak};
use std::time::Duration;

use crate::TlsError;

/// How often the files are checked. Certificates are renewed days before they expire.
const LOOK: Duration = Duration::from_secs(5);

/// A configuration that follows its files. Clones share it.
///
/// [`now`](Self::now) returns the configuration for the next connection; existing connections keep
/// theirs. The files are checked as long as [`follow`](Self::follow) runs, or the task of
/// [`follow_in_background`](Self::follow_in_background).
pub struct Reloading<T> {
    shared: Arc<Shared<T>>,
}

struct Shared<T> {
    files: Vec<PathBuf>,
    read: Box<dyn Fn() -> Result<T, TlsError> + Send + Sync>,
    now: RwLock<Arc<T>>,
    /// The fingerprint of the contents that were read last.
    seen: RwLock<Fingerprint>,
    /// Has a random key, so the fingerprints of private keys reveal nothing.
    hasher: RandomState,
}

/// Contents are compared, not times: a file may be replaced within the resolution of a clock, or be
/// a link to another one (Kubernetes mounts secrets this way).
type Fingerprint = Vec<Option<u64>>;

impl<T: Send + Sync + 'static> Reloading<T> {
    /// Reads once. When one of `files` has changed, `read` is called again, on a thread for
    /// blocking work.
    ///
    /// # Errors
    ///
    /// The error of `read`.
    pub fn new(
        files: Vec<PathBuf>,
        read: impl Fn() -> Result<T, TlsError> + Send + Sync + 'static,
    ) -> Result<Self, TlsError> {
        let hasher = RandomState::new();
        // This comes before the read, so that the next check sees a change in between.
        let seen = fingerprint(&files, &hasher);
        let now = Arc::new(read()?);
        Ok(Self {
            shared: Arc::new(Shared {
                files,
                read: Box::new(read),
                now: RwLock::new(now),
                seen: RwLock::new(seen),
                hasher,
            }),
        })
    }

    /// The newest usable configuration.
    pub fn now(&self) -> Arc<T> {
        let now = self.shared.now.read();
        Arc::clone(&now.unwrap_or_else(PoisonError::into_inner))
    }

    /// Follows the files until the future is dropped.
    pub async fn follow(&self) {
        loop {
            tokio::time::sleep(LOOK).await;
            look(Arc::clone(&self.shared)).await;
        }
    }

    /// Follows the files in a task, which ends after the last clone is dropped. If there are no
    /// files, there is no task.
    ///
    /// Call it inside a Tokio runtime.
    pub fn follow_in_background(&self) {
        if self.shared.files.is_empty() {
            return;
        }
        let shared: Weak<Shared<T>> = Arc::downgrade(&self.shared);
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(LOOK).await;
                let Some(shared) = shared.upgrade() else {
                    return;
                };
                look(shared).await;
            }
        });
    }
}

/// Reads the files if they have changed.
async fn look<T: Send + Sync + 'static>(shared: Arc<Shared<T>>) {
    let looked = tokio::task::spawn_blocking(move || shared.look());
    looked
        .await
        .expect("reading files does not panic, and is not aborted");
}

impl<T> Shared<T> {
    fn look(&self) {
        let found = fingerprint(&self.files, &self.hasher);
        let mut seen = self.seen.write().unwrap_or_else(PoisonError::into_inner);
        if *seen == found {
            return;
        }
        *seen = found;
        drop(seen);
        let files = self.shown();
        match (self.read)() {
            Ok(config) => {
                *self.now.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(config);
                tracing::info!(files, "read changed TLS files; new connections use them");
            }
            // A certificate and its key are rarely replaced at the same moment. The other file
            // follows.
            Err(error) => tracing::warn!(
                files,
                error = &error as &dyn std::error::Error,
                "changed TLS files cannot be used; the certificate before stays in use until they change again"
            ),
        }
    }

    fn shown(&self) -> String {
        let files: Vec<_> = self
            .files
            .iter()
            .map(|file| file.display().to_string())
            .collect();
        files.join(", ")
    }
}

fn fingerprint(files: &[PathBuf], hasher: &RandomState) -> Fingerprint {
    let of = |file: &PathBuf| Some(hasher.hash_one(std::fs::read(file).ok()?));
    files.iter().map(of).collect()
}

impl<T> Clone for Reloading<T> {
    fn clone(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    /// Reloads the text of the file, and refuses the text "bad".
    fn texts(file: PathBuf) -> Reloading<String> {
        let read = {
            let file = file.clone();
            move || match fs::read_to_string(&file).unwrap() {
                text if text == "bad" => Err(TlsError::Key(file.clone())),
                text => Ok(text),
            }
        };
        Reloading::new(vec![file], read).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn what_changes_is_read_again_and_what_is_bad_is_not_taken() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        fs::write(&file, "one").unwrap();
        let texts = texts(file.clone());
        texts.follow_in_background();
        let mut last = "one";
        for text in ["two", "bad", "three", "bad", "bad"] {
            fs::write(&file, text).unwrap();
            if text == "bad" {
                tokio::time::sleep(LOOK * 3).await;
            } else {
                last = text;
                while *texts.now() != text {
                    tokio::time::sleep(LOOK).await;
                }
            }
            assert_eq!(*texts.now(), last);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_task_ends_with_the_last_handle() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        fs::write(&file, "one").unwrap();
        let handle = texts(file.clone());
        let gone = Arc::downgrade(&handle.shared);
        handle.follow_in_background();
        drop(handle);
        tokio::time::sleep(LOOK * 2).await;
        assert!(gone.upgrade().is_none());
        let metrics = tokio::runtime::Handle::current().metrics();
        assert_eq!(metrics.num_alive_tasks(), 0);
        let without_files = Reloading::new(vec![], || Ok(())).unwrap();
        without_files.follow_in_background();
        assert_eq!(metrics.num_alive_tasks(), 0);
    }
}
