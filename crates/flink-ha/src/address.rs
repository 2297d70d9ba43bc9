//! Where a cluster's data are.

use std::fmt;
use std::str::FromStr;

use incumbent_backend::Address;

use crate::error::FlinkError;
use crate::kubernetes::KubernetesPlace;
use crate::zookeeper::ZooKeeperPlace;

/// Where a Flink cluster keeps its HA data.
///
/// - `kubernetes://namespace/cluster-id`: `kubernetes.cluster-id`, and `kubernetes.namespace`,
///   which may be left out for that of the context. The API server is the one of the kubeconfig, or
///   of the pod that this runs in. Options: `context` and `kubeconfig`.
/// - `zookeeper://h1:2181,h2:2181/flink/cluster-id`: `high-availability.zookeeper.quorum`,
///   `…path.root` and `high-availability.cluster-id`, which is `/default` if Flink was not told. A
///   name and a password before `@` log in with the scheme `digest`. Options: `session-timeout` of
///   our own session (10s), and `ca`, `cert` and `key`, files for TLS.
///
/// Files that the address names are read when it is used, not when it is parsed.
#[derive(Clone)]
pub struct FlinkAddress {
    /// As it was given, without a password.
    shown: String,
    pub(crate) place: Place,
}

#[derive(Clone)]
pub(crate) enum Place {
    Kubernetes(KubernetesPlace),
    ZooKeeper(Box<ZooKeeperPlace>),
}

impl FromStr for FlinkAddress {
    type Err = FlinkError;

    fn from_str(text: &str) -> Result<Self, FlinkError> {
        let address: Address = text.parse()?;
        let place = match address.scheme() {
            "kubernetes" => Place::Kubernetes(KubernetesPlace::of(&address)?),
            "zookeeper" => Place::ZooKeeper(Box::new(ZooKeeperPlace::of(&address)?)),
            _ => {
                let why = "write kubernetes://namespace/cluster-id or zookeeper://host:2181/flink/cluster-id";
                return Err(address.unusable(why).into());
            }
        };
        Ok(Self {
            shown: address.to_string(),
            place,
        })
    }
}

impl fmt::Display for FlinkAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Debug for FlinkAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FlinkAddress({self})")
    }
}
