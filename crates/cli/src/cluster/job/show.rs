//! `incumbent job show`.

use std::process::ExitCode;

use incumbent_cluster_core::view::JobView;

use super::describe::{cause_lines, short_state, task_state};
use super::find::find;
use crate::cluster::client::Client;
use crate::exit::Failure;
use crate::settings::Output;
use crate::show;

pub(super) async fn show(client: &Client, job: &str, output: Output) -> Result<ExitCode, Failure> {
    print(&find(client, job).await?, output)?;
    Ok(ExitCode::SUCCESS)
}

/// A table, or one JSON object.
pub(super) fn print(job: &JobView, output: Output) -> Result<(), Failure> {
    if output.is_json() {
        show::json_line(job)?;
        return Ok(());
    }
    for (name, value) in facts(job) {
        show::line(format!("{name:<11}{}", show::escape::printable(&value)))?;
    }
    if !job.tasks.is_empty() {
        let dash = || "-".to_owned();
        let rows = job.tasks.iter().map(|task| {
            vec![
                task.rank.to_string(),
                task_state(task).into(),
                task.node.clone().unwrap_or_else(dash),
                task.pid.map_or_else(dash, |pid| pid.to_string()),
                task.since.clone().unwrap_or_else(dash),
                task.address.clone().unwrap_or_else(dash),
            ]
        });
        let columns = ["RANK", "STATE", "NODE", "PID", "SINCE", "ADDRESS"];
        show::print(format!("\n{}\n", show::table(&columns, rows.collect())).as_bytes())?;
    }
    Ok(())
}

fn facts(job: &JobView) -> Vec<(&'static str, String)> {
    let mut facts = vec![
        ("id", job.id.clone()),
        ("name", job.name.clone()),
        ("state", short_state(job).into()),
        ("attempt", job.attempt.to_string()),
        ("restarts", job.restarts.to_string()),
        ("epoch", job.epoch.to_string()),
        ("submitted", job.submitted_at.clone()),
    ];
    facts.extend(job.ended_at.clone().map(|at| ("ended", at)));
    if let Some(spec) = &job.spec {
        facts.push(("command", spec.command.join(" ")));
    }
    facts.extend(job.why.iter().map(|why| ("why", why.clone())));
    let cause = job.cause.as_ref().map(cause_lines).unwrap_or_default();
    facts.extend(cause.into_iter().map(|line| ("cause", line)));
    facts
}
