//! Where a cluster's data are.

use std::fmt;
use std::str::FromStr;

use incumbent_backend::Address;

use crate::error::FlinkError;
use crate::kubernetes::KubernetesTarget;
use crate::model::ClusterSummary;
use crate::zookeeper::ZooKeeperTarget;

/// Where a Flink cluster keeps its HA data.
///
/// - `kubernetes://namespace/cluster-id`: `kubernetes.namespace` and `kubernetes.cluster-id`.
///   Without a namespace, it is that of the context. The API server is the one of the kubeconfig,
///   or of the pod that this runs in. Options: `context` and `kubeconfig`.
/// - `zookeeper://h1:2181,h2:2181/flink/cluster-id`: `high-availability.zookeeper.quorum`,
///   `…path.root` and `high-availability.cluster-id`, which is `/default` in Flink's own
///   configuration. A name and a password before `@` log in with the scheme `digest`. Options:
///   `session-timeout` of our own session (10s), and `ca`, `cert` and `key`, files for TLS.
///
/// An address without a cluster, as `kubernetes://namespace` or `zookeeper://h1:2181/flink`, names
/// all clusters there, for [`clusters`](crate::clusters()).
///
/// Files that the address names are read when it is used, not when it is parsed.
#[derive(Clone)]
pub struct FlinkAddress {
    address: Address,
    target: Target,
}

#[derive(Clone)]
pub(crate) enum Target {
    Kubernetes(KubernetesTarget),
    ZooKeeper(Box<ZooKeeperTarget>),
}

impl FlinkAddress {
    /// Whether it names one cluster. In ZooKeeper any path may: only the server can tell.
    pub fn names_cluster(&self) -> bool {
        match &self.target {
            Target::Kubernetes(target) => target.cluster.is_some(),
            Target::ZooKeeper(target) => !target.base.is_empty(),
        }
    }

    /// Whether it is an address above this cluster: its namespace, or a path that leads to it.
    pub fn is_above(&self, cluster: &ClusterSummary) -> bool {
        match &self.target {
            Target::Kubernetes(target) => target.cluster.is_none(),
            Target::ZooKeeper(target) => {
                let below = cluster.name.strip_prefix(&target.base);
                below.is_some_and(|rest| rest.starts_with('/'))
            }
        }
    }

    pub(crate) fn target(&self) -> &Target {
        &self.target
    }

    /// The same, or why it cannot be the address of one cluster.
    pub(crate) fn of_cluster(&self) -> Result<&Target, FlinkError> {
        if self.names_cluster() {
            return Ok(&self.target);
        }
        let why = match &self.target {
            Target::Kubernetes(_) => "it names no cluster; write kubernetes://namespace/cluster-id",
            Target::ZooKeeper(_) => {
                "it names no cluster; write zookeeper://host:2181/flink/cluster-id, with \
                 /flink/default for a Flink without high-availability.cluster-id"
            }
        };
        Err(self.address.unusable(why).into())
    }
}

impl FromStr for FlinkAddress {
    type Err = FlinkError;

    fn from_str(text: &str) -> Result<Self, FlinkError> {
        let address: Address = text.parse()?;
        let target = match address.scheme() {
            "kubernetes" => Target::Kubernetes(KubernetesTarget::of(&address)?),
            "zookeeper" => Target::ZooKeeper(Box::new(ZooKeeperTarget::of(&address)?)),
            _ => {
                let why = "write kubernetes://namespace/cluster-id or \
                           zookeeper://host:2181/flink/cluster-id";
                return Err(address.unusable(why).into());
            }
        };
        Ok(Self { address, target })
    }
}

/// Without a password.
impl fmt::Display for FlinkAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.address.fmt(f)
    }
}

impl fmt::Debug for FlinkAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FlinkAddress({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_above_the_clusters_of_its_path_or_namespace() {
        let cluster = |name: &str| ClusterSummary {
            name: name.into(),
            address: String::new(),
            rest_server: None,
            jobs: 0,
        };
        let is_above = |address: &str, name: &str| {
            let address: FlinkAddress = address.parse().unwrap();
            address.is_above(&cluster(name))
        };
        for address in ["zookeeper://h", "zookeeper://h/", "zookeeper://h/flink/"] {
            assert!(is_above(address, "/flink/a/b"), "{address}");
        }
        for address in [
            "zookeeper://h/fli",
            "zookeeper://h/flink/a/b",
            "zookeeper://h/other",
        ] {
            assert!(!is_above(address, "/flink/a/b"), "{address}");
        }
        assert!(is_above("kubernetes://prod", "a"));
        assert!(!is_above("kubernetes://prod/b", "a"));
    }
}
