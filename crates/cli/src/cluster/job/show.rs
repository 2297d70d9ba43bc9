//! `incumbent job show`.

use std::process::ExitCode;
use std::time::Duration;

use incumbent_cluster_core::view::JobView;
use incumbent_cluster_node::api::words;

use super::describe::{bytes_of, cause_lines, short_state, task_state};
use super::find::find;
use crate::cluster::client::Client;
use crate::exit::Failure;
use crate::settings::Output;
use crate::show;

/// How many of the attempts that ended are shown: the newest.
const MOST_ATTEMPTS: usize = 10;

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
        let has_progress = job.tasks.iter().any(|task| task.progress.is_some());
        let rows = job.tasks.iter().map(|task| {
            let mut row = vec![
                task.rank.to_string(),
                task_state(task).into(),
                task.node.clone().unwrap_or_else(dash),
                task.pid.map_or_else(dash, |pid| pid.to_string()),
                task.since.clone().unwrap_or_else(dash),
                task.address.clone().unwrap_or_else(dash),
            ];
            if has_progress {
                row.push(task.progress.clone().unwrap_or_else(dash));
            }
            row
        });
        let mut columns = vec!["RANK", "STATE", "NODE", "PID", "SINCE", "ADDRESS"];
        if has_progress {
            columns.push("PROGRESS");
        }
        show::print(format!("\n{}\n", show::table(&columns, rows.collect())).as_bytes())?;
    }
    if !job.attempts.is_empty() {
        let rows = job.attempts.iter().rev().take(MOST_ATTEMPTS).map(|ended| {
            let number = ended.attempt.to_string();
            let because = show::escape::printable(&ended.cause.message).into_owned();
            vec![number, ended.ended_at.clone(), because]
        });
        let columns = ["ATTEMPT", "ENDED", "BECAUSE"];
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
    facts.extend(checkpoints(job));
    facts.extend(job.why.iter().map(|why| ("why", why.clone())));
    let cause = job.cause.as_ref().map(cause_lines).unwrap_or_default();
    facts.extend(cause.into_iter().map(|line| ("cause", line)));
    facts
}

/// What there is to say of its checkpoints: the newest completed first.
fn checkpoints(job: &JobView) -> Vec<(&'static str, String)> {
    let now = show::moment();
    let mut facts = Vec::new();
    if let Some(all) = &job.checkpoints {
        if let Some(from) = &all.restored_from {
            facts.push(("restored", format!("from {from}")));
        }
        let interval = words::duration(Duration::from_millis(all.interval_ms));
        let state = match all.completed.len() {
            0 => "none is completed yet".to_owned(),
            kept => format!("{kept} kept"),
        };
        facts.push(("interval", format!("{interval}, {state}")));
        let completed = all.completed.iter().rev();
        facts.extend(completed.map(|one| ("checkpoint", words::completed(one, now))));
        facts.extend(
            all.pending
                .as_ref()
                .map(|one| ("pending", words::pending(one))),
        );
        let aborted = all.last_aborted.as_ref();
        facts.extend(aborted.map(|one| ("aborted", words::aborted(one))));
        if all.aborted_in_row > 1 {
            facts.push(("aborted", format!("{} in a row", all.aborted_in_row)));
        }
    }
    let savepoints = job.savepoints.iter();
    facts.extend(savepoints.map(|savepoint| {
        let (id, number) = (&savepoint.id, savepoint.checkpoint.number);
        let size = bytes_of(&savepoint.checkpoint);
        ("savepoint", format!("{id} (checkpoint {number}, {size})"))
    }));
    facts
}
