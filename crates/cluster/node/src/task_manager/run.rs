//! [`run_task_manager`]: a TaskManager as a process.

use std::sync::Arc;

use incumbent::Group;
use metrics_exporter_prometheus::PrometheusHandle;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use super::{TaskManager, TaskManagerHandle, TaskManagerOptions};
use crate::job_manager::worker;
use crate::server::{Readiness, Server, ServerOptions};
use crate::{Node, NodeError, NodeOptions, api};

/// Runs tasks, and answers `/v1` and `/node/v1` on this listener, until `shutdown` is done. Then it
/// drains: it waits for its tasks to be moved, ends what is left after
/// [`TaskManagerOptions::drain`], and leaves.
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
    numbers: TaskManagerOptions,
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
    let task_manager = TaskManager::new(node.clone(), bound, numbers).await?;
    let handle = task_manager.handle();
    let options = ServerOptions {
        nonce: Some(worker(node.nonce())),
        metrics,
        readiness: readiness(&node, &handle),
    };
    let of_tasks = handle.clone();
    let server = Server::new(&node, listener, options)?.showing(move || of_tasks.task_metrics());
    let api = api::routes(&node, node.blobs().clone(), None);
    let api = incumbent_cluster_flink_rest::routes(api, node.blobs().clone());
    let (stop, stopped) = oneshot::channel::<()>();
    let serving = server.run(api, task_manager.router(), async {
        // A sender that is gone ends it.
        let _ = stopped.await;
    });
    // The tasks first: while they are moved, orders come in and logs are followed.
    let working = async {
        task_manager.run(shutdown).await;
        drop(stop);
    };
    tokio::join!(serving, working);
    let (name, group) = (node.name().to_owned(), node.group().clone());
    drop((handle, node));
    Group::close(group).await;
    tracing::info!(node = name, "this TaskManager has ended");
    Ok(())
}

/// It is ready when the leader takes its reports: then it is given tasks.
fn readiness(node: &Node, handle: &TaskManagerHandle) -> Readiness {
    let (gateway, handle) = (node.gateway().clone(), handle.clone());
    Arc::new(move || {
        let unreported = handle.unreported();
        let report = json!({
            "leader": gateway.status().leader,
            "not_reported": unreported,
        });
        (unreported.is_none(), report)
    })
}
