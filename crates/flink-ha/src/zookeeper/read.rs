//! The whole tree of a cluster, read once.

use std::collections::BTreeMap;

use futures::{StreamExt, TryStreamExt, stream};
use zookeeper_client::{Client, Error};

use super::clusters::search;
use super::layout::{Node, Tree, children, understand};
use super::session::{Unread, in_session};
use super::target::ZooKeeperTarget;
use crate::budget::ByteBudget;
use crate::decode::shortened;
use crate::error::FlinkError;
use crate::model::{ClusterSummary, FlinkCluster, ProblemKind};

/// Most nodes. A cluster with a thousand jobs of ten checkpoints has about forty thousand.
const MOST_NODES: usize = 200_000;

/// Most names in a message.
const MOST_NAMED: usize = 10;

/// Requests that are under way at once.
const WINDOW: usize = 128;

pub(crate) async fn read(
    target: &ZooKeeperTarget,
    source: &str,
) -> Result<FlinkCluster, FlinkError> {
    in_session(target, async |client| {
        let tree = tree(client, &target.base, ByteBudget::of_cluster()).await?;
        let cluster = understand(source, &tree);
        if has_nothing(&cluster) {
            let others = search(client, target).await?;
            return Err(FlinkError::Nothing(nothing_at(target, &tree, &others.clusters)).into());
        }
        Ok(cluster)
    })
    .await
}

/// All nodes below that of the cluster; none if there is no such node.
pub(crate) async fn nodes(target: &ZooKeeperTarget) -> Result<Tree, FlinkError> {
    in_session(target, async |client| {
        tree(client, &target.base, ByteBudget::of_cluster()).await
    })
    .await
}

/// Whether nothing there is Flink's. An entry of Flink's that is unreadable is something.
fn has_nothing(cluster: &FlinkCluster) -> bool {
    let mut problems = cluster.problems.iter();
    cluster.elections.is_empty()
        && cluster.leaders.is_empty()
        && cluster.applications.is_empty()
        && cluster.jobs.is_empty()
        && problems
            .all(|problem| matches!(problem.kind, ProblemKind::Unknown | ProblemKind::NoLeader))
}

/// Where nothing is, and what is there instead: most often a part of the path is missing.
fn nothing_at(target: &ZooKeeperTarget, tree: &Tree, others: &[ClusterSummary]) -> String {
    let at = format!("at {}{}", target.hosts, target.base);
    let (has, names): (_, Vec<_>) = if others.is_empty() {
        let names = children(tree, "").map(shortened);
        ("this node has", names.collect())
    } else {
        let names = others.iter().map(|other| other.name.clone());
        ("there are", names.collect())
    };
    if names.is_empty() {
        return at;
    }
    let more = if names.len() > MOST_NAMED {
        ", …"
    } else {
        ""
    };
    let names: Vec<_> = names.into_iter().take(MOST_NAMED).collect();
    format!("{at}; {has}: {}{more}", names.join(", "))
}

/// Everything below a node, by paths relative to it. Empty if the node is missing or has no
/// children.
async fn tree(client: &Client, base: &str, mut budget: ByteBudget) -> Result<Tree, Unread> {
    let unread = |path: &str| {
        let path = path.to_owned();
        move |error| Unread::At(path, error)
    };
    // After this, a server that lags behind has all that was acknowledged before.
    client.sync(base).await.map_err(unread(base))?;
    let mut tree = BTreeMap::new();
    let mut level = vec![String::new()];
    while !level.is_empty() {
        let nodes = stream::iter(std::mem::take(&mut level)).map(|relative| async move {
            let path = format!("{base}{relative}");
            let (data, children) = (client.get_data(&path), client.list_children(&path));
            let (data, children) = tokio::join!(data, children);
            match (data, children) {
                // It was deleted meanwhile, as nodes are.
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
            budget.take(paths.sum::<usize>() + data.len())?;
            level.extend(children.iter().map(|child| format!("{relative}/{child}")));
            if !relative.is_empty() {
                let owner = stat.ephemeral_owner.cast_unsigned();
                let version = stat.version;
                let node = Node {
                    data,
                    owner,
                    version,
                };
                tree.insert(relative, node);
            }
        }
    }
    Ok(tree)
}

#[cfg(test)]
#[path = "read_tests.rs"]
mod tests;
