//! What a JobManager adds to the view of the cluster: itself, and the JobManagers that stand by.

use std::time::Duration;

use incumbent_cluster_core::view::{
    ClusterView, LeaderView, NodeKind, NodeView, NodeViewState, RefusedNodeView,
};

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
        version: Some(env!("CARGO_PKG_VERSION").to_owned()),
        seen: None,
        advertised: node.options().advertise.clone(),
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
            silent_ms: ms(age),
            version: standby.version,
            seen: None,
            advertised: standby.advertise,
        });
    let own = node.nonce().to_string();
    let standbys = standbys.filter(|standby| standby.nonce != own);
    for task_manager in &mut view.nodes {
        let nonce = task_manager.nonce.parse().ok();
        let seen = nonce.and_then(|nonce| registry.seen(nonce));
        task_manager.seen = seen.map(|seen| seen.to_string());
    }
    let refused = registry.refused().into_iter();
    view.refused = refused
        .map(|(refused, age)| RefusedNodeView {
            name: refused.name,
            seen: refused.from.to_string(),
            advertised: refused.advertise,
            why: refused.why,
            ago_ms: ms(age),
        })
        .collect();
    let job_managers: Vec<NodeView> = std::iter::once(leader).chain(standbys).collect();
    view.nodes.splice(0..0, job_managers);
}

fn ms(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
