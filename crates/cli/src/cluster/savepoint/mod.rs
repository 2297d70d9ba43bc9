//! `incumbent savepoint`: lists savepoints, shows one, removes one.

mod args;
mod find;

use std::process::ExitCode;

use hyper::Method;
use incumbent_cluster_core::view::SavepointView;

use super::client::{Ask, Client};
use crate::diagnostics::say;
use crate::exit::Failure;
use crate::settings::Output;
use crate::show;
pub(crate) use args::SavepointArgs;
use args::SavepointCommand;
use find::{all, find};
pub(super) use find::{by_prefix, is_prefix};

pub(crate) async fn savepoint(args: SavepointArgs) -> Result<ExitCode, Failure> {
    match args.command {
        SavepointCommand::Ls {
            job,
            cluster,
            output,
        } => list(&Client::new(&cluster)?, job.as_deref(), output).await,
        SavepointCommand::Show {
            savepoint,
            cluster,
            output,
        } => print(&find(&Client::new(&cluster)?, &savepoint.id).await?, output),
        SavepointCommand::Rm { savepoint, cluster } => {
            remove(&Client::new(&cluster)?, &savepoint.id).await
        }
    }
}

async fn list(client: &Client, job: Option<&str>, output: Output) -> Result<ExitCode, Failure> {
    let mut found = all(client).await?;
    found.tell_what_is_missing();
    let savepoints = &mut found.savepoints;
    savepoints
        .retain(|savepoint| job.is_none_or(|job| job == savepoint.name || job == savepoint.job));
    // The newest first.
    savepoints.sort_by(|a, b| b.checkpoint.completed_at.cmp(&a.checkpoint.completed_at));
    if output.is_json() {
        for savepoint in savepoints {
            show::json_line(savepoint)?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    let rows = savepoints.iter().map(|savepoint| {
        let checkpoint = &savepoint.checkpoint;
        vec![
            savepoint.id.clone(),
            match savepoint.has_job {
                true => savepoint.name.clone(),
                false => format!("{} (removed)", savepoint.name),
            },
            checkpoint.number.to_string(),
            checkpoint.tasks.to_string(),
            show::bytes(checkpoint.bytes),
            checkpoint.completed_at.clone(),
        ]
    });
    let columns = ["ID", "JOB", "CHECKPOINT", "TASKS", "SIZE", "COMPLETED"];
    show::print(format!("{}\n", show::table(&columns, rows.collect())).as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

/// Facts, or one JSON object.
fn print(savepoint: &SavepointView, output: Output) -> Result<ExitCode, Failure> {
    if output.is_json() {
        show::json_line(savepoint)?;
        return Ok(ExitCode::SUCCESS);
    }
    let checkpoint = &savepoint.checkpoint;
    let record = match savepoint.has_job {
        true => "in the record of its job",
        false => "files only: the record of its job is gone",
    };
    for (name, value) in [
        ("id", savepoint.id.clone()),
        ("job", format!("{} ({})", savepoint.name, savepoint.job)),
        ("known by", record.into()),
        ("checkpoint", checkpoint.number.to_string()),
        ("attempt", checkpoint.attempt.to_string()),
        ("tasks", checkpoint.tasks.to_string()),
        ("size", show::bytes(checkpoint.bytes)),
        ("took", format!("{} ms", checkpoint.took_ms)),
        ("completed", checkpoint.completed_at.clone()),
        (
            "restore",
            format!("incumbent job run … --restore {}", savepoint.id),
        ),
    ] {
        show::line(format!("{name:<11}{}", show::escape::printable(&value)))?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn remove(client: &Client, id: &str) -> Result<ExitCode, Failure> {
    let savepoint = find(client, id).await?;
    let ask = Ask::new(Method::DELETE, format!("/v1/savepoints/{}", savepoint.id));
    client.whole(&ask).await.map_err(Failure::from)?;
    say(format!(
        "savepoint {} of {} is removed, with its files",
        savepoint.id, savepoint.name
    ));
    Ok(ExitCode::SUCCESS)
}
