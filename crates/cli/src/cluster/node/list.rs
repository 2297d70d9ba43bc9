//! `incumbent node ls`.

use std::process::ExitCode;

use incumbent_cluster_core::view::{ClusterView, NodeKind, NodeView, NodeViewState};

use crate::cluster::client::{Ask, Client};
use crate::exit::Failure;
use crate::settings::Output;
use crate::show;

pub(super) async fn list(client: &Client, output: Output) -> Result<ExitCode, Failure> {
    let cluster: ClusterView = client.json(&Ask::get("/v1/cluster")).await?;
    if output.is_json() {
        for node in &cluster.nodes {
            show::json_line(node)?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    let rows = cluster.nodes.iter().map(|node| row(node, &cluster));
    let columns = ["KIND", "NAME", "STATE", "PID", "ADDRESS", "SLOTS", "FREE"];
    show::print(format!("{}\n", show::table(&columns, rows.collect())).as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

fn row(node: &NodeView, cluster: &ClusterView) -> Vec<String> {
    let is_leader = node.pid == cluster.leader.pid && node.address == cluster.leader.address;
    let (kind, slots, free) = match node.kind {
        NodeKind::JobManager => ("job-manager", "-".into(), "-".into()),
        NodeKind::TaskManager => (
            "task-manager",
            node.slots.to_string(),
            node.slots_free.to_string(),
        ),
    };
    let state = match node.state {
        NodeViewState::Live if is_leader => format!("leads, epoch {}", cluster.epoch),
        NodeViewState::Live => "live".into(),
        NodeViewState::Draining => "draining".into(),
        NodeViewState::Silent => format!("silent for {} s", node.silent_ms / 1000),
        NodeViewState::Dead => "dead".into(),
    };
    vec![
        kind.into(),
        node.name.clone(),
        state,
        node.pid.to_string(),
        node.address.clone(),
        slots,
        free,
    ]
}
