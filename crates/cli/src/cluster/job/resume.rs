//! `incumbent job resume`: a suspended job goes on.

use std::process::ExitCode;

use clap::Args;
use incumbent_cluster_core::Desired;
use incumbent_cluster_core::view::JobView;
use serde_json::json;

use super::args::JobRef;
use super::describe::standing;
use super::find::find;
use super::progress::want;
use super::run::glance;
use super::show;
use crate::cluster::client::{Client, ClusterArgs};
use crate::diagnostics::say;
use crate::exit::Failure;
use crate::settings::Output;
use crate::show::line;

const HELP: &str = "\
The job goes on from its last checkpoint, which is the savepoint that it was stopped with, as soon as slots are
free. With --tasks it has another number of tasks from then on. On a job that is still being stopped, and whose
savepoint is not there yet, this withdraws the stop.

It returns when the job runs, or when it is known why not (`incumbent job why`).";

/// Let a suspended job go on.
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(crate) struct ResumeArgs {
    #[command(flatten)]
    pub(crate) job: JobRef,

    /// With so many tasks [default: as many as before]
    #[arg(long, value_name = "M", env = "INCUMBENT_RESUME_TASKS")]
    pub(crate) tasks: Option<u32>,

    #[command(flatten)]
    pub(crate) cluster: ClusterArgs,
    #[command(flatten)]
    pub(crate) output: Output,
}

pub(super) async fn resume(args: ResumeArgs) -> Result<ExitCode, Failure> {
    let client = Client::new(&args.cluster)?;
    let job = find(&client, &args.job.job).await?;
    let mut wanted = json!({ "state": "running" });
    if let Some(tasks) = args.tasks {
        wanted["tasks"] = tasks.into();
    }
    if job.desired == Desired::Running && !job.state.is_terminal() && args.tasks.is_none() {
        say(format!("{} is not suspended", job.name));
    }
    let resumed: JobView = want(&client, &job.id, "desired", &wanted).await?;
    let job = glance(&client, resumed).await;
    if args.output.is_json() {
        show::print(&job, args.output)?;
    } else {
        line(standing(&job))?;
    }
    Ok(ExitCode::SUCCESS)
}
