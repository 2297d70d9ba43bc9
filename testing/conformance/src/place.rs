//! The place where the suite runs.

use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures::FutureExt;
use futures::future::BoxFuture;
use incumbent_backend::{Backend, Key};

use crate::{Faults, Unreliable};

/// A handle of a place, as independent of the others as one in another process.
pub type Handle = Arc<dyn Backend>;

type Remove = Box<dyn Fn(Key) -> BoxFuture<'static, ()> + Send + Sync>;

/// A store, and a way to open handles of it.
///
/// It may hold other data already, and several claims may use it at once: each claim works in
/// groups of its own, with random names.
pub struct Place {
    open: Box<dyn Fn() -> BoxFuture<'static, Handle> + Send + Sync>,
    faults: Option<Faults>,
    opened: AtomicU64,
    remove: Option<Remove>,
    kept: Option<Box<dyn Any + Send + Sync>>,
}

impl Place {
    /// Makes a place from a function that opens handles. Each handle has its own connection, cache
    /// and so on, as in another process.
    pub fn new<B, F>(open: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        B: Backend,
        F: Future<Output = B> + Send + 'static,
    {
        let open = move || open().map(|backend| Arc::new(backend) as Handle).boxed();
        Self {
            open: Box::new(open),
            faults: None,
            opened: AtomicU64::new(0),
            remove: None,
            kept: None,
        }
    }

    /// Keeps a value alive as long as the place, such as a temporary directory or a server.
    #[must_use]
    pub fn keeping(self, kept: impl Any + Send + Sync) -> Self {
        Self {
            kept: Some(Box::new((self.kept, kept))),
            ..self
        }
    }

    /// Adds a way to remove keys as an operator does, without the knowledge of any handle: the
    /// contract has no such removal.
    ///
    /// Without it, the claims about such keys are reported as skipped.
    #[must_use]
    pub fn remove_by_hand<F>(self, remove: impl Fn(Key) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        Self {
            remove: Some(Box::new(move |key| remove(key).boxed())),
            ..self
        }
    }

    /// The same place, with each handle inside [`Unreliable`].
    #[must_use]
    pub fn unreliable(self, faults: Faults) -> Self {
        Self {
            faults: Some(faults),
            ..self
        }
    }

    /// Opens one more handle.
    pub async fn open(&self) -> Handle {
        let handle = self.open_reliable().await;
        match self.faults {
            None => handle,
            // The seed is the handle's number, so the dice are the same in every run.
            Some(faults) => {
                let seed = self.opened.fetch_add(1, Ordering::Relaxed);
                Arc::new(Unreliable::around(handle, seed, faults))
            }
        }
    }

    /// The way to remove keys by hand, if the place has one.
    pub(crate) fn removal(&self) -> Option<&Remove> {
        self.remove.as_ref()
    }

    /// Opens one more handle, which loses nothing.
    pub async fn open_reliable(&self) -> Handle {
        (self.open)().await
    }
}
