//! Where the suite runs.

use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures::FutureExt;
use futures::future::BoxFuture;
use incumbent_backend::Backend;

use crate::{Faults, Unreliable};

/// A handle of a place.
pub type Handle = Arc<dyn Backend>;

/// A store, and how to open handles of it.
///
/// It may hold other data already and be used by several claims at once: each claim works in groups of its own, whose names
/// are random.
pub struct Place {
    open: Box<dyn Fn() -> BoxFuture<'static, Handle> + Send + Sync>,
    faults: Option<Faults>,
    opened: AtomicU64,
    kept: Option<Box<dyn Any + Send + Sync>>,
}

impl Place {
    /// A place whose handles this function opens: each its own connection, cache and so on, as in another process.
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

    /// One more handle, which loses nothing.
    pub async fn open_reliable(&self) -> Handle {
        (self.open)().await
    }
}
