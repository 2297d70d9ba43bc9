//! Where the suite runs.

use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures::FutureExt;
use futures::future::BoxFuture;
use incumbent_backend::{Backend, Key};

use crate::{Faults, Unreliable};

/// A handle of a place.
pub type Handle = Arc<dyn Backend>;

type Remove = Box<dyn Fn(Key) -> BoxFuture<'static, ()> + Send + Sync>;

/// A store, and how to open handles of it.
///
/// It may hold other data already and be used by several claims at once: each claim works in groups
/// of its own, whose names are random.
pub struct Place {
    open: Box<dyn Fn() -> BoxFuture<'static, Handle> + Send + Sync>,
    faults: Option<Faults>,
    opened: AtomicU64,
    remove: Option<Remove>,
    kept: Option<Box<dyn Any + Send + Sync>>,
}

impl Place {
    /// A place whose handles this function opens: each its own connection, cache and so on, as in
    /// another process.
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

    /// A place that needs this to stay alive: a temporary directory, a server.
    #[must_use]
    pub fn keeping(self, kept: impl Any + Send + Sync) -> Self {
        Self {
            kept: Some(Box::new((self.kept, kept))),
            ..self
        }
    }

    /// A place where keys can be removed as an operator does, behind the back of all handles: the
    /// contract knows no removal.
    ///
    /// Without it, what is claimed of such keys is skipped aloud.
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

    /// One more handle.
    pub async fn open(&self) -> Handle {
        let handle = self.open_reliable().await;
        match self.faults {
            None => handle,
            // The seed is the number of the handle: the same dice in every run.
            Some(faults) => {
                let seed = self.opened.fetch_add(1, Ordering::Relaxed);
                Arc::new(Unreliable::around(handle, seed, faults))
            }
        }
    }

    /// How keys are removed by hand, if that can be done here.
    pub(crate) fn removal(&self) -> Option<&Remove> {
        self.remove.as_ref()
    }

    /// One more handle, which loses nothing.
    pub async fn open_reliable(&self) -> Handle {
        (self.open)().await
    }
}
