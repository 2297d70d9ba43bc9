//! The clusters below a path.

use std::collections::VecDeque;

use zookeeper_client::{Client, Error};

use super::session::{Unread, in_session};
use super::target::ZooKeeperTarget;
use crate::component::{Component, is_job_id};
use crate::decode;
use crate::error::FlinkError;
use crate::model::{ClusterSummary, Clusters};

/// How deep below the path. Flink's own root and an id of three parts fit: `/flink/team/prod/a`.
const DEEPEST: usize = 4;

/// Most nodes whose children are listed. A server may have millions that are not Flink's.
const MOST: usize = 1000;

/// Children that only the node of a cluster has.
const SIGNS: [&str; 3] = ["execution-plans", "jobgraphs", "applications"];

/// Paths with this in a name below the address are searched first: Flink's own root is `/flink`.
const LIKELY: &str = "flink";

pub(crate) async fn clusters(target: &ZooKeeperTarget) -> Result<Clusters, FlinkError> {
    in_session(target, async |client| search(client, target).await).await
}

/// Searches below the path of the address; below the root if that path does not exist.
pub(super) async fn search(client: &Client, target: &ZooKeeperTarget) -> Result<Clusters, Unread> {
    let mut found = Clusters::default();
    let mut searched = 0;
    let mut waiting = Waiting::at(&target.base);
    while let Some(node) = waiting.take() {
        if searched == MOST {
            found.stopped_after = Some(MOST);
            break;
        }
        searched += 1;
        let Some(names) = children(client, &node.path).await? else {
            if node.depth == 0 && !node.path.is_empty() {
                waiting = Waiting::at("");
            }
            continue;
        };
        if is_cluster(client, &node.path, &names).await? {
            let cluster = summary(client, target, &node.path).await?;
            found.clusters.push(cluster);
        } else {
            waiting.add(&node, &names);
        }
    }
    found.clusters.sort();
    Ok(found)
}

/// The nodes that are still to be searched: likely ones first, and of those the nearest.
struct Waiting {
    likely: VecDeque<Node>,
    others: VecDeque<Node>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Node {
    path: String,
    depth: usize,
    likely: bool,
}

impl Waiting {
    fn at(base: &str) -> Self {
        let node = Node {
            path: base.to_owned(),
            depth: 0,
            likely: false,
        };
        Self {
            likely: VecDeque::new(),
            others: VecDeque::from([node]),
        }
    }

    fn take(&mut self) -> Option<Node> {
        self.likely.pop_front().or_else(|| self.others.pop_front())
    }

    /// Adds the children of a node that is no cluster. A likely node's children are likely too.
    fn add(&mut self, parent: &Node, names: &[String]) {
        if parent.depth == DEEPEST {
            return;
        }
        for name in names.iter().filter(|name| *name != "zookeeper") {
            let node = Node {
                path: format!("{}/{name}", parent.path),
                depth: parent.depth + 1,
                likely: parent.likely || name.to_ascii_lowercase().contains(LIKELY),
            };
            let queue = if node.likely {
                &mut self.likely
            } else {
                &mut self.others
            };
            queue.push_back(node);
        }
    }
}

/// The names of a node's children. `None` if it does not exist, or the login has no right
/// to read it.
async fn children(client: &Client, path: &str) -> Result<Option<Vec<String>>, Unread> {
    let shown = if path.is_empty() { "/" } else { path };
    match client.list_children(shown).await {
        Ok(names) => Ok(Some(names)),
        Err(Error::NoNode | Error::NoAuth) => Ok(None),
        Err(error) => Err(Unread::At(shown.to_owned(), error)),
    }
}

async fn is_cluster(client: &Client, path: &str, names: &[String]) -> Result<bool, Unread> {
    let has = |names: &[String], name: &str| names.iter().any(|it| it == name);
    if !path.is_empty() && SIGNS.iter().any(|sign| has(names, sign)) {
        return Ok(true);
    }
    if path.is_empty() || !has(names, "leader") {
        return Ok(false);
    }
    let leaders = children(client, &format!("{path}/leader")).await?;
    let leaders = leaders.unwrap_or_default();
    Ok(has(&leaders, "latch") || has(&leaders, "dispatcher"))
}

async fn summary(
    client: &Client,
    target: &ZooKeeperTarget,
    path: &str,
) -> Result<ClusterSummary, Unread> {
    let mut jobs = Vec::new();
    for directory in ["execution-plans", "jobgraphs"] {
        let names = children(client, &format!("{path}/{directory}")).await?;
        jobs.extend(names.into_iter().flatten().filter(|name| is_job_id(name)));
    }
    jobs.sort_unstable();
    jobs.dedup();
    let rest = Component::RestServer.in_zookeeper();
    let node = format!("{path}/leader/{rest}/connection_info");
    let leader = match client.get_data(&node).await {
        Ok((data, _)) => decode::connection_info(&data).ok().flatten(),
        Err(Error::NoNode | Error::NoAuth) => None,
        Err(error) => return Err(Unread::At(node, error)),
    };
    Ok(ClusterSummary {
        name: path.to_owned(),
        address: format!("zookeeper://{}{path}", target.hosts),
        rest_server: leader.map(|leader| leader.address),
        jobs: jobs.len(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn likely_nodes_are_searched_before_a_crowd() {
        let mut waiting = Waiting::at("");
        let root = waiting.take().unwrap();
        waiting.add(
            &root,
            &["a", "zookeeper", "Flink-prod", "b"].map(str::to_owned),
        );
        let mut searched = Vec::new();
        while let Some(node) = waiting.take() {
            if node.depth == 1 {
                waiting.add(&node, &["c".to_owned()]);
            }
            searched.push(node.path);
        }
        let expected = ["/Flink-prod", "/Flink-prod/c", "/a", "/b", "/a/c", "/b/c"];
        assert_eq!(searched, expected);
    }

    #[test]
    fn nothing_deeper_than_the_limit_is_searched() {
        let mut waiting = Waiting::at("/flink");
        let mut last = None;
        while let Some(node) = waiting.take() {
            waiting.add(&node, &["a".to_owned()]);
            last = Some(node.path);
        }
        assert_eq!(last.as_deref(), Some("/flink/a/a/a/a"));
    }
}
