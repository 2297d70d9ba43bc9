//! `/config` and `/overview`.

use incumbent_cluster_core::JobState;
use incumbent_cluster_core::view::{ClusterView, JobView, NodeKind, NodeView, NodeViewState};
use serde_json::{Value, json};

use crate::VERSION;

/// What follows the version of a Flink: its commit, and when that was made. We have neither.
const REVISION: &str = "unknown";

/// Between two looks of the dashboard, in milliseconds: Flink's own default.
const REFRESH_MS: u32 = 3000;

/// The configuration of the dashboard.
pub(crate) fn config() -> Value {
    json!({
        "refresh-interval": REFRESH_MS,
        "timezone-name": "Coordinated Universal Time",
        "timezone-offset": 0,
        "flink-version": VERSION,
        // The dashboard splits it there.
        "flink-revision": format!("{REVISION} @ 1970-01-01T00:00:00Z"),
        "features": {
            "web-submit": true,
            "web-cancel": true,
            "web-rescale": true,
            "web-history": false,
        },
    })
}

/// The overview of the cluster.
pub(crate) fn overview(cluster: &ClusterView, jobs: &[JobView]) -> Value {
    let count = |state: JobState| jobs.iter().filter(|job| job.state == state).count();
    let running = jobs.iter().filter(|job| !job.state.is_terminal()).count();
    json!({
        "taskmanagers": task_managers(cluster).count(),
        "slots-total": cluster.slots,
        "slots-available": cluster.slots_free,
        "jobs-running": running,
        "jobs-finished": count(JobState::Finished),
        "jobs-cancelled": count(JobState::Canceled),
        "jobs-failed": count(JobState::Failed),
        "flink-version": VERSION,
        "flink-commit": REVISION,
    })
}

/// The TaskManagers that Flink would show: dead ones are gone.
pub(crate) fn task_managers(cluster: &ClusterView) -> impl Iterator<Item = &NodeView> {
    let is_shown =
        |node: &&NodeView| node.kind == NodeKind::TaskManager && node.state != NodeViewState::Dead;
    cluster.nodes.iter().filter(is_shown)
}
