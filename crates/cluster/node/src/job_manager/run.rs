//! [`run_job_manager`]: a JobManager as a process.

use std::sync::Arc;

use incumbent::Group;
use metrics_exporter_prometheus::PrometheusHandle;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use super::{JobManager, MakeTaskManagers};
use crate::server::{Readiness, Server, ServerOptions};
use crate::{Node, NodeError, NodeOptions, api};

/// Campaigns, and answers `/v1` and `/node/v1` on this listener, until `shutdown` is done. Then it
/// gives up its term, if it leads, and ends when the requests that there are have been answered.
/// Tasks go on.
///
/// # Errors
///
/// [`NodeError`]: it cannot begin.
///
/// # Cancel safety
///
/// Dropping the future ends all connections at once, and gives up the term in the background.
pub async fn run_job_manager(
    listener: TcpListener,
    options: NodeOptions,
    metrics: PrometheusHandle,
    shutdown: impl Future<Output = ()>,
) -> Result<(), NodeError> {
    run_job_manager_with(listener, options, metrics, None, shutdown).await
}

/// Does what [`run_job_manager`] does, with somebody who makes TaskManagers while this process
/// leads.
///
/// # Errors
///
/// [`NodeError`]: it cannot begin.
///
/// # Cancel safety
///
/// Dropping the future ends all connections at once, and gives up the term in the background.
pub async fn run_job_manager_with(
    listener: TcpListener,
    options: NodeOptions,
    metrics: PrometheusHandle,
    maker: Option<Arc<dyn MakeTaskManagers>>,
    shutdown: impl Future<Output = ()>,
) -> Result<(), NodeError> {
    let mut shutdown = std::pin::pin!(shutdown);
    let bound = listener.local_addr().map_err(|cause| NodeError::Listen {
        address: options.listen,
        cause,
    })?;
    let node = tokio::select! {
        node = Node::open(options, bound) => node?,
        () = &mut shutdown => return Ok(()),
    };
    let options = ServerOptions {
        nonce: None,
        metrics,
        readiness: readiness(&node),
    };
    let server = Server::new(&node, listener, options)?;
    let manager = JobManager::with(node.clone(), maker)?;
    let handle = manager.handle();
    let asked: Arc<dyn api::AskLeader> = Arc::new(handle.clone());
    let api = api::routes(&node, node.blobs().clone(), Some(asked));
    let api = incumbent_cluster_flink_rest::routes(api, node.blobs().clone());
    let (stop, stopped) = oneshot::channel::<()>();
    let serving = server.run(api, handle.router(), async {
        // A sender that is gone ends it.
        let _ = stopped.await;
    });
    // The term first: what is asked meanwhile is passed on to the next leader.
    let leading = async {
        manager.run(shutdown).await;
        drop(stop);
    };
    tokio::join!(serving, leading);
    let (name, group) = (node.name().to_owned(), node.group().clone());
    drop((handle, node));
    Group::close(group).await;
    tracing::info!(node = name, "this JobManager has ended");
    Ok(())
}

/// It is ready when it leads, or could: then it can be counted on when the leader dies.
fn readiness(node: &Node) -> Readiness {
    let node = node.clone();
    Arc::new(move || {
        let leads = node.role().guard().is_some();
        let missing = node.group().missing_rights();
        let leader = node.gateway().status();
        let is_ready = leads || (missing.is_none() && leader.is_ready);
        let report = json!({
            "leads": leads,
            "leader": leader.leader,
            "missing_rights": missing,
        });
        (is_ready, report)
    })
}
