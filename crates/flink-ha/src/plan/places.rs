//! The names that entries have in the target, and what fits there.

use std::collections::BTreeMap;

use crate::data::{DeleteMarker, Entry, Item, Noted};
use crate::{kubernetes, zookeeper};

/// Most bytes of data in a ConfigMap. The API server accepts no more.
const MOST_MAP: usize = 1024 * 1024;

/// What a leader adds to the cluster's ConfigMap: an entry for each job, and three more.
const BY_LEADER: usize = 160;

/// Where a target keeps entries.
pub(crate) enum Places {
    Kubernetes {
        address: String,
        /// `kubernetes.cluster-id`.
        cluster: String,
        marker: DeleteMarker,
    },
    ZooKeeper {
        address: String,
        /// The path of the cluster's node.
        base: String,
    },
}

impl Places {
    pub(crate) fn address(&self) -> &str {
        match self {
            Self::Kubernetes { address, .. } | Self::ZooKeeper { address, .. } => address,
        }
    }

    /// Of the ConfigMaps, if it has any.
    pub(crate) fn marker(&self) -> Option<DeleteMarker> {
        match self {
            Self::Kubernetes { marker, .. } => Some(*marker),
            Self::ZooKeeper { .. } => None,
        }
    }

    /// The key of an entry, as `incumbent flink inspect` shows it.
    pub(crate) fn key(&self, item: &Item) -> String {
        match self {
            Self::Kubernetes { cluster, .. } => {
                let (map, key) = kubernetes::place(cluster, item);
                format!("{map}/{key}")
            }
            Self::ZooKeeper { .. } => zookeeper::path(item),
        }
    }

    /// Whether all of them fit, or why not.
    pub(crate) fn check(&self, entries: &BTreeMap<Item, Entry>) -> Result<(), Noted> {
        match self {
            Self::Kubernetes {
                cluster, marker, ..
            } => {
                let jobs = entries.keys().filter(|item| item.starts()).count();
                for (name, data) in kubernetes::data(cluster, entries, *marker)? {
                    let bytes = data.iter().map(|(key, value)| key.len() + value.len());
                    let leaders = if name.starts_with(&format!("{cluster}-cluster-")) {
                        (jobs + 3) * BY_LEADER
                    } else {
                        0
                    };
                    let bytes = bytes.sum::<usize>() + leaders;
                    if bytes > MOST_MAP {
                        return Err(Noted {
                            key: name,
                            why: format!(
                                "it would have {bytes} bytes with its leaders, and Kubernetes \
                                 takes {MOST_MAP}: Flink cannot keep so much in one ConfigMap"
                            ),
                        });
                    }
                }
                Ok(())
            }
            Self::ZooKeeper { .. } => zookeeper::check(entries),
        }
    }

    /// A trap of the target, seen from the directories of files.
    pub(crate) fn warning(&self, directories: &[String]) -> Option<String> {
        let Self::ZooKeeper { base, .. } = self else {
            return None;
        };
        let of_files = directories.iter().find_map(|directory| {
            let last = directory.rsplit('/').next()?;
            (!base.ends_with(&format!("/{last}"))).then_some((directory, last))
        });
        let (directory, last) = of_files?;
        Some(format!(
            "In ZooKeeper, high-availability.cluster-id is also the end of the path, and the files \
             are in {directory}: so the cluster id seems to end in {last:?}, and {base} does not. \
             Flink would not find these data, or not its blobs and job results."
        ))
    }
}
