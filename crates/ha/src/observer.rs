//! [`Observer`]: who leads, as it changes.

use std::sync::Arc;

use incumbent_core::View;
use tokio::sync::watch;

use crate::group::Inner;

/// Follows who leads a group.
///
/// The first answer is the present state, as far as it is known by then. Views never go back in epoch, equal ones are
/// told once, and quick changes may be told as their last one. "No leader" is told too. A view can be old by the time you
/// use it: who talks to a leader sends the epoch along, and who is talked to refuses lower ones.
#[derive(Clone)]
pub struct Observer {
    views: watch::Receiver<View>,
    /// Keeps the task alive.
    _group: Arc<Inner>,
}

impl Observer {
    pub(crate) fn new(mut views: watch::Receiver<View>, group: Arc<Inner>) -> Self {
        views.mark_changed();
        Self {
            views,
            _group: group,
        }
    }

    /// The present view, without waiting.
    pub fn view(&self) -> View {
        self.views.borrow().clone()
    }

    /// Waits for a view that this observer has not given out yet; the first call answers at once.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing.
    pub async fn next(&mut self) -> View {
        match self.views.changed().await {
            Ok(()) => self.views.borrow_and_update().clone(),
            // Its task lives as long as the group that is kept here, unless the runtime is shutting down.
            Err(_) => std::future::pending().await,
        }
    }

    /// Waits for a view of which `wanted` is true.
    pub async fn wait_for(&mut self, mut wanted: impl FnMut(&View) -> bool) -> View {
        match self.views.wait_for(|view| wanted(view)).await {
            Ok(view) => view.clone(),
            Err(_) => std::future::pending().await,
        }
    }

    /// The views as a stream.
    pub fn into_stream(self) -> impl futures::Stream<Item = View> {
        futures::stream::unfold(self, async |mut observer| {
            Some((observer.next().await, observer))
        })
    }
}
