//! [`run_front`]: a node without a JobManager or a TaskManager, which only answers.

use std::sync::Arc;

use axum::Router;
use metrics_exporter_prometheus::PrometheusHandle;
use serde_json::json;
use tokio::net::TcpListener;

use crate::server::{Readiness, Server, ServerOptions};
use crate::{Node, NodeError, NodeOptions, api};

/// Answers `/v1` on this listener until `shutdown` is done: what any node can do it does itself,
/// the rest it passes on to the leader. So whichever other process dies, it goes on answering.
///
/// # Errors
///
/// [`NodeError`]: it cannot begin.
///
/// # Cancel safety
///
/// Dropping the future ends all connections at once.
pub async fn run_front(
    listener: TcpListener,
    options: NodeOptions,
    metrics: PrometheusHandle,
    shutdown: impl Future<Output = ()>,
) -> Result<(), NodeError> {
    let bound = listener.local_addr().map_err(|cause| NodeError::Listen {
        address: options.listen,
        cause,
    })?;
    let node = Node::open(options, bound).await?;
    let options = ServerOptions {
        nonce: None,
        metrics,
        readiness: readiness(&node),
    };
    let server = Server::new(&node, listener, options)?;
    let api = api::routes(&node, node.blobs().clone(), None);
    let api = incumbent_cluster_flink_rest::routes(api, node.blobs().clone());
    server.run(api, Router::new(), shutdown).await;
    Ok(())
}

/// A node that only answers is ready when it can pass on.
fn readiness(node: &Node) -> Readiness {
    let gateway = node.gateway().clone();
    Arc::new(move || {
        let status = gateway.status();
        (status.is_ready, json!({ "leader": status.leader }))
    })
}
