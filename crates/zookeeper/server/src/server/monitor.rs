//! How a server is, for programs and people that watch it.

use std::sync::Arc;

use super::hub::Hub;
use crate::machine::Summary;

/// A handle to ask how a server is. Cheap to clone.
#[derive(Clone)]
pub struct Monitor(pub(super) Arc<Hub>);

/// How a server is.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Report {
    /// Nodes, sessions and watches.
    pub summary: Summary,
    /// Connections, also those without a session.
    pub connections: usize,
    /// Requests that were received.
    pub requests: u64,
    /// Replies and events that were made.
    pub replies: u64,
    /// Requests without a reply yet.
    pub outstanding: u64,
    /// Whether the server serves: its log can be written.
    pub is_serving: bool,
}

impl Monitor {
    /// How the server is now. The same numbers go to the recorder of the crate `metrics`, if there
    /// is one.
    pub fn report(&self) -> Report {
        let hub = &self.0;
        let (summary, connections) = {
            let state = hub.state();
            (state.machine.summary(), state.peers.len())
        };
        let report = Report {
            summary,
            connections,
            requests: hub.stats.received(),
            replies: hub.stats.sent(),
            outstanding: hub.stats.outstanding(),
            is_serving: hub.durable().borrow().failure.is_none(),
        };
        report.publish();
        report
    }
}

impl Report {
    #[expect(clippy::cast_precision_loss, reason = "metrics are floating point")]
    fn publish(&self) {
        use metrics::{counter, gauge};
        let summary = &self.summary;
        counter!("incumbent_server_requests_total").absolute(self.requests);
        counter!("incumbent_server_replies_total").absolute(self.replies);
        gauge!("incumbent_server_connections").set(self.connections as f64);
        gauge!("incumbent_server_outstanding_requests").set(self.outstanding as f64);
        gauge!("incumbent_server_sessions").set(summary.sessions as f64);
        gauge!("incumbent_server_nodes").set(summary.nodes as f64);
        gauge!("incumbent_server_ephemeral_nodes").set(summary.ephemerals as f64);
        gauge!("incumbent_server_bytes").set(summary.bytes as f64);
        gauge!("incumbent_server_watch_bytes").set(summary.watch_bytes as f64);
        gauge!("incumbent_server_watches").set(summary.watches as f64);
        gauge!("incumbent_server_zxid").set(summary.zxid as f64);
    }
}
