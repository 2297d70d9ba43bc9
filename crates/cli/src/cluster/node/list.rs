//! `incumbent node ls`.

use std::process::ExitCode;

use incumbent_cluster_core::view::{
    ClusterView, NodeKind, NodeView, NodeViewState, PodView, PodViewState,
};

use crate::cluster::client::{Ask, Client};
use crate::exit::Failure;
use crate::settings::Output;
use crate::show;

/// The columns of [`row`].
pub(in crate::cluster) const COLUMNS: [&str; 7] =
    ["KIND", "NAME", "STATE", "PID", "ADDRESS", "SLOTS", "FREE"];

pub(super) async fn list(client: &Client, output: Output) -> Result<ExitCode, Failure> {
    let cluster: ClusterView = client.json(&Ask::get("/v1/cluster")).await?;
    if output.is_json() {
        for node in &cluster.nodes {
            show::json_line(node)?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    let is_node = |pod: &&PodView| pod.state == PodViewState::Registered;
    let pods = cluster.pods.iter().filter(|pod| !is_node(pod)).map(pod_row);
    let rows = cluster.nodes.iter().map(|node| row(node, &cluster));
    let rows = rows.chain(pods);
    show::print(
        format!(
            "{}
",
            show::table(&COLUMNS, rows.collect())
        )
        .as_bytes(),
    )?;
    Ok(ExitCode::SUCCESS)
}

/// The cells of a node.
pub(in crate::cluster) fn row(node: &NodeView, cluster: &ClusterView) -> Vec<String> {
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

/// A pod that is no TaskManager yet, or no longer.
fn pod_row(pod: &PodView) -> Vec<String> {
    let state = match pod.state {
        PodViewState::Asked => "asked for",
        PodViewState::Pending => "pending",
        PodViewState::Running => "starting",
        PodViewState::Registered => "registered",
        PodViewState::Lost => "lost",
        PodViewState::Leaving => "leaving",
        PodViewState::Ended => "ended",
    };
    let state = match &pod.why {
        Some(why) => format!("{state}: {why}"),
        None => state.to_owned(),
    };
    let node = pod.node.clone().unwrap_or_else(|| "-".to_owned());
    let slots = pod.slots.to_string();
    vec![
        "pod".into(),
        pod.name.clone(),
        state,
        "-".into(),
        node,
        slots,
        "-".into(),
    ]
}
