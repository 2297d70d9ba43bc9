//! [`Remote`]: objects, and the thread that fetches them.

use std::collections::BTreeSet;
use std::future::Future;
use std::sync::mpsc;
use std::time::Duration;

use incumbent_stream::Waker;
use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

use super::Bucket;
#[cfg(feature = "parquet")]
use super::fetch::RandomAccess;
use super::fetch::{self, Chunks};
use crate::Error;
use crate::look::{Looking, news};
use crate::place::Place;

/// Objects of one source, and the thread that fetches them: the worker never waits for a network.
/// Dropping it ends the thread.
pub(crate) struct Remote {
    bucket: Bucket,
    runtime: Handle,
    _stop: oneshot::Sender<()>,
}

impl Remote {
    /// Opens it, and lists what there is. It may wait.
    pub(crate) fn open(
        place: &Place,
        settings: Option<&[(String, String)]>,
    ) -> Result<(Self, Vec<String>), Error> {
        let mut bucket = Bucket::open(place, settings)?;
        let (stop, stopped) = oneshot::channel::<()>();
        let (runtime, thread) = (Builder::new_current_thread().enable_all().build())
            .and_then(|runtime| {
                let handle = runtime.handle().clone();
                let thread = std::thread::Builder::new().name("files-fetch".to_owned());
                let thread = thread.spawn(move || drop(runtime.block_on(stopped)));
                Ok((handle, thread?))
            })
            .map_err(|error| Error::List {
                url: place.url.clone(),
                cause: error.into(),
            })?;
        // It ends when `stop` is dropped; what it is doing then is of no use.
        drop(thread);
        let for_list = place.clone();
        let opened = run(&runtime, async move {
            bucket.look_whether_object(&for_list).await?;
            let names = bucket.list(&for_list).await?;
            Ok::<_, Error>((bucket, names))
        });
        let (bucket, names) = opened.unwrap_or_else(|| {
            Err(Error::List {
                url: place.url.clone(),
                cause: "the thread that asks has ended".into(),
            })
        })?;
        let remote = Self {
            bucket,
            runtime,
            _stop: stop,
        };
        Ok((remote, names))
    }

    /// Looks for new objects again and again. What a bucket does not answer in time is logged, and
    /// asked again: no object is lost by that.
    pub(crate) fn look_on(
        &self,
        place: Place,
        every: Duration,
        known: &[String],
        waker: Waker,
    ) -> Looking {
        let (send, found) = mpsc::channel();
        let bucket = self.bucket.clone();
        let mut known: BTreeSet<String> = known.iter().cloned().collect();
        self.runtime.spawn(async move {
            loop {
                tokio::time::sleep(every).await;
                let names = match bucket.list(&place).await {
                    Ok(names) => news(names, &mut known),
                    Err(error) => {
                        let cause = std::error::Error::source(&error);
                        let cause = cause.map(ToString::to_string);
                        tracing::warn!(url = place.url, %error, cause, "looking again later");
                        continue;
                    }
                };
                if names.is_empty() {
                    continue;
                }
                if send.send(Ok(names)).is_err() {
                    return;
                }
                waker.wake();
            }
        });
        // The task ends with the runtime.
        Looking::new(found, Box::new(()))
    }

    /// The bytes of an object, from this one on. It begins to fetch at once.
    pub(crate) fn fetch(&self, name: &str, from: u64, waker: &Waker) -> Chunks {
        let (path, file) = (self.bucket.path(name), self.describe(name));
        fetch::start(&self.runtime, &self.bucket, path, file, from, waker.clone())
    }

    /// Any bytes of an object, for a thread that may wait.
    #[cfg(feature = "parquet")]
    pub(crate) fn random_access(&self, name: &str) -> RandomAccess {
        RandomAccess::new(
            self.runtime.clone(),
            self.bucket.clone(),
            self.bucket.path(name),
        )
    }

    pub(crate) fn describe(&self, name: &str) -> String {
        self.bucket.describe(name)
    }
}

/// Runs this on the thread of the runtime, and waits. `None` if the runtime has ended.
pub(super) fn run<F>(runtime: &Handle, future: F) -> Option<F::Output>
where
    F: Future<Output: Send> + Send + 'static,
{
    let (send, receive) = mpsc::sync_channel(1);
    runtime.spawn(async move {
        let _ = send.send(future.await);
    });
    receive.recv().ok()
}
