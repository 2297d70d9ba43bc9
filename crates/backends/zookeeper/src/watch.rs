//! Hints: one watch for each group, however many listen.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::{StreamExt, stream};
use incumbent_backend::{GroupName, Hint, Key, WatchStream};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, watch};
use zookeeper_client::{AddWatchMode, Client, Error, EventType, WatchedEvent};

use crate::names;
use crate::nodes;
use crate::session::{Link, Session, connection, lost};
use crate::settings::Watching;

/// Hints kept for a listener that is slow. If it lags further behind, it is told that anything may
/// have changed.
const KEPT_HINTS: usize = 1024;

/// Before a watch is tried again that was refused.
const PAUSE: Duration = Duration::from_secs(1);

/// The groups that somebody listens to.
#[derive(Default)]
pub(crate) struct Watches {
    groups: Mutex<HashMap<GroupName, broadcast::Sender<Hint>>>,
    /// Set when a server said that it has no recursive watches. Old ones cut the connection with
    /// that answer, so they are not asked twice.
    not_recursive: AtomicBool,
}

impl Watches {
    /// Hints about a group, from now on: the first one comes when the watch is in place, and says
    /// that anything may have changed.
    pub(crate) fn watch(
        watches: &Arc<Self>,
        session: &Arc<Session>,
        group: &GroupName,
    ) -> WatchStream {
        let hints = Self::listen(watches, session, group);
        // With the session, which would end if the backend is dropped before the stream.
        stream::unfold((hints, Arc::clone(session)), |(mut hints, session)| async {
            let hint = match hints.recv().await {
                Ok(hint) => hint,
                Err(RecvError::Lagged(_)) => Hint::anything(),
                // Does not happen while there is a session.
                Err(RecvError::Closed) => std::future::pending().await,
            };
            Some((hint, (hints, session)))
        })
        .boxed()
    }

    fn listen(
        watches: &Arc<Self>,
        session: &Arc<Session>,
        group: &GroupName,
    ) -> broadcast::Receiver<Hint> {
        let mut groups = watches.groups();
        if let Some(hints) = groups.get(group) {
            return hints.subscribe();
        }
        let (sender, receiver) = broadcast::channel(KEPT_HINTS);
        groups.insert(group.clone(), sender.clone());
        let watcher = Watcher {
            node: names::group_node(&session.settings.base, group),
            base: session.settings.base.clone(),
            group: group.clone(),
            mode: session.settings.watch,
            links: session.links.clone(),
            hints: sender,
            watches: Arc::clone(watches),
        };
        session.runtime.spawn(watcher.run());
        receiver
    }

    /// Forgets a group that nobody listens to. Whether that is so.
    fn forget(&self, group: &GroupName, hints: &broadcast::Sender<Hint>) -> bool {
        let mut groups = self.groups();
        let alone = hints.receiver_count() == 0;
        if alone {
            groups.remove(group);
        }
        alone
    }

    fn groups(&self) -> MutexGuard<'_, HashMap<GroupName, broadcast::Sender<Hint>>> {
        self.groups.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Watches one group, on the session's thread.
pub(crate) struct Watcher {
    pub(crate) node: String,
    base: String,
    pub(crate) group: GroupName,
    mode: Watching,
    links: watch::Receiver<Link>,
    hints: broadcast::Sender<Hint>,
    watches: Arc<Watches>,
}

impl Watcher {
    async fn run(self) {
        loop {
            tokio::select! {
                biased;
                () = self.hints.closed() => {
                    if self.watches.forget(&self.group, &self.hints) {
                        return;
                    }
                }
                () = self.follow() => {}
            }
        }
    }

    /// Watches on one connection after the other. Each begins with a hint that anything may have
    /// changed.
    async fn follow(&self) {
        let mut links = self.links.clone();
        loop {
            let (client, number) = connection(&mut links).await;
            tokio::select! {
                biased;
                () = lost(&mut links, number) => {}
                refused = self.follow_on(&client) => {
                    tracing::debug!(node = self.node, %refused, "the watch ended");
                    tokio::time::sleep(PAUSE).await;
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
        // Nobody may listen just now.
        let _ = self.hints.send(hint);
    }
}

/// A hint about a key. ZooKeeper does not say which version it has now.
pub(crate) fn about(key: Key) -> Hint {
    Hint {
        key: Some(key),
        version: None,
    }
}
