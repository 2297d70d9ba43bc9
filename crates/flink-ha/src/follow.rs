//! One leader, as it changes.

use futures::stream::BoxStream;
use futures::{StreamExt, stream};

use crate::address::{FlinkAddress, Target};
use crate::channel::leader_channel;
use crate::component::Component;
use crate::decode::Leader;
use crate::error::FlinkError;
use crate::kubernetes;
use crate::zookeeper;

/// Follows who leads a component of a Flink cluster: first the present leader, as soon as it is
/// known, and then each other one.
///
/// - `None` means that nobody leads, or that Flink's entry is unreadable, which is logged.
/// - Equal values in a row come once. A slow receiver gets the newest value, without those between.
/// - It goes on over lost connections, restarts of servers, forgotten histories (410), and entries
///   that are removed and come back. **While the store cannot be reached, the last value stays**: a
///   leader may have gone meanwhile. Each loss of the store is logged in one line, and its return
///   in one.
/// - It writes nothing. In ZooKeeper our session is the only trace.
///
/// The stream never ends. Dropping it ends everything that it started.
///
/// # Errors
///
/// - [`FlinkError::Address`]: the address names no cluster.
/// - [`FlinkError::Tls`], [`FlinkError::Config`]: files for TLS, or the kubeconfig, cannot be
///   used.
/// - [`FlinkError::NoRuntime`]: the caller is outside a Tokio runtime.
pub fn follow(
    address: &FlinkAddress,
    component: &Component,
) -> Result<BoxStream<'static, Option<Leader>>, FlinkError> {
    let target = address.of_cluster()?;
    let runtime = tokio::runtime::Handle::try_current().map_err(|_| FlinkError::NoRuntime)?;
    let (sender, receiver) = leader_channel();
    let component = component.clone();
    let task = match target {
        Target::ZooKeeper(target) => {
            let tls = target.tls()?;
            runtime.spawn(zookeeper::follow(*target.clone(), tls, component, sender))
        }
        Target::Kubernetes(target) => {
            let cluster = kubernetes::Cluster::connect(target)?;
            runtime.spawn(kubernetes::follow(cluster, component, sender))
        }
    };
    let task = AbortOnDrop(task.abort_handle());
    let leaders = stream::unfold((receiver, task), |(mut receiver, task)| async {
        loop {
            if receiver.changed().await.is_err() {
                // Only if the task panicked.
                return None;
            }
            let known = receiver.borrow_and_update().clone();
            if let Some(leader) = known {
                return Some((leader, (receiver, task)));
            }
        }
    });
    // A change and its opposite, both before the receiver looked, are no change.
    let mut last = None;
    let leaders = leaders.filter(move |leader: &Option<Leader>| {
        let new = last.as_ref() != Some(leader);
        last = Some(leader.clone());
        std::future::ready(new)
    });
    Ok(leaders.boxed())
}

struct AbortOnDrop(tokio::task::AbortHandle);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}
