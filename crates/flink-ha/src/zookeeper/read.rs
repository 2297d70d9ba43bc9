//! The whole tree of a cluster, read once.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::{StreamExt, TryStreamExt, stream};
use incumbent_backend::BoxError;
use tokio::time::timeout;
use zookeeper_client::{Client, Error};

use super::connection::Connection;
use super::layout::{Node, Tree, children, understand};
use super::place::ZooKeeperPlace;
use crate::decode::shown;
use crate::error::FlinkError;
use crate::model::{FlinkCluster, ProblemKind};
use crate::room::Room;

/// In which all must be read. A person waits for it.
const IN_TIME: Duration = Duration::from_secs(30);

/// Most nodes. A cluster with a thousand jobs of ten checkpoints has some forty thousand.
const MOST_NODES: usize = 200_000;

/// Most names of nodes in a message.
const MOST_NAMED: usize = 10;

/// Requests that are under way at once.
const WINDOW: usize = 128;

pub(crate) async fn inspect(place: &ZooKeeperPlace) -> Result<FlinkCluster, FlinkError> {
    let unavailable = |source: Option<BoxError>| FlinkError::Unavailable {
        store: format!("ZooKeeper at {}", place.hosts),
        source,
    };
    let tls = place.tls()?;
    let read = async {
        let connection = Connection::to(place, tls.as_ref()).await;
        let connection = connection.map_err(|error| unavailable(Some(error.into())))?;
        tokio::select! {
            biased;
            lost = connection.lost() => Err(unavailable(Some(lost.into()))),
            tree = tree(connection.client(), &place.base, Room::usual()) => match tree {
                Err(Unread::TooMuch(error)) => Err(error),
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
    let cluster = understand(&tree);
    if has_nothing(&cluster) {
        return Err(FlinkError::Nothing(nothing_at(place, &tree)));
    }
    Ok(cluster)
}

/// Whether nothing there is Flink's. What is, and cannot be read, is something.
fn has_nothing(cluster: &FlinkCluster) -> bool {
    let mut problems = cluster.problems.iter();
    cluster.elections.is_empty()
        && cluster.leaders.is_empty()
        && cluster.jobs.is_empty()
        && problems.all(|problem| problem.kind == ProblemKind::Unknown)
}

/// Where, and what is there instead: mostly somebody forgot a part of the path.
fn nothing_at(place: &ZooKeeperPlace, tree: &Tree) -> String {
    let at = format!("at {}{}", place.hosts, place.base);
    let mut names: Vec<_> = children(tree, "").collect();
    if names.is_empty() {
        return at;
    }
    let more = names.len() > MOST_NAMED;
    names.truncate(MOST_NAMED);
    let names: Vec<_> = names.into_iter().map(shown).collect();
    let names = names.join(", ") + if more { ", …" } else { "" };
    format!("{at}; it has: {names}; a cluster id comes after the root, as in /flink/CLUSTER-ID")
}

enum Unread {
    At(String, Error),
    TooMuch(FlinkError),
}

impl From<FlinkError> for Unread {
    fn from(error: FlinkError) -> Self {
        Self::TooMuch(error)
    }
}

/// All below a node, by paths relative to it. Empty if the node is not there, or has no children.
async fn tree(client: &Client, base: &str, mut room: Room) -> Result<Tree, Unread> {
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
            if tree.len() + level.len() + children.len() > MOST_NODES {
                let (what, most) = ("nodes", MOST_NODES);
                return Err(FlinkError::TooMuch { what, most }.into());
            }
            let paths = children
                .iter()
                .map(|child| relative.len() + 1 + child.len());
            room.take(paths.sum::<usize>() + data.len())?;
            level.extend(children.iter().map(|child| format!("{relative}/{child}")));
            if !relative.is_empty() {
                let owner = stat.ephemeral_owner.cast_unsigned();
                tree.insert(relative, Node { data, owner });
            }
        }
    }
    Ok(tree)
}

#[cfg(test)]
#[path = "read_tests.rs"]
mod tests;
