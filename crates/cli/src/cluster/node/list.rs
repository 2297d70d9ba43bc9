//! `incumbent node ls`.

use std::process::ExitCode;

use incumbent_cluster_core::view::{
    ClusterView, NodeKind, NodeView, NodeViewState, PodView, PodViewState, RefusedNodeView,
};
use serde::Serialize;

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
            let epoch = leads(node, &cluster).then_some(cluster.epoch);
            let leads = epoch.is_some();
            show::json_line(&NodeLine { node, leads, epoch })?;
        }
        for pod in pods(&cluster) {
            show::json_line(&PodLine { kind: "pod", pod })?;
        }
    } else {
        let rows = cluster.nodes.iter().map(|node| row(node, &cluster));
        let rows = rows.chain(pods(&cluster).map(pod_row));
        let table = show::table(&COLUMNS, rows.collect());
        show::print(format!("{table}\n").as_bytes())?;
    }
    // They are no nodes of the cluster, so not among what a program reads.
    for refused in &cluster.refused {
        anstream::eprintln!("{}", refusal(refused));
    }
    Ok(ExitCode::SUCCESS)
}

/// Why a TaskManager is not in the list. It says itself what it is called.
fn refusal(refused: &RefusedNodeView) -> String {
    let text = format!(
        "{}, which reports from {}, gets no tasks: {}",
        refused.name, refused.seen, refused.why
    );
    show::escape::printable(&text).into_owned()
}

/// A node, as a program reads it.
#[derive(Serialize)]
struct NodeLine<'v> {
    #[serde(flatten)]
    node: &'v NodeView,
    leads: bool,
    /// That at which it leads.
    #[serde(skip_serializing_if = "Option::is_none")]
    epoch: Option<u64>,
}

/// A pod that is no node, as a program reads it.
#[derive(Serialize)]
struct PodLine<'v> {
    kind: &'static str,
    #[serde(flatten)]
    pod: &'v PodView,
}

fn leads(node: &NodeView, cluster: &ClusterView) -> bool {
    node.pid == cluster.leader.pid && node.address == cluster.leader.address
}

/// Those that are no TaskManager yet, or no longer.
fn pods(cluster: &ClusterView) -> impl Iterator<Item = &PodView> {
    let is_node = |pod: &&PodView| pod.state == PodViewState::Registered;
    cluster.pods.iter().filter(move |pod| !is_node(pod))
}

/// The cells of a node.
pub(in crate::cluster) fn row(node: &NodeView, cluster: &ClusterView) -> Vec<String> {
    let (kind, slots, free) = match node.kind {
        NodeKind::JobManager => ("job-manager", "-".into(), "-".into()),
        NodeKind::TaskManager => (
            "task-manager",
            node.slots.to_string(),
            node.slots_free.to_string(),
        ),
    };
    let state = match node.state {
        NodeViewState::Live if leads(node, cluster) => format!("leads, epoch {}", cluster.epoch),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_task_manager_is_named_with_the_reason_and_writes_nothing_on_the_terminal() {
        let refused = RefusedNodeView {
            name: "tm\u{1b}[2J".into(),
            seen: "10.0.0.7".into(),
            advertised: None,
            why: "another token".into(),
            ago_ms: 10,
        };
        let told = refusal(&refused);
        assert!(
            told.contains("10.0.0.7, gets no tasks: another token"),
            "{told}"
        );
        assert!(!told.contains('\u{1b}'), "{told:?}");
    }
}
