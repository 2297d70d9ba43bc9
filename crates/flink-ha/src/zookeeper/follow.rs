//! One leader, as its node changes.

use std::time::Duration;

use tokio::time::timeout;
use zookeeper_client::{Client, Error, OneshotWatcher, TlsOptions};

use super::connection::Connection;
use super::place::ZooKeeperPlace;
use crate::component::Component;
use crate::decode;
use crate::follow::{Teller, pauses};
use crate::model::Leader;

/// In which servers must let us in, and answer.
const IN_TIME: Duration = Duration::from_secs(15);

/// Follows until nobody listens.
pub(crate) async fn follow(
    place: ZooKeeperPlace,
    tls: Option<TlsOptions>,
    component: Component,
    teller: Teller,
) {
    let node = format!(
        "{}/leader/{}/connection_info",
        place.base,
        component.in_zookeeper()
    );
    let mut pauses = pauses();
    loop {
        let trouble = match timeout(IN_TIME, Connection::to(&place, tls.as_ref())).await {
            Err(_) => Error::Timeout,
            Ok(Err(trouble)) => trouble,
            Ok(Ok(connection)) => {
                let follower = Follower {
                    client: connection.client(),
                    node: &node,
                    teller: &teller,
                };
                tokio::select! {
                    // First the loss: watches panic after it.
                    biased;
                    lost = connection.lost() => {
                        // It was good until now.
                        pauses = crate::follow::pauses();
                        lost
                    }
                    refused = follower.follow() => refused,
                }
            }
        };
        teller.trouble("ZooKeeper", &trouble);
        tokio::time::sleep(pauses.next().unwrap_or_default()).await;
    }
}

struct Follower<'a> {
    client: &'a Client,
    node: &'a str,
    teller: &'a Teller,
}

impl Follower<'_> {
    /// Tells each state of the node on this connection, until it refuses.
    async fn follow(&self) -> Error {
        loop {
            let watcher = match timeout(IN_TIME, self.look()).await {
                Ok(Ok(watcher)) => {
                    self.teller.well();
                    watcher
                }
                Ok(Err(error)) => return error,
                Err(_) => return Error::Timeout,
            };
            watcher.changed().await;
        }
    }

    /// Tells the present state; what comes after it ends the watch.
    async fn look(&self) -> Result<OneshotWatcher, Error> {
        // The server that we are connected with now may lag behind the one before.
        self.client.sync(self.node).await?;
        loop {
            match self.client.get_and_watch_data(self.node).await {
                Ok((data, _, watcher)) => {
                    self.teller.tell(self.leader(&data));
                    return Ok(watcher);
                }
                Err(Error::NoNode) => {
                    let (found, watcher) = self.client.check_and_watch_stat(self.node).await?;
                    // If it was created just now, it is read in the next turn.
                    if found.is_none() {
                        self.teller.tell(None);
                        return Ok(watcher);
                    }
                }
                Err(error) => return Err(error),
            }
        }
    }

    fn leader(&self, data: &[u8]) -> Option<Leader> {
        decode::connection_info(data).unwrap_or_else(|error| {
            tracing::warn!(node = self.node, %error, "what Flink says of its leader cannot be read");
            None
        })
    }
}
