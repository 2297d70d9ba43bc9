//! `incumbent job ls`.

use std::process::ExitCode;

use incumbent_cluster_core::view::JobView;
use serde::Deserialize;

use super::describe::{last_checkpoint, short_state, tasks_running};
use crate::cluster::client::{Ask, Client, segment};
use crate::exit::Failure;
use crate::settings::Output;
use crate::show;

#[derive(Deserialize)]
struct Jobs {
    jobs: Vec<JobView>,
    /// Where the next page begins.
    next: Option<String>,
}

/// Every job, page by page.
async fn all(client: &Client, live: bool) -> Result<Vec<JobView>, Failure> {
    let mut all = Vec::new();
    let mut path = format!("/v1/jobs?live={live}");
    loop {
        let Jobs { jobs, next } = client.json(&Ask::get(path)).await?;
        all.extend(jobs);
        match next {
            Some(after) => path = format!("/v1/jobs?live={live}&after={}", segment(&after)),
            None => return Ok(all),
        }
    }
}

pub(super) async fn list(client: &Client, live: bool, output: Output) -> Result<ExitCode, Failure> {
    let jobs = all(client, live).await?;
    if output.is_json() {
        for job in &jobs {
            show::json_line(job)?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    let now = show::moment();
    let rows = jobs.iter().map(|job| {
        vec![
            job.name.clone(),
            short_state(job).into(),
            tasks_running(job),
            job.attempt.to_string(),
            job.restarts.to_string(),
            last_checkpoint(job, now),
            job.submitted_at.clone(),
            job.id.clone(),
        ]
    });
    let columns = [
        "NAME",
        "STATE",
        "TASKS",
        "ATTEMPT",
        "RESTARTS",
        "CHECKPOINT",
        "SUBMITTED",
        "ID",
    ];
    show::print(format!("{}\n", show::table(&columns, rows.collect())).as_bytes())?;
    Ok(ExitCode::SUCCESS)
}
