//! The cluster at a glance: `/v1/overview`, and `/v1/overview/jobs` for one page of many jobs.
//!
//! Both are made by the leader of one look at its jobs and nodes, which it takes twice a second at
//! most, however many ask: a page of fifty rows is as cheap as the overview.

mod look;
mod nodes;
mod rows;
mod types;
mod wrong;

use axum::Json;
use axum::extract::{Query, State};
use axum::routing::get;
use utoipa::openapi::HttpMethod::Get;
use utoipa::openapi::schema::Type;

pub use nodes::{MOST_TASKS_OF_NODE, NodeRow, NodeRows, TaskOfNode};
pub use rows::{MOST_ROWS, USUAL_ROWS};
pub use types::{
    About, JobCounts, JobRow, JobRows, Marks, NodeCounts, Overview, RowCheckpoint, Severity,
    SlotCounts, Wrong,
};
pub use wrong::MOST_WRONG;

pub(super) use look::Looks;

use super::led::{Answered, Led};
use super::problem::Problem;
use super::route::Route;
use super::submit;
use rows::Wanted;

pub(super) fn routes() -> Vec<Route<Led>> {
    vec![
        Route::new(&[Get], "/v1/overview", get(overview), "show_overview", "The cluster at a glance")
            .says(
                "What is wrong now, who leads, nodes and slots, and jobs by state. It does not grow with the \
                 number of jobs, and may be half a second old.",
            )
            .answers::<Overview>(200, "The cluster"),
        Route::new(&[Get], "/v1/overview/jobs", get(rows), "list_job_rows", "One page of many jobs, filtered and sorted")
            .query("state", Type::String, "Only jobs in this state")
            .query("name", Type::String, "Only jobs whose name or id has this in it")
            .query("sort", Type::String, "`submitted` (if not said), `name`, `state`, `tasks`, `restarts` or `checkpoint`")
            .query("descending", Type::Boolean, "The highest first, or the newest: true, if not said")
            .query("limit", Type::Integer, "Most rows: 1 to 1000, usually 100")
            .query("offset", Type::Integer, "How many rows to leave out")
            .answers::<JobRows>(200, "The rows"),
        Route::new(&[Get], "/v1/overview/nodes", get(node_rows), "list_node_rows", "Nodes with their tasks")
            .answers::<NodeRows>(200, "JobManagers and TaskManagers, and those that are not verified"),
    ]
}

async fn overview(State(led): State<Led>) -> Answered<Overview> {
    let look = led.looks.look(&led).await?;
    Ok(Json(look.overview(submit::now())))
}

async fn rows(State(led): State<Led>, Query(wanted): Query<Wanted>) -> Answered<JobRows> {
    if let Some(limit) = wanted.limit
        && !(1..=MOST_ROWS).contains(&limit)
    {
        let detail = format!("limit is {limit}; it must be 1 to {MOST_ROWS}.");
        return Err(Problem::bad_request(detail));
    }
    let look = led.looks.look(&led).await?;
    Ok(Json(rows::rows(
        &look.jobs,
        &wanted,
        look.cluster.is_complete,
    )))
}

async fn node_rows(State(led): State<Led>) -> Answered<NodeRows> {
    let look = led.looks.look(&led).await?;
    Ok(Json(nodes::rows(&look.cluster, &look.jobs)))
}

#[cfg(test)]
mod tests {
    use incumbent_cluster_core::view::{
        ClusterView, JobView, LeaderView, NodeKind, NodeView, NodeViewState,
    };
    use incumbent_cluster_core::{Desired, JobState};

    pub(super) fn job(name: &str, state: JobState, submitted_at: &str) -> JobView {
        JobView {
            id: format!("{:0>32}", name.len()),
            name: name.into(),
            state,
            attempt: 1,
            epoch: 1,
            tasks: Vec::new(),
            wanted_tasks: 0,
            checkpoint: None,
            checkpoints: None,
            savepoints: Vec::new(),
            restarts: 0,
            cause: None,
            desired: Desired::Running,
            intent: None,
            why: Vec::new(),
            submitted_at: submitted_at.into(),
            ended_at: None,
            incarnation: String::new(),
            attempts: Vec::new(),
            spec: None,
        }
    }

    pub(super) fn node(name: &str, kind: NodeKind, state: NodeViewState) -> NodeView {
        NodeView {
            kind,
            name: name.into(),
            nonce: name.into(),
            pid: 1,
            address: "127.0.0.1:1".into(),
            slots: 1,
            slots_free: 1,
            state,
            silent_ms: 12_000,
            version: None,
            seen: None,
            advertised: None,
        }
    }

    /// A cluster with a leader, a JobManager that stands by, and a TaskManager.
    pub(super) fn cluster() -> ClusterView {
        let live = NodeViewState::Live;
        ClusterView {
            id: "c".repeat(32),
            leader: LeaderView {
                name: "leader".into(),
                pid: 1,
                address: "127.0.0.1:1".into(),
                since: String::new(),
            },
            epoch: 1,
            nodes: vec![
                node("leader", NodeKind::JobManager, live),
                node("standby", NodeKind::JobManager, live),
                node("tm", NodeKind::TaskManager, live),
            ],
            slots: 1,
            slots_free: 1,
            is_complete: true,
            damaged: Vec::new(),
            refused: Vec::new(),
            pods: Vec::new(),
        }
    }
}
