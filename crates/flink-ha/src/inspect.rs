//! All of a cluster's data, once; and the clusters of a place.

use std::collections::HashSet;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::address::{FlinkAddress, Target};
use crate::damage;
use crate::error::FlinkError;
use crate::files;
use crate::judge;
use crate::kubernetes::{self, Watched};
use crate::model::{Clusters, FlinkCluster, Problem, Renewal};
use crate::zookeeper;

/// The least time between two readings. What Flink does in several steps, as a takeover or a
/// removal, is mostly done in it.
const BETWEEN: Duration = Duration::from_secs(1);

/// What [`inspect`] does besides reading the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InspectOptions {
    /// On Kubernetes, watch the lock until it is renewed, or its lease has passed: the only proof
    /// that somebody leads. It takes as long as the lease at most (60 s if that is longer).
    pub wait: bool,
    /// Look whether the files that handles point to are there, if their scheme is `file`.
    pub files: bool,
}

impl Default for InspectOptions {
    fn default() -> Self {
        Self {
            wait: true,
            files: false,
        }
    }
}

/// Reads all that a Flink cluster has stored for its high availability, and says what it means.
///
/// The store is read piece by piece while Flink writes. So if something looks wrong, all of it is
/// read again a second later, and only problems of both readings are reported. Nothing is written.
///
/// # Errors
///
/// - [`FlinkError::Address`]: the address names no cluster.
/// - [`FlinkError::Nothing`]: there is no such cluster.
/// - [`FlinkError::Unavailable`]: the store does not answer; try again later.
/// - [`FlinkError::Refused`]: rights are missing.
/// - [`FlinkError::Tls`], [`FlinkError::Config`]: files for TLS, or the kubeconfig, cannot be
///   used.
/// - [`FlinkError::NoRuntime`], [`FlinkError::TooMuch`].
///
/// # Cancel safety
///
/// Dropping the future loses nothing.
pub async fn inspect(
    address: &FlinkAddress,
    options: InspectOptions,
) -> Result<FlinkCluster, FlinkError> {
    let reader = Reader {
        source: address.to_string(),
        store: match address.of_cluster()? {
            Target::Kubernetes(target) => {
                Store::Kubernetes(Box::new(kubernetes::Cluster::connect(target)?))
            }
            Target::ZooKeeper(target) => Store::ZooKeeper(target),
        },
        files: options.files,
    };
    let begun = Instant::now();
    let first = reader.read().await?;
    let watched = match &reader.store {
        Store::Kubernetes(cluster) if options.wait => {
            kubernetes::watch(cluster, &first.elections).await?
        }
        Store::Kubernetes(_) | Store::ZooKeeper(_) => Vec::new(),
    };
    let silent = |(_, seen): &(_, Watched)| matches!(seen, Watched::Silent(_));
    let mut cluster = if first.problems.is_empty() && !watched.iter().any(silent) {
        first
    } else {
        sleep_until(begun + BETWEEN).await;
        let mut second = reader.read().await?;
        keep_confirmed(&mut second.problems, &first.problems);
        second
    };
    add_renewals(&mut cluster, &watched);
    Ok(cluster)
}

/// The clusters that are there: in a namespace, or below a path in ZooKeeper.
///
/// In ZooKeeper four levels below the path are searched, and a thousand nodes at most: first those
/// with `flink` in a name. [`Clusters::stopped_after`] says if there were more. Nodes that the
/// login may not read are passed over.
///
/// # Errors
///
/// As [`inspect`]. That there is none is no error.
pub async fn clusters(address: &FlinkAddress) -> Result<Clusters, FlinkError> {
    match address.target() {
        Target::Kubernetes(target) => {
            let namespace = kubernetes::Cluster::connect(target)?;
            Ok(Clusters {
                clusters: kubernetes::clusters(&namespace).await?,
                stopped_after: None,
            })
        }
        Target::ZooKeeper(target) => zookeeper::clusters(target).await,
    }
}

struct Reader<'a> {
    source: String,
    store: Store<'a>,
    files: bool,
}

enum Store<'a> {
    Kubernetes(Box<kubernetes::Cluster>),
    ZooKeeper(&'a zookeeper::ZooKeeperTarget),
}

impl Reader<'_> {
    async fn read(&self) -> Result<FlinkCluster, FlinkError> {
        let mut cluster = match &self.store {
            Store::Kubernetes(cluster) => kubernetes::read(cluster, &self.source).await?,
            Store::ZooKeeper(target) => zookeeper::read(target, &self.source).await?,
        };
        if self.files {
            files::look(&mut cluster).await;
            judge::files(&mut cluster);
        }
        Ok(cluster)
    }
}

/// Leaves only the problems that were there before.
fn keep_confirmed(problems: &mut Vec<Problem>, before: &[Problem]) {
    let before: HashSet<_> = before.iter().map(|it| (&*it.key, it.kind)).collect();
    problems.retain(|problem| before.contains(&(&*problem.key, problem.kind)));
}

fn add_renewals(cluster: &mut FlinkCluster, watched: &[(String, Watched)]) {
    let jobs = cluster.stored_jobs();
    let mut found = Vec::new();
    for election in &mut cluster.elections {
        let seen = watched.iter().find(|(key, _)| *key == election.key);
        let Some((key, seen)) = seen else { continue };
        election.renewal = Some(match *seen {
            Watched::Changed(at) => Renewal::Renewed { ago: at.elapsed() },
            Watched::Silent(watched) => Renewal::Silent { watched },
        });
        let lease = election.lock.as_ref().and_then(|lock| lock.lease());
        // A free lock is a problem of its own.
        if let (Watched::Silent(watched), Some(_)) = (*seen, &election.holder) {
            found.push(match lease {
                Some(lease) if watched >= lease => damage::lock_silent(key, watched, lease, jobs),
                lease => damage::lock_not_renewed_yet(key, watched, lease),
            });
        }
    }
    cluster.problems.append(&mut found);
    judge::sort(cluster);
}
