//! Watches of single nodes, each of which tells of one change: for servers without recursive ones.

use std::collections::HashSet;

use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use incumbent_backend::{Hint, Key};
use zookeeper_client::{Client, Error, EventType, OneshotWatcher, WatchedEvent};

use crate::feed::{Feed, about};
use crate::names;

/// Watches a group's node for keys that come, and each key's node for changes, until that ends; and
/// why it did.
pub(crate) async fn follow(feed: &Feed, client: &Client) -> Error {
    let mut nodes = Nodes {
        feed,
        client,
        keys: HashSet::new(),
        events: FuturesUnordered::new(),
    };
    match nodes.run().await {
        Ok(()) => Error::SessionExpired,
        Err(error) => error,
    }
}

/// What a watch is on: a key, or the group as a whole.
type Watched = Option<Key>;

struct Nodes<'a> {
    feed: &'a Feed,
    client: &'a Client,
    /// Those that are watched. One that is removed stays: its watch tells when it comes back.
    keys: HashSet<Key>,
    events: FuturesUnordered<BoxFuture<'static, (Watched, WatchedEvent)>>,
}

impl Nodes<'_> {
    /// Ends with the session.
    async fn run(&mut self) -> Result<(), Error> {
        self.watch_group().await?;
        self.feed.tell(Hint::anything());
        while let Some((watched, event)) = self.events.next().await {
            if event.event_type == EventType::Session {
                return Ok(());
            }
            // First the next watch, then the hint: a change after a listener has read causes
            // another hint.
            match watched {
                None => {
                    self.watch_group().await?;
                    self.feed.tell(Hint::anything());
                }
                Some(key) => {
                    self.watch_key(key.clone()).await?;
                    self.feed.tell(about(key));
                }
            }
        }
        Ok(())
    }

    async fn watch_group(&mut self) -> Result<(), Error> {
        let node = &self.feed.node;
        loop {
            match self.client.get_and_watch_children(node).await {
                Ok((children, _, next)) => {
                    self.push(None, next);
                    for name in &children {
                        if let Some(key) = names::key_of(&self.feed.group, name)
                            && self.keys.insert(key.clone())
                        {
                            self.watch_key(key).await?;
                        }
                    }
                    return Ok(());
                }
                Err(Error::NoNode) => {
                    let (found, next) = self.client.check_and_watch_stat(node).await?;
                    // If it was created just now, nothing is missed by leaving that watch.
                    if found.is_none() {
                        self.push(None, next);
                        return Ok(());
                    }
                }
                Err(error) => return Err(error),
            }
        }
    }

    async fn watch_key(&mut self, key: Key) -> Result<(), Error> {
        let node = self.feed.key_node(&key);
        let (_, next) = self.client.check_and_watch_stat(&node).await?;
        self.push(Some(key), next);
        Ok(())
    }

    fn push(&mut self, watched: Watched, next: OneshotWatcher) {
        let event = async move { (watched, next.changed().await) };
        self.events.push(Box::pin(event));
    }
}
