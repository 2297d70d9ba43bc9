//! One leader, as its node changes.

use std::time::Duration;

use incumbent_backend::jitter;
use tokio::time::{Instant, sleep, timeout};
use zookeeper_client::{Client, Error, OneshotWatcher, TlsOptions};

use super::connection::Connection;
use super::target::ZooKeeperTarget;
use crate::channel::{EntryLog, LeaderSender, pace};
use crate::component::Component;
use crate::decode;

/// How long a server may take to accept a connection, and to answer.
const IN_TIME: Duration = Duration::from_secs(15);

/// Follows until the task is aborted.
pub(crate) async fn follow(
    target: ZooKeeperTarget,
    tls: Option<TlsOptions>,
    component: Component,
    sender: LeaderSender,
) {
    let node = format!(
        "{}/leader/{}/connection_info",
        target.base,
        component.in_zookeeper()
    );
    let mut pace = pace();
    let log = EntryLog::default();
    loop {
        let (failure, lasted) = match timeout(IN_TIME, Connection::to(&target, tls.as_ref())).await
        {
            Err(_) => (Error::Timeout, Duration::ZERO),
            Ok(Err(failure)) => (failure, Duration::ZERO),
            Ok(Ok(connection)) => {
                let begun = Instant::now();
                let follower = Follower {
                    client: connection.client(),
                    node: &node,
                    sender: &sender,
                    log: &log,
                };
                let failure = tokio::select! {
                    // The loss first: watches panic after it.
                    biased;
                    lost = connection.lost() => lost,
                    refused = follower.follow() => refused,
                };
                (failure, begun.elapsed())
            }
        };
        // A server that accepts a connection and drops it is not asked again at once.
        let pause = pace.after_run(lasted, jitter());
        sender.note_failure("ZooKeeper", &failure, pause);
        sleep(pause).await;
    }
}

struct Follower<'a> {
    client: &'a Client,
    node: &'a str,
    sender: &'a LeaderSender,
    log: &'a EntryLog,
}

impl Follower<'_> {
    /// Publishes each state of the node, until a request on this connection fails.
    async fn follow(&self) -> Error {
        loop {
            let watcher = match timeout(IN_TIME, self.look()).await {
                Ok(Ok(watcher)) => {
                    self.sender.note_success();
                    watcher
                }
                Ok(Err(error)) => return error,
                Err(_) => return Error::Timeout,
            };
            watcher.changed().await;
        }
    }

    /// Publishes the present state. The watch that it returns fires at the next change.
    async fn look(&self) -> Result<OneshotWatcher, Error> {
        // This server may lag behind the one before.
        self.client.sync(self.node).await?;
        loop {
            match self.client.get_and_watch_data(self.node).await {
                Ok((data, _, watcher)) => {
                    let leader = decode::connection_info(&data);
                    self.sender.send(self.log.leader(self.node, leader));
                    return Ok(watcher);
                }
                Err(Error::NoNode) => {
                    let (found, watcher) = self.client.check_and_watch_stat(self.node).await?;
                    // If it was created in between, the next turn reads it.
                    if found.is_none() {
                        self.sender.send(None);
                        return Ok(watcher);
                    }
                }
                Err(error) => return Err(error),
            }
        }
    }
}
