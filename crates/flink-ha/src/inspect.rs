//! All of a cluster's data, once.

use std::collections::HashSet;

use crate::address::{FlinkAddress, Place};
use crate::error::FlinkError;
use crate::kubernetes;
use crate::model::FlinkCluster;
use crate::zookeeper;

/// Reads all that a Flink cluster has stored for its high availability, and says what it means.
///
/// It is read piece by piece while Flink writes. So if something looks wrong, all is read once
/// more, and only what looks wrong again is told. Files that handles point to are not looked at.
/// Nothing is written.
///
/// # Errors
///
/// - [`FlinkError::Nothing`]: there is no such cluster there.
/// - [`FlinkError::Unavailable`]: the store does not answer; try again later.
/// - [`FlinkError::Refused`]: rights are missing.
/// - [`FlinkError::File`], [`FlinkError::Config`]: files for TLS, or the kubeconfig, cannot be
///   used.
/// - [`FlinkError::NoRuntime`], [`FlinkError::TooMuch`].
///
/// # Cancel safety
///
/// Nothing is lost if the future is dropped.
pub async fn inspect(address: &FlinkAddress) -> Result<FlinkCluster, FlinkError> {
    let first = look(address).await?;
    let mut cluster = match first.problems.is_empty() {
        true => first,
        false => {
            let mut second = look(address).await?;
            let keys = first.problems.iter().map(|it| (&*it.key, it.kind));
            let keys: HashSet<_> = keys.collect();
            second
                .problems
                .retain(|again| keys.contains(&(&*again.key, again.kind)));
            second
        }
    };
    cluster.source = address.to_string();
    Ok(cluster)
}

async fn look(address: &FlinkAddress) -> Result<FlinkCluster, FlinkError> {
    match &address.place {
        Place::Kubernetes(place) => {
            kubernetes::inspect(&kubernetes::Cluster::connect(place)?).await
        }
        Place::ZooKeeper(place) => zookeeper::inspect(place).await,
    }
}
