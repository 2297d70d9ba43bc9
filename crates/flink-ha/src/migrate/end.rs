//! One end of a migration: a store, behind the few things that are done with it.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::ConfigMap;

use crate::address::{FlinkAddress, Target};
use crate::clean::Change;
use crate::data::{Contents, DeleteMarker, Entry, Gate, Item};
use crate::error::FlinkError;
use crate::kubernetes::{self, Watched};
use crate::plan::{Life, Places};
use crate::zookeeper;

pub(crate) enum End {
    Kubernetes(Box<kubernetes::Cluster>),
    ZooKeeper(Box<zookeeper::ZooKeeperTarget>),
}

/// What was read, with the versions that writes name.
pub(crate) struct Seen {
    pub(crate) contents: Contents,
    pub(crate) raw: Raw,
}

pub(crate) enum Raw {
    Maps(Vec<ConfigMap>),
    Tree(zookeeper::Tree),
}

impl Seen {
    /// Whether nothing at all was found.
    pub(crate) fn is_nothing(&self) -> bool {
        match &self.raw {
            Raw::Maps(maps) => maps.is_empty(),
            Raw::Tree(tree) => tree.is_empty(),
        }
    }

    fn maps(&self) -> &[ConfigMap] {
        match &self.raw {
            Raw::Maps(maps) => maps,
            Raw::Tree(_) => &[],
        }
    }
}

impl End {
    pub(crate) fn of(address: &FlinkAddress) -> Result<Self, FlinkError> {
        Ok(match address.of_cluster()? {
            Target::Kubernetes(target) => {
                Self::Kubernetes(Box::new(kubernetes::Cluster::connect(target)?))
            }
            Target::ZooKeeper(target) => Self::ZooKeeper(target.clone()),
        })
    }

    /// Its address without login and options, and with the namespace that it means.
    pub(crate) fn address(&self) -> String {
        match self {
            Self::Kubernetes(cluster) => {
                format!("kubernetes://{}/{}", cluster.namespace(), cluster.id)
            }
            Self::ZooKeeper(target) => format!("zookeeper://{}{}", target.hosts, target.base),
        }
    }

    /// The error of what needs a cluster here.
    pub(crate) fn nothing(&self) -> FlinkError {
        FlinkError::Nothing(format!("at {}", self.address()))
    }

    pub(crate) fn places(&self, marker: DeleteMarker) -> Places {
        let address = self.address();
        match self {
            Self::Kubernetes(cluster) => Places::Kubernetes {
                address,
                cluster: cluster.id.clone(),
                marker,
            },
            Self::ZooKeeper(target) => Places::ZooKeeper {
                address,
                base: target.base.clone(),
            },
        }
    }

    /// Everything that is there. Nothing is no error.
    pub(crate) async fn read(&self) -> Result<Seen, FlinkError> {
        let address = self.address();
        Ok(match self {
            Self::Kubernetes(cluster) => {
                let maps = kubernetes::maps(cluster).await?;
                Seen {
                    contents: kubernetes::contents(&address, &cluster.id, &maps),
                    raw: Raw::Maps(maps),
                }
            }
            Self::ZooKeeper(target) => {
                let tree = zookeeper::nodes(target).await?;
                Seen {
                    contents: zookeeper::contents(&address, &tree),
                    raw: Raw::Tree(tree),
                }
            }
        })
    }

    /// Whether somebody leads.
    pub(crate) async fn life(&self, seen: &Seen, wait: bool) -> Result<Life, FlinkError> {
        let Self::Kubernetes(cluster) = self else {
            return Ok(match &seen.contents.in_use[..] {
                [] => Life::Nobody,
                [first, rest @ ..] => {
                    let more = match rest.len() {
                        0 => String::new(),
                        more => format!(", and {more} more such"),
                    };
                    Life::Leads(format!(
                        "{}: {}{more}. Stop the JobManagers; the nodes of one that was killed go \
                         when its session times out (Flink asks for 60 s)",
                        first.key, first.why
                    ))
                }
            });
        };
        let elections = &seen.contents.cluster.elections;
        let held: Vec<_> = elections
            .iter()
            .filter(|election| election.holder.is_some())
            .cloned()
            .collect();
        let Some(first) = held.first() else {
            return Ok(Life::Nobody);
        };
        if !wait {
            return Ok(Life::NotWatched(format!(
                "the lock in {} has a holder, and was not watched: only time tells whether it is \
                 alive",
                first.key
            )));
        }
        for (key, seen) in kubernetes::watch(cluster, &held).await? {
            let lease = held
                .iter()
                .find(|election| election.key == key)
                .and_then(|election| election.lock.as_ref()?.lease());
            match (seen, lease) {
                (Watched::Changed(_), _) => {
                    let why = format!("the lock in {key} is renewed: a JobManager leads");
                    return Ok(Life::Leads(why));
                }
                (Watched::Silent(watched), Some(lease)) if watched >= lease => {}
                (Watched::Silent(_), _) => {
                    let why = format!("the lock in {key} has a lease longer than it was watched");
                    return Ok(Life::Leads(why));
                }
            }
        }
        Ok(Life::Nobody)
    }

    /// Which of these rights this account lacks, as far as the store tells.
    pub(crate) async fn missing_rights(&self, verbs: &[&str]) -> Vec<String> {
        match self {
            Self::Kubernetes(cluster) => kubernetes::missing_rights(cluster, verbs).await,
            Self::ZooKeeper(_) => Vec::new(),
        }
    }

    pub(crate) async fn close(&self, seen: &Seen, gate: &Gate) -> Result<(), FlinkError> {
        match self {
            Self::Kubernetes(cluster) => kubernetes::close(cluster, seen.maps(), gate).await,
            Self::ZooKeeper(target) => zookeeper::close(target, gate).await,
        }
    }

    pub(crate) async fn fill(
        &self,
        seen: &Seen,
        entries: &BTreeMap<Item, Entry>,
        marker: DeleteMarker,
        copied: &(dyn Fn(usize) + Sync),
    ) -> Result<(), FlinkError> {
        match (self, &seen.raw) {
            (Self::Kubernetes(cluster), Raw::Maps(maps)) => {
                kubernetes::fill(cluster, maps, entries, marker, copied).await
            }
            (Self::ZooKeeper(target), Raw::Tree(tree)) => {
                zookeeper::fill(target, tree, entries, copied).await
            }
            _ => unreachable!("what was read of one store is not written to another"),
        }
    }

    pub(crate) async fn open(&self, seen: &Seen) -> Result<(), FlinkError> {
        match (self, &seen.raw) {
            (Self::Kubernetes(cluster), Raw::Maps(maps)) => kubernetes::open(cluster, maps).await,
            (Self::ZooKeeper(target), Raw::Tree(tree)) => zookeeper::open(target, tree).await,
            _ => unreachable!("what was read of one store is not written to another"),
        }
    }

    pub(crate) async fn sweep(&self, seen: &Seen, changes: &[Change]) -> Result<(), FlinkError> {
        match (self, &seen.raw) {
            (Self::Kubernetes(cluster), Raw::Maps(maps)) => {
                kubernetes::sweep(cluster, maps, changes).await
            }
            (Self::ZooKeeper(target), Raw::Tree(tree)) => {
                zookeeper::sweep(target, tree, changes).await
            }
            _ => unreachable!("what was read of one store is not written to another"),
        }
    }
}
