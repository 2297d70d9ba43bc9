//! Hints: one watch for each group, however many listen.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::StreamExt;
use incumbent_backend::hints::{Feeds, Hints};
use incumbent_backend::{GroupName, Hint, Key, Pace, WatchStream, jitter};
use tokio::sync::watch;
use tokio::time::{Instant, sleep};
use zookeeper_client::{AddWatchMode, Client, Error, EventType, WatchedEvent};

use crate::names;
use crate::nodes;
use crate::session::{Link, Session, connection, lost};
use crate::settings::Watching;

/// Pauses before a watch is set again that was refused.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// The watches of one backend.
#[derive(Clone)]
pub(crate) struct Watches {
    hints: Arc<Hints>,
    /// Set when a server said that it has no recursive watches. Old ones close the connection with
    /// that answer, so they are not asked twice.
    not_recursive: Arc<AtomicBool>,
}

impl Watches {
    pub(crate) fn new() -> Self {
        Self {
            hints: Hints::new(Feeds::EachGroup),
            not_recursive: Arc::default(),
        }
    }

    /// Hints about a group, from now on. The first one comes when the watch is in place, and says
    /// that anything may have changed.
    pub(crate) fn watch(&self, session: &Arc<Session>, group: &GroupName) -> WatchStream {
        let listener = self.hints.listen(group, || {
            let watcher = Watcher {
                node: names::group_node(&session.settings.base, group),
                base: session.settings.base.clone(),
                group: group.clone(),
                mode: session.settings.watch,
                links: session.links.clone(),
                watches: self.clone(),
            };
            Some(session.runtime.spawn(watcher.follow()).abort_handle())
        });
        // With the session, which must not end if the backend is dropped before the stream.
        let session = Arc::clone(session);
        let hints = listener.into_stream().inspect(move |_| {
            let _ = &session;
        });
        hints.boxed()
    }
}

/// Watches one group, on the session's thread.
pub(crate) struct Watcher {
    pub(crate) node: String,
    base: String,
    pub(crate) group: GroupName,
    mode: Watching,
    links: watch::Receiver<Link>,
    watches: Watches,
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
                    tracing::debug!(node = self.node, %refused, "the watch ended; watching again in {pause:.1?}");
                    sleep(pause).await;
                }
            }
        }
    }

    /// Watches until that ends, and why it did.
    async fn follow_on(&self, client: &Client) -> Error {
        let unable = self.watches.not_recursive.load(Ordering::Relaxed);
        if self.mode == Watching::Nodes || unable {
            return nodes::follow(self, client).await;
        }
        let mode = AddWatchMode::PersistentRecursive;
        let mut watcher = match client.watch(&self.node, mode).await {
            Ok(watcher) => watcher,
            Err(Error::Unimplemented) => {
                self.watches.not_recursive.store(true, Ordering::Relaxed);
                return nodes::follow(self, client).await;
            }
            Err(error) => return error,
        };
        self.tell(Hint::anything());
        loop {
            let event = watcher.changed().await;
            if event.event_type == EventType::Session {
                if event.session_state.is_terminated() {
                    return Error::SessionExpired;
                }
            } else if let Some(hint) = self.understand(&event) {
                self.tell(hint);
            }
        }
    }

    /// What an event of the recursive watch says; nothing if it is about what lies below a record.
    fn understand(&self, event: &WatchedEvent) -> Option<Hint> {
        if event.path == self.node {
            return Some(Hint::anything());
        }
        names::key_at(&self.group, &self.node, &event.path).map(about)
    }

    /// The node of a key.
    pub(crate) fn key_node(&self, key: &Key) -> String {
        names::key_node(&self.base, key)
    }

    pub(crate) fn tell(&self, hint: Hint) {
        self.watches.hints.tell(&self.group, hint);
    }
}

/// A hint about a key. ZooKeeper does not say which version it has now.
pub(crate) fn about(key: Key) -> Hint {
    Hint {
        key: Some(key),
        version: None,
    }
}
