//! Where a cluster's data are.

use std::fmt;
use std::str::FromStr;

use incumbent_backend::{Address, BadAddress};

use crate::error::FlinkError;
use crate::kubernetes::KubernetesTarget;
use crate::model::ClusterSummary;
use crate::zookeeper::ZooKeeperTarget;

/// What an address of another form is answered with.
const FORMS: &str =
    "write kubernetes://namespace/cluster-id or zookeeper://host:2181/flink/cluster-id";

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

    /// Whether both certainly name the same cluster, with whatever login.
    pub(crate) fn is_same_cluster(&self, other: &Self) -> bool {
        match (&self.target, &other.target) {
            (Target::Kubernetes(one), Target::Kubernetes(other)) => {
                one.cluster.is_some() && one == other
            }
            (Target::ZooKeeper(one), Target::ZooKeeper(other)) => {
                let same_hosts = one.hosts.to_string() == other.hosts.to_string();
                !one.base.is_empty() && one.base == other.base && same_hosts
            }
            (Target::Kubernetes(_), Target::ZooKeeper(_))
            | (Target::ZooKeeper(_), Target::Kubernetes(_)) => false,
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
        let parsed = text.parse::<Address>();
        // The address of a store may be a directory. This one may not.
        let address = parsed.map_err(|bad: BadAddress| match has_scheme(text) {
            true => bad,
            false => bad.with_reason(format!("it does not begin with a scheme; {FORMS}")),
        })?;
        let target = match address.scheme() {
            "kubernetes" => Target::Kubernetes(KubernetesTarget::of(&address)?),
            "zookeeper" => Target::ZooKeeper(Box::new(ZooKeeperTarget::of(&address)?)),
            _ => return Err(address.unusable(FORMS).into()),
        };
        Ok(Self { address, target })
    }
}

fn has_scheme(text: &str) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-');
    match text.split_once(':') {
        Some((scheme, _)) => !scheme.is_empty() && scheme.chars().all(is_part),
        None => false,
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
    fn an_address_without_a_scheme_is_told_the_two_that_there_are() {
        for text in [
            "foo",
            "127.0.0.1:2181/flink",
            "",
            ":",
            "localhost:2181/flink",
        ] {
            let refused = text.parse::<FlinkAddress>().unwrap_err().to_string();
            assert!(refused.ends_with(FORMS), "{text}: {refused}");
            assert!(!refused.contains("file:"), "{text}: {refused}");
        }
    }

    #[test]
    fn two_addresses_of_one_cluster_are_the_same() {
        let same = |one: &str, other: &str| {
            let [one, other] = [one, other].map(|it| it.parse::<FlinkAddress>().unwrap());
            one.is_same_cluster(&other)
        };
        assert!(same(
            "zookeeper://u:p@h:2181/flink/a",
            "zookeeper://h/flink/a/"
        ));
        assert!(same("kubernetes://n/a", "kubernetes://n/a"));
        for (one, other) in [
            ("zookeeper://h/flink/a", "zookeeper://h/flink/b"),
            ("zookeeper://h/flink/a", "zookeeper://g/flink/a"),
            ("kubernetes://n/a", "kubernetes://n/a?context=other"),
            ("kubernetes://n/flink", "zookeeper://n/flink"),
            ("kubernetes://n", "kubernetes://n"),
        ] {
            assert!(!same(one, other), "{one} {other}");
        }
    }

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
