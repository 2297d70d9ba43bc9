//! One look at a cluster as lines, where there is no terminal.

use std::time::SystemTime;

use incumbent_cluster_core::view::{JobView, NodeView};
use incumbent_cluster_node::api::words;

use super::snapshot::Snapshot;
use crate::cluster::job::describe::{last_checkpoint, short_state, tasks_running};
use crate::cluster::node::list;
use crate::show::table;

/// Most ranks of a job that are listed.
const MOST_TASKS: usize = 20;

pub(super) fn lines(snapshot: &Snapshot, now: SystemTime) -> Vec<String> {
    let cluster = &snapshot.cluster;
    let leader = &cluster.leader;
    let since = words::age(&leader.since, now).unwrap_or_else(|| leader.since.clone());
    let mut lines = vec![
        format!(
            "leader     {} (pid {}) at {}, epoch {}, began {since}",
            leader.name, leader.pid, leader.address, cluster.epoch
        ),
        format!("nodes      {}", snapshot.nodes()),
        format!(
            "jobs       {}",
            snapshot.jobs_by_state().trim_start_matches("jobs: ")
        ),
    ];
    lines.extend(
        snapshot
            .faults()
            .iter()
            .map(|fault| format!("fault      {fault}")),
    );
    let nodes = cluster.nodes.iter().map(|node| node_row(node, snapshot));
    lines.extend(section(table(&list::COLUMNS, nodes.collect())));
    if !snapshot.jobs.is_empty() {
        let jobs = snapshot.jobs.iter().map(|job| job_row(job, now));
        lines.extend(section(table(&JOB_COLUMNS, jobs.collect())));
    }
    let tasks: Vec<_> = snapshot.jobs.iter().flat_map(task_rows).collect();
    if !tasks.is_empty() {
        let columns = ["JOB", "RANK", "STATE", "NODE", "PID", "PROGRESS"];
        lines.extend(section(table(&columns, tasks)));
    }
    lines
}

/// The columns of jobs, here and on the screen.
pub(super) const JOB_COLUMNS: [&str; 7] = [
    "NAME",
    "STATE",
    "TASKS",
    "ATTEMPT",
    "RESTARTS",
    "CHECKPOINT",
    "SUBMITTED",
];

/// The cells of a job, without its reasons.
pub(super) fn job_row(job: &JobView, now: SystemTime) -> Vec<String> {
    vec![
        job.name.clone(),
        short_state(job).into(),
        tasks_running(job),
        job.attempt.to_string(),
        job.restarts.to_string(),
        last_checkpoint(job, now),
        words::age(&job.submitted_at, now).unwrap_or_else(|| job.submitted_at.clone()),
    ]
}

fn node_row(node: &NodeView, snapshot: &Snapshot) -> Vec<String> {
    list::row(node, &snapshot.cluster)
}

fn task_rows(job: &JobView) -> Vec<Vec<String>> {
    let dash = || "-".to_owned();
    let tasks = job.tasks.iter().take(MOST_TASKS);
    tasks
        .map(|task| {
            vec![
                job.name.clone(),
                task.rank.to_string(),
                crate::cluster::job::describe::task_state(task).into(),
                task.node.clone().unwrap_or_else(dash),
                task.pid.map_or_else(dash, |pid| pid.to_string()),
                task.progress.clone().unwrap_or_else(dash),
            ]
        })
        .collect()
}

fn section(table: String) -> Vec<String> {
    let mut lines = vec![String::new()];
    lines.extend(table.lines().map(str::to_owned));
    lines
}

#[cfg(test)]
mod tests {
    use super::super::snapshot::tests::{job, snapshot};
    use super::*;

    #[test]
    fn one_look_names_leader_nodes_jobs_and_tasks() {
        let now = humantime::parse_rfc3339("2026-01-01T00:05:00Z").unwrap();
        let text = lines(&snapshot(vec![job("hello", "running", 2)]), now).join("\n");
        for words in [
            "leader     jm-a (pid 101) at 127.0.0.1:9001, epoch 7, began 5 min ago",
            "fault      task-manager-4 is silent since 12 s",
            "leads, epoch 7",
            "hello",
            "line 7",
        ] {
            assert!(text.contains(words), "{words:?} in\n{text}");
        }
    }
}
