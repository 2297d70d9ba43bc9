//! The clusters below a path.

use zookeeper_client::{Client, Error};

use super::session::{Unread, in_session};
use super::target::ZooKeeperTarget;
use crate::component::{Component, is_job_id};
use crate::decode;
use crate::error::FlinkError;
use crate::model::ClusterSummary;

/// How deep below the path. Flink's own root and an id of three parts fit: `/flink/team/prod/a`.
const DEEPEST: usize = 4;

/// Most nodes whose children are listed. A server may have millions that are not Flink's.
const MOST: usize = 1000;

/// Children that only the node of a cluster has.
const SIGNS: [&str; 3] = ["execution-plans", "jobgraphs", "applications"];

pub(crate) async fn clusters(target: &ZooKeeperTarget) -> Result<Vec<ClusterSummary>, FlinkError> {
    in_session(target, async |client| search(client, target).await).await
}

/// Searches below the path of the address; below the root if that path does not exist.
pub(super) async fn search(
    client: &Client,
    target: &ZooKeeperTarget,
) -> Result<Vec<ClusterSummary>, Unread> {
    let mut found = Vec::new();
    let mut level = vec![target.base.clone()];
    let mut left = MOST;
    for depth in 0..=DEEPEST {
        let mut below = Vec::new();
        for path in std::mem::take(&mut level) {
            if left == 0 {
                break;
            }
            left -= 1;
            let Some(names) = children(client, &path).await? else {
                if depth == 0 && !path.is_empty() {
                    below.push(String::new());
                }
                continue;
            };
            if is_cluster(client, &path, &names).await? {
                found.push(summary(client, target, &path).await?);
            } else {
                let names = names.iter().filter(|name| *name != "zookeeper");
                below.extend(names.map(|name| format!("{path}/{name}")));
            }
        }
        level = below;
    }
    found.sort();
    Ok(found)
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
