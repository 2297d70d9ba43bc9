//! [`Observer`]: who leads, as it changes.

use std::sync::Arc;

use incumbent_core::View;
use tokio::sync::watch;

use crate::group::Inner;

/// Why an answer of the group's task can be expected.
pub(crate) const TASK: &str =
    "the task of a group lives as long as its handles, unless it panics or its runtime ends";

/// Follows who leads a group.
///
/// The first view is the present state, as soon as the store has answered. Views never go back in
/// epoch, equal ones come once, and of quick changes only the last may come. "No leader" is a view
/// too. A view can be old by the time you use it. So send the epoch along when you talk to a
/// leader, and let the leader refuse lower epochs.
#[derive(Clone)]
pub struct Observer {
    views: watch::Receiver<Option<View>>,
    /// Also keeps the task alive.
    group: Arc<Inner>,
}

impl Observer {
    pub(crate) fn new(mut views: watch::Receiver<Option<View>>, group: Arc<Inner>) -> Self {
        views.mark_changed();
        Self { views, group }
    }

    /// The present view, without waiting: "no leader" as long as the backend has not answered.
    pub fn view(&self) -> View {
        self.views.borrow().clone().unwrap_or_default()
    }

    /// Why this process cannot read who leads, in the words of the store: it does not answer, or it
    /// refuses. `None` if the last read worked. "No leader" means little as long as this has a
    /// reason.
    pub fn unreadable(&self) -> Option<String> {
        self.group.contact.unreadable()
    }

    /// Waits for a view that this observer has not returned yet. The first call returns the present
    /// one.
    ///
    /// # Panics
    ///
    /// If the group's task has panicked, or its runtime was shut down.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing.
    pub async fn next(&mut self) -> View {
        loop {
            self.views.changed().await.expect(TASK);
            if let Some(view) = self.views.borrow_and_update().clone() {
                return view;
            }
        }
    }

    /// Waits for a view of which `wanted` is true.
    ///
    /// # Panics
    ///
    /// As [`next`](Self::next).
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing.
    pub async fn wait_for(&mut self, mut wanted: impl FnMut(&View) -> bool) -> View {
        let told = self
            .views
            .wait_for(|view| view.as_ref().is_some_and(&mut wanted));
        told.await.expect(TASK).clone().expect("it was wanted")
    }

    /// The views as a stream.
    pub fn into_stream(self) -> impl futures::Stream<Item = View> {
        futures::stream::unfold(self, async |mut observer| {
            Some((observer.next().await, observer))
        })
    }
}
