//! The door to the library: each operation bounded in time and number, its errors in our words.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use futures::{StreamExt, stream};
use object_store::path::Path;
use object_store::{
    ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload, RenameOptions, RenameTargetMode,
};
use tokio::sync::Semaphore;
use tokio::task::{JoinError, spawn_blocking};

use crate::error::Error;
use crate::place::Place;
use crate::s3;

/// The longest that one operation takes. An upload or a fetch is many operations, one for each
/// `PART`. A disk that needs longer for one is out of order.
pub const OPERATION: Duration = Duration::from_secs(30);

/// How many operations are under way at once. Each one occupies a thread of the runtime's pool of
/// 512, and on a file system that hangs it does so for ever: others need threads, too.
pub const OPERATIONS: usize = 64;

/// How much of a file is in memory at once. Large enough that its cost is the disk's.
pub(crate) const PART: usize = 1024 * 1024;

type Outcome<T> = Result<T, object_store::Error>;

/// How many files one operation deletes. A slow disk deletes so many in [`OPERATION`].
const DELETED_AT_ONCE: usize = 100;

/// What became of a file that is created and never replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// It is new.
    New,
    /// It was there already, and is unchanged: this write, or the one that it repeats, was late.
    Already,
}

/// One place, and the operations on it.
pub(crate) struct Store {
    pub(crate) place: Place,
    url: String,
    pub(crate) inner: Arc<dyn ObjectStore>,
    permits: Arc<Semaphore>,
    /// Set when it was seen that the store creates files only if they are not there.
    pub(crate) creates_once: OnceLock<()>,
}

