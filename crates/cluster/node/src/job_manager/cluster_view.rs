//! What a JobManager adds to the view of the cluster: itself, and the JobManagers that stand by.

use incumbent_cluster_core::view::{ClusterView, LeaderView, NodeKind, NodeView, NodeViewState};

use super::registry::Registry;
use crate::node::Node;

/// Completes the view that the machine has made, which knows TaskManagers only.
pub(super) fn complete(view: &mut ClusterView, node: &Node, registry: &Registry, since: &str) {
    view.id.clone_from(&node.cluster().id);
    view.leader = LeaderView {
        name: node.name().to_owned(),
        pid: node.pid(),
        address: node.address().to_owned(),
        since: since.to_owned(),
    };
    let leader = NodeView {
        kind: NodeKind::JobManager,
        name: node.name().to_owned(),
        nonce: node.nonce().to_string(),
        pid: node.pid(),
        address: node.address().to_owned(),
        slots: 0,
        slots_free: 0,
        state: NodeViewState::Live,
        silent_ms: 0,
    };
    let standbys = registry
        .standbys()
        .into_iter()
        .map(|(standby, age)| NodeView {
            kind: NodeKind::JobManager,
            name: standby.name,
            nonce: standby.nonce.to_string(),
            pid: standby.pid,
            address: standby.address,
            slots: 0,
            slots_free: 0,
            state: NodeViewState::Live,
            silent_ms: u64::try_from(age.as_millis()).unwrap_or(u64::MAX),
        });
    let own = node.nonce().to_string();
    let standbys = standbys.filter(|standby| standby.nonce != own);
    let job_managers: Vec<NodeView> = std::iter::once(leader).chain(standbys).collect();
    view.nodes.splice(0..0, job_managers);
}
