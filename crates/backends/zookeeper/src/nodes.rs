//! Watches of single nodes, for servers without recursive watches. Each watch fires once.

use std::collections::HashSet;

use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use incumbent_backend::{Hint, Key};
use zookeeper_client::{Client, Error, EventType, OneshotWatcher, WatchedEvent};

use crate::feed::{Feed, about};
use crate::names;

/// Watches a group's node for new keys, and each key's node for changes, until a watch fails.
/// Returns the error.
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

/// The subject of a watch: a key, or the group as a whole.
type Watched = Option<Key>;

struct Nodes<'a> {
    feed: &'a Feed,
    client: &'a Client,
    /// The watched keys. A removed key stays, because its watch fires when the key is created
    /// again.
    keys: HashSet<Key>,
    events: FuturesUnordered<BoxFuture<'static, (Watched, WatchedEvent)>>,
}

impl Nodes<'_> {
    /// Runs until the session ends.
    async fn run(&mut self) -> Result<(), Error> {
        self.watch_group().await?;
        self.feed.tell(Hint::anything());
        while let Some((watched, event)) = self.events.next().await {
            if event.event_type == EventType::Session {
                return Ok(());
            }
            // Set the next watch first, then give the hint: a change after a listener's read then
            // causes another hint.
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
                    // If the node was created just now, dropping this watch loses nothing.
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
