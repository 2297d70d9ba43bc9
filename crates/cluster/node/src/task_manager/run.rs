//! [`run_task_manager`]: a TaskManager as a process.

use std::sync::Arc;

use incumbent::Group;
use metrics_exporter_prometheus::PrometheusHandle;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use super::{TaskManager, TaskManagerOptions};
use crate::job_manager::worker;
use crate::server::{Readiness, Server, ServerOptions};
use crate::{Node, NodeError, NodeOptions, api};

/// Runs tasks, and answers `/v1` and `/node/v1` on this listener, until `shutdown` is done. Then it
/// drains, and ends when its tasks have been moved or ended.
///
/// # Errors
///
/// [`NodeError`]: it cannot begin.
///
/// # Cancel safety
///
/// Dropping the future ends all tasks and connections at once.
pub async fn run_task_manager(
    listener: TcpListener,
    options: NodeOptions,
    task_manager: TaskManagerOptions,
    metrics: PrometheusHandle,
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
        nonce: Some(worker(node.nonce())),
        metrics,
        readiness: readiness(&node),
    };
    let server = Server::new(&node, listener, options)?;
    let blobs = node.blobs().clone();
    let manager = TaskManager::new(node.clone(), blobs.clone(), bound, task_manager).await?;
    let api = api::routes(&node, blobs, None);
    let (stop, stopped) = oneshot::channel::<()>();
    let serving = server.run(api, manager.router(), async {
        // A sender that is gone ends it.
        let _ = stopped.await;
    });
    // The tasks first: the leader gives orders until the last one has ended.
    let working = async {
        manager.run(shutdown).await;
        drop(stop);
    };
    tokio::join!(serving, working);
    let (name, group) = (node.name().to_owned(), node.group().clone());
    drop(node);
    Group::close(group).await;
    tracing::info!(node = name, "this TaskManager has ended");
    Ok(())
}

/// It is ready when it sees a leader, which gives it tasks.
fn readiness(node: &Node) -> Readiness {
    let gateway = node.gateway().clone();
    Arc::new(move || {
        let status = gateway.status();
        (status.is_ready, json!({ "leader": status.leader }))
    })
}
