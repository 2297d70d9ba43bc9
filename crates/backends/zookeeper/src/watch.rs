//! Hints: one watch for each group, regardless of the number of listeners.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::StreamExt;
use incumbent_backend::hints::{Feeds, Hints};
use incumbent_backend::{GroupName, Hint, Pace, WatchStream, jitter};
use tokio::sync::watch;
use tokio::time::{Instant, sleep};
use zookeeper_client::{AddWatchMode, Client, Error, EventType, WatchedEvent};

use crate::feed::{self, Feed};
use crate::link::Link;
use crate::names;
use crate::nodes;
use crate::session::{Session, connection, lost};
use crate::settings::Watching;

/// Pause before setting a refused watch again.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// The watches of one backend.
#[derive(Clone)]
pub(crate) struct Watches {
    hints: Arc<Hints>,
    /// Set when a server reported that it has no recursive watches. Old servers also close the
    /// connection with that answer, so they are not asked twice.
    not_recursive: Arc<AtomicBool>,
}

impl Watches {
    pub(crate) fn new() -> Self {
        Self {
            hints: Hints::new(Feeds::EachGroup),
            not_recursive: Arc::default(),
        }
    }

    /// Hints about a group, from now on. The first hint comes when the watch is in place, and means
    /// that anything may have changed.
    pub(crate) fn watch(&self, session: &Arc<Session>, group: &GroupName) -> WatchStream {
        let listener = self.hints.listen(group, || {
            let watcher = Watcher {
                feed: Feed::new(&session.settings.base, group, &self.hints),
                mode: session.settings.watch,
                links: session.links.clone(),
                not_recursive: Arc::clone(&self.not_recursive),
            };
            Some(session.runtime.spawn(watcher.follow()).abort_handle())
        });
        // The stream keeps the session, which must not end if the backend is dropped first.
        let session = Arc::clone(session);
        let hints = listener.into_stream().inspect(move |_| {
            let _ = &session;
        });
        hints.boxed()
    }
}

/// Watches one group, on the session's thread.
struct Watcher {
    feed: Feed,
    mode: Watching,
    links: watch::Receiver<Link>,
    /// As in [`Watches`].
    not_recursive: Arc<AtomicBool>,
}

impl Watcher {
    /// Watches on one connection after the other. Each begins with a hint that anything may have
    /// changed.
    async fn follow(self) {
        let mut links = self.links.clone();
        let mut pace = Pace::new(FIRST_PAUSE, LONGEST_PAUSE);
        loop {
            let (client, number) = connection(&mut links).await;
            let begun = Instant::now();
            tokio::select! {
                biased;
                () = lost(&mut links, number) => {}
                refused = self.follow_on(&client) => {
                    let pause = pace.after_run(begun.elapsed(), jitter());
                    tracing::debug!(node = self.feed.node, %refused, "the watch ended; watching again in {pause:.1?}");
                    sleep(pause).await;
                }
            }
        }
    }

    /// Watches until the watch ends, and returns why it ended.
    async fn follow_on(&self, client: &Client) -> Error {
        let unable = self.not_recursive.load(Ordering::Relaxed);
        if self.mode == Watching::Nodes || unable {
            return nodes::follow(&self.feed, client).await;
        }
        let mode = AddWatchMode::PersistentRecursive;
        let mut watcher = match client.watch(&self.feed.node, mode).await {
            Ok(watcher) => watcher,
            Err(Error::Unimplemented) => {
                self.not_recursive.store(true, Ordering::Relaxed);
                return nodes::follow(&self.feed, client).await;
            }
            Err(error) => return error,
        };
        self.feed.tell(Hint::anything());
        loop {
            let event = watcher.changed().await;
            if event.event_type == EventType::Session {
                if event.session_state.is_terminated() {
                    return Error::SessionExpired;
                }
            } else if let Some(hint) = self.understand(&event) {
                self.feed.tell(hint);
            }
        }
    }

    /// Translates an event of the recursive watch. An event below a record gives no hint.
    fn understand(&self, event: &WatchedEvent) -> Option<Hint> {
        if event.path == self.feed.node {
            return Some(Hint::anything());
        }
        names::key_at(&self.feed.group, &self.feed.node, &event.path).map(feed::about)
    }
}