impl Store {
    /// Opens a place, and makes its directory if that is missing.
    pub(crate) async fn open(place: Place, settings: Vec<(String, String)>) -> Result<Self, Error> {
        let url = place.url();
        let doing = "opening it";
        let opening = {
            let place = place.clone();
            spawn_blocking(move || place.open(&settings))
        };
        let inner = match tokio::time::timeout(OPERATION, opening).await {
            Err(_) => return Err(Error::timed_out(&url, doing)),
            Ok(Err(error)) => return Err(lost(&url, doing, error)),
            Ok(Ok(opened)) => opened?,
        };
        let permits = Arc::new(Semaphore::new(OPERATIONS));
        Ok(Self {
            place,
            url,
            inner,
            permits,
            creates_once: OnceLock::new(),
        })
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Whether it is asked over the network, so that an answer may be lost.
    pub(crate) fn is_remote(&self) -> bool {
        match self.place {
            Place::Bucket(_) => true,
            Place::Dir(_) | Place::Memory => false,
        }
    }

    /// The directory, if it is one.
    pub(crate) fn dir(&self) -> Option<&std::path::Path> {
        match &self.place {
            Place::Dir(dir) => Some(dir),
            Place::Bucket(_) | Place::Memory => None,
        }
    }

    /// How much of a file is written or read at once.
    pub(crate) fn part_size(&self) -> usize {
        match self.place {
            Place::Bucket(_) => s3::PART,
            Place::Dir(_) | Place::Memory => PART,
        }
    }

    /// Writes a file that must not be there yet.
    pub(crate) async fn create(
        &self,
        doing: &str,
        path: Path,
        content: impl Into<PutPayload>,
    ) -> Result<Written, Error> {
        let inner = Arc::clone(&self.inner);
        let options = PutOptions::from(PutMode::Create);
        let content = content.into();
        let put = async move {
            match inner.put_opts(&path, content, options).await {
                Ok(_) => Ok(Written::New),
                Err(object_store::Error::AlreadyExists { .. }) => Ok(Written::Already),
                Err(error) => Err(error),
            }
        };
        self.run(doing, put).await
    }

    /// The length of a file; `None` if there is none.
    pub(crate) async fn size(&self, doing: &str, path: Path) -> Result<Option<u64>, Error> {
        let inner = Arc::clone(&self.inner);
        let head = async move { absent_is_none(inner.head(&path).await) };
        Ok(self.run(doing, head).await?.map(|found| found.size))
    }

    /// A part of a file that is known to be longer than `from`; `None` if it is gone by now.
    pub(crate) async fn read_part(
        &self,
        doing: &str,
        path: Path,
        from: u64,
        to: u64,
    ) -> Result<Option<Bytes>, Error> {
        let inner = Arc::clone(&self.inner);
        let read = async move { absent_is_none(inner.get_range(&path, from..to).await) };
        self.run(doing, read).await
    }

    /// The whole of a small file; `None` if there is none.
    ///
    /// # Errors
    ///
    /// [`Error::TooLarge`] if it is longer than `most`, so that a foreign file fills no memory.
    pub(crate) async fn read(
        &self,
        doing: &str,
        what: &str,
        path: Path,
        most: usize,
    ) -> Result<Option<Bytes>, Error> {
        let inner = Arc::clone(&self.inner);
        let read = async move {
            let Some(found) = absent_is_none(inner.get(&path).await)? else {
                return Ok(Some(None));
            };
            if found.meta.size > most as u64 {
                return Ok(None);
            }
            Ok(Some(Some(found.bytes().await?)))
        };
        let too_large = || Error::TooLarge {
            what: what.to_owned(),
            limit: most as u64,
        };
        self.run(doing, read).await?.ok_or_else(too_large)
    }

    /// Copies a file to a name that nothing has, without moving its bytes through this process.
    /// Returns whether it was there.
    pub(crate) async fn copy(&self, doing: &str, from: Path, to: Path) -> Result<bool, Error> {
        let inner = Arc::clone(&self.inner);
        let copy = async move { absent_is_none(inner.copy(&from, &to).await) };
        Ok(self.run(doing, copy).await?.is_some())
    }

    /// Deletes files, some side by side. Those that are gone already are fine.
    pub(crate) async fn delete_all(&self, doing: &str, paths: Vec<Path>) -> Result<(), Error> {
        // Each batch has the time of one operation.
        for batch in paths.chunks(DELETED_AT_ONCE) {
            let inner = Arc::clone(&self.inner);
            let batch: Vec<_> = batch.iter().cloned().map(Ok).collect();
            let deleting = async move {
                let mut deleted = inner.delete_stream(stream::iter(batch).boxed());
                while let Some(deleted) = deleted.next().await {
                    absent_is_none(deleted)?;
                }
                Ok(())
            };
            self.run(doing, deleting).await?;
        }
        Ok(())
    }

    /// Deletes a file. Returns whether it was there.
    pub(crate) async fn delete(&self, doing: &str, path: Path) -> Result<bool, Error> {
        let inner = Arc::clone(&self.inner);
        let delete = async move { absent_is_none(inner.delete(&path).await) };
        Ok(self.run(doing, delete).await?.is_some())
    }

    /// Gives a whole file its final name, which may be taken by the same content.
    pub(crate) async fn rename(&self, doing: &str, from: Path, to: Path) -> Result<(), Error> {
        let inner = Arc::clone(&self.inner);
        let options = RenameOptions::new().with_target_mode(RenameTargetMode::Overwrite);
        let rename = async move { inner.rename_opts(&from, &to, options).await };
        self.run(doing, rename).await
    }

    /// Runs one operation. If the caller gives up or its time is over, it goes on, and keeps its
    /// permit, until the system lets go of it.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        doing: &str,
        operation: impl Future<Output = Outcome<T>> + Send + 'static,
    ) -> Result<T, Error> {
        let permits = Arc::clone(&self.permits);
        let running = async move {
            let permit = permits
                .acquire_owned()
                .await
                .expect("the permits are never closed");
            let running = tokio::spawn(async move {
                let _permit = permit;
                operation.await
            });
            running.await
        };
        match tokio::time::timeout(OPERATION, running).await {
            Err(_) => Err(Error::timed_out(&self.url, doing)),
            Ok(Err(error)) => Err(lost(&self.url, doing, error)),
            Ok(Ok(outcome)) => outcome.map_err(|error| Error::of_store(&self.url, doing, error)),
        }
    }
}

/// Without what the library shows: the key, and the endpoint, whose URL may hold a password.
impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Store({})", self.url)
    }
}

fn absent_is_none<T>(outcome: Outcome<T>) -> Outcome<Option<T>> {
    match outcome {
        Ok(found) => Ok(Some(found)),
        Err(object_store::Error::NotFound { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The runtime ends, or the library has a fault: either way this has no outcome.
fn lost(url: &str, doing: &str, error: JoinError) -> Error {
    Error::Unavailable {
        at: url.to_owned(),
        why: format!("{doing} was cut off"),
        source: Some(error.into()),
    }
}
