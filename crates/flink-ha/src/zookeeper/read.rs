//! The whole tree of a cluster, read once.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::{StreamExt, TryStreamExt, stream};
use incumbent_backend::BoxError;
use tokio::time::timeout;
use zookeeper_client::{Client, Error};

use super::connection::Connection;
use super::layout::{Node, Tree, understand};
use super::place::ZooKeeperPlace;
use crate::error::FlinkError;
use crate::model::FlinkCluster;

/// In which all must be read. A person waits for it.
const IN_TIME: Duration = Duration::from_secs(30);

/// Most nodes. A cluster with a thousand jobs of ten checkpoints has some forty thousand.
const MOST_NODES: usize = 200_000;

/// Requests that are under way at once.
const WINDOW: usize = 128;

pub(crate) async fn inspect(place: &ZooKeeperPlace) -> Result<FlinkCluster, FlinkError> {
    let unavailable = |source: Option<BoxError>| FlinkError::Unavailable {
        store: format!("ZooKeeper at {}", place.hosts),
        source,
    };
    let read = async {
        let connection = Connection::to(place).await;
        let connection = connection.map_err(|error| unavailable(Some(error.into())))?;
        tokio::select! {
            biased;
            lost = connection.lost() => Err(unavailable(Some(lost.into()))),
            tree = tree(connection.client(), &place.base) => match tree {
                Err(Unread::TooMuch) => Err(FlinkError::TooMuch { what: "nodes", most: MOST_NODES }),
                Err(Unread::At(what, Error::NoAuth)) => {
                    Err(FlinkError::Refused { what, source: Error::NoAuth.into() })
                }
                Err(Unread::At(_, error)) => Err(unavailable(Some(error.into()))),
                Ok(tree) => Ok(tree),
            },
        }
    };
    let tree = timeout(IN_TIME, read)
        .await
        .unwrap_or_else(|_| Err(unavailable(None)))?;
    if tree.is_empty() {
        return Err(FlinkError::Nothing(format!(
            "{}{}",
            place.hosts, place.base
        )));
    }
    Ok(understand(&tree))
}

enum Unread {
    At(String, Error),
    TooMuch,
}

/// All below a node, by paths relative to it. Empty if the node is not there, or has no children.
async fn tree(client: &Client, base: &str) -> Result<Tree, Unread> {
    let unread = |path: &str| {
        let path = path.to_owned();
        move |error| Unread::At(path, error)
    };
    // What was acknowledged before is seen after this, also on a server that lags behind.
    client.sync(base).await.map_err(unread(base))?;
    let mut tree = BTreeMap::new();
    let mut level = vec![String::new()];
    while !level.is_empty() {
        let nodes = stream::iter(std::mem::take(&mut level)).map(|relative| async move {
            let path = format!("{base}{relative}");
            let (data, children) = (client.get_data(&path), client.list_children(&path));
            let (data, children) = tokio::join!(data, children);
            match (data, children) {
                // It went away meanwhile, as nodes do.
                (Err(Error::NoNode), _) | (_, Err(Error::NoNode)) => Ok(None),
                (Err(error), _) | (_, Err(error)) => Err(unread(&path)(error)),
                (Ok((data, stat)), Ok(children)) => Ok(Some((relative, data, stat, children))),
            }
        });
        let mut nodes = nodes.buffer_unordered(WINDOW);
        while let Some(found) = nodes.try_next().await? {
            let Some((relative, data, stat, children)) = found else {
                continue;
            };
            level.extend(children.iter().map(|child| format!("{relative}/{child}")));
            if tree.len() + level.len() > MOST_NODES {
                return Err(Unread::TooMuch);
            }
            if !relative.is_empty() {
                let owner = stat.ephemeral_owner.cast_unsigned();
                tree.insert(relative, Node { data, owner });
            }
        }
    }
    Ok(tree)
}
