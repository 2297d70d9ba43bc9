//! [`Watches`]: the connections to the liveness endpoints of TaskManagers (R9).

use std::collections::HashMap;

use incumbent::{HolderName, LivenessAddress, LivenessProbe, Nonce, ProbeOptions, Stakes};
use incumbent_cluster_core::NodeNonce;
use incumbent_cluster_core::leader::LeaderEvent;
use incumbent_cluster_core::record::PlacedNode;
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinSet};

/// How many TaskManagers are watched at a time: each costs one descriptor. The death of one more is
/// noticed by its silence.
const MOST_WATCHED: usize = 1000;

/// The connections. Dropping it closes them.
pub(super) struct Watches {
    watches: HashMap<NodeNonce, Watch>,
    tasks: JoinSet<()>,
    name: HolderName,
    is_full: bool,
    events: mpsc::Sender<LeaderEvent>,
}

struct Watch {
    at: LivenessAddress,
    task: AbortHandle,
}

impl Watches {
    pub(super) fn new(name: HolderName, events: mpsc::Sender<LeaderEvent>) -> Self {
        Self {
            watches: HashMap::new(),
            tasks: JoinSet::new(),
            name,
            is_full: false,
            events,
        }
    }

    /// Stays connected to this TaskManager, if it can be seen to live, and tells when it is proven
    /// dead.
    pub(super) fn watch(&mut self, node: &PlacedNode) {
        let Some(liveness) = &node.liveness else {
            return;
        };
        let Ok(nonce) = liveness.nonce.parse::<Nonce>() else {
            return;
        };
        let address = LivenessAddress {
            address: liveness.address.clone(),
            scope: liveness.scope.clone(),
            // A scope is left out where a person named the address.
            advertised: liveness.scope.is_none(),
        };
        while self.tasks.try_join_next().is_some() {}
        self.watches.retain(|_, watch| !watch.task.is_finished());
        if self
            .watches
            .get(&node.nonce)
            .is_some_and(|watch| watch.at == address)
        {
            return;
        }
        // What it says itself counts more than what a record says of it.
        self.unwatch(node.nonce);
        if self.watches.len() >= MOST_WATCHED {
            if !std::mem::replace(&mut self.is_full, true) {
                tracing::warn!(
                    most = MOST_WATCHED,
                    "there are more TaskManagers than are watched; the death of further ones is \
                     noticed by their silence"
                );
            }
            return;
        }
        // Something would run twice: only the process's own socket is believed.
        let options = ProbeOptions::new(self.name.clone(), Stakes::High);
        let (events, dead, at) = (self.events.clone(), node.nonce, address.clone());
        let task = self.tasks.spawn(async move {
            let probe = LivenessProbe::start(address, nonce, options);
            let sign = probe.dead().await;
            tracing::debug!(node = %dead, ?sign, "a TaskManager is proven dead");
            // Nobody listens if the term is over.
            let _ = events.send(LeaderEvent::Dead(dead)).await;
        });
        self.watches.insert(node.nonce, Watch { at, task });
    }

    /// Stops that.
    pub(super) fn unwatch(&mut self, node: NodeNonce) {
        if let Some(watch) = self.watches.remove(&node) {
            watch.task.abort();
        }
    }
}
