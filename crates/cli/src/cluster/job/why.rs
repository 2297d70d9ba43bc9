//! `incumbent job why`: the story of a job, in words.

use std::process::ExitCode;

use incumbent_cluster_core::JobState;
use incumbent_cluster_core::view::{ClusterView, JobView, NodeViewState, TaskViewState};
use incumbent_cluster_node::api::{Why, words};

use super::describe::{cause_lines, standing};
use super::find::{find, path};
use crate::cluster::client::{Ask, Client};
use crate::exit::Failure;
use crate::show;

/// Ended attempts that are told, besides the last one.
const MOST_TOLD: usize = 5;

pub(super) async fn why(client: &Client, job: &str) -> Result<ExitCode, Failure> {
    let job = find(client, job).await?;
    // The story is told without its nodes, too.
    let cluster: Option<ClusterView> = client.json(&Ask::get("/v1/cluster")).await.ok();
    // So it is without what its tasks say of themselves.
    let told: Option<Why> = match job.state {
        JobState::Running => client
            .json(&Ask::get(format!("{}/why", path(&job.id))))
            .await
            .ok(),
        _ => None,
    };
    let pace = told.map(|why| why.pace).unwrap_or_default();
    for line in story(&job, cluster.as_ref(), &pace) {
        show::line(show::escape::printable(&line))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn story(job: &JobView, cluster: Option<&ClusterView>, pace: &[String]) -> Vec<String> {
    let mut lines = vec![standing(job)];
    // The first one is part of the sentence before, if it waits.
    let told = usize::from(job.state == JobState::Waiting);
    lines.extend(job.why.iter().skip(told).map(|why| format!("  {why}")));
    lines.extend(silent(job, cluster));
    lines.extend(pace.iter().map(|line| format!("  {line}")));
    let checkpoints = words::about_checkpoints(job, show::moment());
    lines.extend(checkpoints.into_iter().map(|line| format!("  {line}")));
    if let Some(cause) = &job.cause {
        let title = match job.state {
            JobState::Finished | JobState::Failed | JobState::Canceled => "It ended because:",
            _ => "The last attempt ended because:",
        };
        lines.push(title.into());
        lines.extend(
            cause_lines(cause)
                .into_iter()
                .map(|line| format!("  {line}")),
        );
    }
    let before = job
        .attempts
        .iter()
        .rev()
        .skip(usize::from(job.cause.is_some()));
    for ended in before.take(MOST_TOLD) {
        lines.push(format!(
            "Attempt {} ended at {}: {}",
            ended.attempt, ended.ended_at, ended.cause.message
        ));
    }
    lines
}

/// The nodes of its tasks that are silent.
fn silent(job: &JobView, cluster: Option<&ClusterView>) -> Vec<String> {
    let Some(cluster) = cluster else {
        return Vec::new();
    };
    let is_of_job = |name: &str| {
        let mut unknown = job.tasks.iter();
        unknown
            .any(|task| task.state == TaskViewState::Unknown && task.node.as_deref() == Some(name))
    };
    let nodes = cluster.nodes.iter();
    let silent = nodes.filter(|node| node.state == NodeViewState::Silent && is_of_job(&node.name));
    silent
        .map(|node| {
            format!(
                "  {} ({}) is silent since {} s",
                node.name,
                node.address,
                node.silent_ms / 1000
            )
        })
        .collect()
}
