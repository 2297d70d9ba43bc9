//! Removing nodes, and setting counters: only what is still as it was read.

use zookeeper_client::{Acls, Client, CreateMode, Error, MultiWriter};

use super::contents::{gate, path};
use super::fill::{failed, guard, guarded};
use super::layout::{APPLICATIONS, GRAPHS, PLANS, Tree, children};
use super::session::{Unread, in_long_session};
use super::target::ZooKeeperTarget;
use crate::clean::Change;
use crate::data::Item;
use crate::error::FlinkError;

/// Most operations in one transaction. Each takes some hundred bytes, and ZooKeeper accepts a
/// request of 1 MiB by default.
const MOST: usize = 500;

/// Carries out these changes. What another process has changed since it was read stays.
///
/// If the gate was closed when it was read, each transaction checks that it still is: once it is
/// open, somebody may use what is behind it.
pub(crate) async fn sweep(
    target: &ZooKeeperTarget,
    tree: &Tree,
    changes: &[Change],
) -> Result<(), FlinkError> {
    in_long_session(target, async |client| {
        for change in changes {
            match change {
                Change::Entry(key) => remove(client, target, tree, key).await?,
                Change::Job(job) => remove(client, target, tree, &format!("/jobs/{job}")).await?,
                Change::Counter { job, next } => set(client, target, tree, job, *next).await?,
                Change::Copy => {
                    for directory in ["jobs", PLANS, GRAPHS, APPLICATIONS] {
                        let directory = format!("/{directory}");
                        for child in children(tree, &directory) {
                            let path = format!("{directory}/{child}");
                            remove(client, target, tree, &path).await?;
                        }
                    }
                    // The gate goes after all that it guards.
                    remove(client, target, tree, &gate()).await?;
                }
            }
        }
        Ok(())
    })
    .await
}

/// Removes a node and all that was below it when it was read.
async fn remove(
    client: &Client,
    target: &ZooKeeperTarget,
    tree: &Tree,
    top: &str,
) -> Result<(), Unread> {
    let below = format!("{top}/");
    let mut nodes: Vec<_> = tree
        .iter()
        .filter(|(path, _)| *path == top || path.starts_with(&below))
        .collect();
    // Children come after their parents in the tree.
    nodes.reverse();
    for nodes in nodes.chunks(MOST) {
        // The removal of the gate is itself such a check.
        let mut multi = match top == gate() {
            true => client.new_multi_writer(),
            false => transaction(client, target, tree)?,
        };
        for (path, node) in nodes {
            let full = format!("{}{path}", target.base);
            if node.owner != 0 {
                return Err(FlinkError::Changed(full).into());
            }
            // A node that was made anew has the same version.
            let (data, _) = client
                .get_data(&full)
                .await
                .map_err(|error| failed("read", &full, error))?;
            if data != node.data {
                return Err(FlinkError::Changed(full).into());
            }
            multi
                .add_delete(&full, Some(node.version))
                .map_err(|error| failed("delete", &full, error))?;
        }
        let done = multi.commit().await.map_err(Error::from);
        done.map_err(|error| failed("delete", &format!("{}{top}", target.base), error))?;
    }
    Ok(())
}

fn transaction<'a>(
    client: &'a Client,
    target: &ZooKeeperTarget,
    tree: &Tree,
) -> Result<MultiWriter<'a>, Unread> {
    match guard(tree) {
        Some(version) => guarded(client, &target.base, version),
        None => Ok(client.new_multi_writer()),
    }
}

async fn set(
    client: &Client,
    target: &ZooKeeperTarget,
    tree: &Tree,
    job: &str,
    next: u64,
) -> Result<(), Unread> {
    let relative = path(&Item::Counter { job: job.into() });
    let full = format!("{}{relative}", target.base);
    let bytes = i32::try_from(next)
        .map_err(|_| FlinkError::Rejected {
            what: full.clone(),
            source: "ZooKeeper's counter has 31 bits".into(),
        })?
        .to_be_bytes();
    let mut multi = transaction(client, target, tree)?;
    let added = if let Some(node) = tree.get(&relative) {
        multi.add_set_data(&full, &bytes, Some(node.version))
    } else {
        let options = CreateMode::Persistent.with_acls(Acls::anyone_all());
        let parents = ["/jobs".to_owned(), format!("/jobs/{job}")];
        let missing = parents.iter().filter(|parent| !tree.contains_key(*parent));
        let mut added = Ok(());
        for parent in missing {
            let parent = format!("{}{parent}", target.base);
            added = added.and_then(|()| multi.add_create(&parent, b"", &options));
        }
        added.and_then(|()| multi.add_create(&full, &bytes, &options))
    };
    added.map_err(|error| failed("write", &full, error))?;
    let done = multi.commit().await.map_err(Error::from);
    done.map(drop)
        .map_err(|error| failed("write", &full, error))
}
