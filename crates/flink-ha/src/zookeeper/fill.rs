//! Closing, filling and opening the nodes of a cluster.

use std::collections::BTreeMap;

use futures::{TryStreamExt, stream};
use zookeeper_client::{Acls, Client, CreateMode, CreateOptions, Error, MultiWriter};

use super::contents::{GATE, Group, LATCH, directories, gate, missing};
use super::layout::Tree;
use super::session::{Unread, in_long_session};
use super::target::ZooKeeperTarget;
use crate::data::{Entry, Gate, Item, Noted};
use crate::error::FlinkError;

/// Transactions that are under way at once.
const WINDOW: usize = 32;

/// Most bytes of names and data in one transaction. ZooKeeper takes a request of 1 MiB by default.
const MOST_BYTES: usize = 256 * 1024;

/// How often a directory is made that the server removes meanwhile: Curator lets it remove empty
/// ones.
const ATTEMPTS: usize = 5;

/// As Flink creates its nodes, unless it is set up with `…client.acl: creator`.
fn open_to_all() -> CreateOptions<'static> {
    CreateMode::Persistent.with_acls(Acls::anyone_all())
}

/// Closes the cluster's gate: from then on no Flink leads there.
pub(crate) async fn close(target: &ZooKeeperTarget, closed: &Gate) -> Result<(), FlinkError> {
    in_long_session(target, async |client| {
        let (latch, text) = (format!("{}{LATCH}", target.base), closed.text());
        let path = format!("{}{}", target.base, gate());
        let mut attempt = 0;
        loop {
            make_directory(client, &latch).await?;
            match client.create(&path, text.as_bytes(), &open_to_all()).await {
                Ok(_) => break,
                Err(Error::NoNode) if attempt < ATTEMPTS => attempt += 1,
                Err(error) => return Err(failed("create", &path, error)),
            }
        }
        // A JobManager that came before the gate may lead by now.
        let others = client.list_children(&latch).await;
        let others = others.map_err(|error| Unread::At(latch.clone(), error))?;
        if others.iter().any(|child| child != GATE) {
            let deleted = client.delete(&path, Some(0)).await;
            deleted.map_err(|error| failed("delete", &path, error))?;
            return Err(FlinkError::Changed(latch).into());
        }
        Ok(())
    })
    .await
}

/// Creates what is missing of these entries: what belongs to jobs first, and last that by which
/// Flink finds the jobs. What belongs to one job is one transaction, if it fits into one.
///
/// Each transaction checks that the gate is still as it was read. If another process completes the
/// same copy meanwhile, a Flink may lead there and remove entries: nothing brings them back.
pub(crate) async fn fill(
    target: &ZooKeeperTarget,
    tree: &Tree,
    entries: &BTreeMap<Item, Entry>,
    copied: &(dyn Fn(usize) + Sync),
) -> Result<(), FlinkError> {
    let groups = missing(tree, entries).map_err(|Noted { key, why }| FlinkError::Rejected {
        what: key,
        source: why.into(),
    })?;
    let (last, first): (Vec<_>, Vec<_>) = groups
        .into_iter()
        .partition(|group| !group[0].0.starts_with("/jobs/"));
    let gate = guard(tree).ok_or_else(|| FlinkError::Changed(gate()))?;
    in_long_session(target, async |client| {
        for directory in directories(entries) {
            make_directory(client, &format!("{}{directory}", target.base)).await?;
        }
        for groups in [first, last] {
            stream::iter(groups.into_iter().map(Ok::<_, Unread>))
                .try_for_each_concurrent(WINDOW, |group| async move {
                    for nodes in chunks(group) {
                        create_all(client, &target.base, gate, &nodes).await?;
                        copied(nodes.len());
                    }
                    Ok(())
                })
                .await?;
        }
        Ok(())
    })
    .await
}

/// Opens the gate: from then on a Flink that starts there leads, and starts the jobs.
pub(crate) async fn open(target: &ZooKeeperTarget, tree: &Tree) -> Result<(), FlinkError> {
    let Some(node) = tree.get(&gate()) else {
        return Err(FlinkError::Changed(gate()));
    };
    in_long_session(target, async |client| {
        let path = format!("{}{}", target.base, gate());
        let deleted = client.delete(&path, Some(node.version)).await;
        deleted.map_err(|error| failed("delete", &path, error))
    })
    .await
}

async fn make_directory(client: &Client, path: &str) -> Result<(), Unread> {
    let made = client.mkdir(path, &open_to_all()).await;
    made.map_err(|error| failed("create", path, error))
}

/// The version of the gate that was read, if there was one.
pub(super) fn guard(tree: &Tree) -> Option<i32> {
    tree.get(&gate()).map(|node| node.version)
}

/// A transaction that changes nothing unless the gate has this version.
pub(super) fn guarded<'a>(
    client: &'a Client,
    base: &str,
    version: i32,
) -> Result<MultiWriter<'a>, Unread> {
    let path = format!("{base}{}", gate());
    let mut multi = client.new_multi_writer();
    let added = multi.add_check_version(&path, version);
    added.map_err(|error| failed("check", &path, error))?;
    Ok(multi)
}

async fn create_all(
    client: &Client,
    base: &str,
    gate: i32,
    nodes: &[(String, Vec<u8>)],
) -> Result<(), Unread> {
    let mut multi = guarded(client, base, gate)?;
    let first = nodes.first().map_or("", |(path, _)| path);
    let what = format!("{base}{first}");
    for (path, data) in nodes {
        let added = multi.add_create(&format!("{base}{path}"), data, &open_to_all());
        added.map_err(|error| failed("create", &what, error))?;
    }
    let done = multi.commit().await.map_err(Error::from);
    done.map(drop)
        .map_err(|error| failed("create", &what, error))
}

/// Parts that each fit into a transaction.
fn chunks(nodes: Group) -> Vec<Group> {
    let mut chunks = vec![Vec::new()];
    let mut bytes = 0;
    for (path, data) in nodes {
        let size = path.len() + data.len();
        if bytes + size > MOST_BYTES && bytes > 0 {
            chunks.push(Vec::new());
            bytes = 0;
        }
        bytes += size;
        chunks
            .last_mut()
            .expect("there is a first one")
            .push((path, data));
    }
    chunks
}

/// Why a write failed.
pub(super) fn failed(verb: &str, path: &str, error: Error) -> Unread {
    let what = format!("{verb} of {path}");
    Unread::Flink(match error {
        Error::NoAuth | Error::InvalidAcl => FlinkError::Refused {
            what,
            source: error.into(),
        },
        Error::NodeExists | Error::NoNode | Error::BadVersion | Error::NotEmpty => {
            FlinkError::Changed(path.to_owned())
        }
        Error::QuotaExceeded | Error::BadArguments(_) | Error::NoChildrenForEphemerals => {
            FlinkError::Rejected {
                what,
                source: error.into(),
            }
        }
        error => FlinkError::Unknown {
            what,
            source: Some(error.into()),
        },
    })
}

#[cfg(test)]
#[path = "gate_tests.rs"]
mod tests;
