//! Nodes with the tasks that they have. Pure.

use std::collections::HashMap;

use incumbent_cluster_core::view::{
    ClusterView, JobView, NodeView, NodeViewState, RefusedNodeView, TaskViewState,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Most tasks of one node that are named. The others are counted.
pub const MOST_TASKS_OF_NODE: usize = 20;

/// Nodes with their tasks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct NodeRows {
    /// JobManagers and TaskManagers.
    pub nodes: Vec<NodeRow>,
    /// TaskManagers that have reported of late and are not verified.
    pub refused: Vec<RefusedNodeView>,
}

/// A node with its tasks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct NodeRow {
    /// The node.
    #[serde(flatten)]
    pub node: NodeView,
    /// Its tasks that have not ended, at most 20.
    pub tasks: Vec<TaskOfNode>,
    /// How many more there are.
    pub tasks_more: usize,
}

/// A task of a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TaskOfNode {
    /// The id of its job.
    pub job: String,
    /// The name of its job.
    pub name: String,
    /// Its place in the gang.
    pub rank: u32,
}

pub(super) fn rows(cluster: &ClusterView, jobs: &[JobView]) -> NodeRows {
    let mut by_node: HashMap<&str, Vec<TaskOfNode>> = HashMap::new();
    for job in jobs {
        for task in job
            .tasks
            .iter()
            .filter(|task| task.state != TaskViewState::Ended)
        {
            let Some(node) = &task.node else { continue };
            by_node.entry(node).or_default().push(TaskOfNode {
                job: job.id.clone(),
                name: job.name.clone(),
                rank: task.rank,
            });
        }
    }
    let row = |node: &NodeView| {
        // Tasks name a node by its name, and a dead one may have had it before.
        let is_dead = node.state == NodeViewState::Dead;
        let mut same = cluster.nodes.iter().filter(|other| other.name == node.name);
        let is_replaced = is_dead && same.any(|other| other.state != NodeViewState::Dead);
        let tasks = by_node.get(&node.name[..]).filter(|_| !is_replaced);
        let mut tasks = tasks.cloned().unwrap_or_default();
        let tasks_more = tasks.len().saturating_sub(MOST_TASKS_OF_NODE);
        tasks.truncate(MOST_TASKS_OF_NODE);
        NodeRow {
            node: node.clone(),
            tasks,
            tasks_more,
        }
    };
    NodeRows {
        nodes: cluster.nodes.iter().map(row).collect(),
        refused: cluster.refused.clone(),
    }
}
