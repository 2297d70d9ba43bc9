//! `incumbent job savepoint`: a savepoint of a job that goes on.

use std::process::ExitCode;

use clap::Args;
use incumbent_cluster_core::view::{JobView, SavepointView};
use incumbent_cluster_node::api::words;
use serde::Deserialize;
use serde_json::json;

use super::args::JobRef;
use super::describe::bytes_of;
use super::find::find;
use super::progress::{Interrupt, Steps, want};
use super::stop::savepoint_id;
use super::wait::INTERVAL;
use crate::cluster::client::{Client, ClusterArgs};
use crate::exit::Failure;
use crate::settings::Output;
use crate::show::{json_line, line};

const HELP: &str = "\
The job goes on. Its savepoint has files of its own and stays until it is removed (`incumbent savepoint rm ID`),
even if the job is. It starts other jobs: `incumbent job run --restore ID`.

This waits until the savepoint is there. Ctrl-C ends the waiting only: what is written down is carried out,
whichever JobManager leads.";

/// Make a savepoint of a job, which goes on.
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(crate) struct MakeSavepointArgs {
    #[command(flatten)]
    pub(crate) job: JobRef,

    /// The id of the savepoint, 32 hexadecimal digits. Making one under the same id twice makes one
    /// savepoint [default: drawn at random]
    #[arg(long, value_name = "ID", env = "INCUMBENT_JOB_SAVEPOINT")]
    pub(crate) savepoint: Option<String>,

    #[command(flatten)]
    pub(crate) cluster: ClusterArgs,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// The answer: the savepoint, or the job that makes it.
#[derive(Deserialize)]
#[serde(untagged)]
enum Made {
    Done(SavepointView),
    Pending(Box<JobView>),
}

pub(super) async fn savepoint(args: MakeSavepointArgs) -> Result<ExitCode, Failure> {
    let mut interrupt = Interrupt::new()?;
    let id = savepoint_id(args.savepoint.as_deref())?;
    let client = Client::new(&args.cluster)?;
    let job = find(&client, &args.job.job).await?;
    let name = job.name.clone();
    let goes_on = format!(
        "{name} goes on making savepoint {id}; look at it with `incumbent savepoint show {id}`"
    );
    let making = async {
        let mut steps = Steps::default();
        let below = format!("savepoints/{id}");
        let made = loop {
            match want(&client, &job.id, &below, &json!({})).await? {
                Made::Done(made) => break made,
                Made::Pending(job) => steps.tell(step(&job, &id.to_string())),
            }
            tokio::time::sleep(INTERVAL).await;
        };
        match args.output.is_json() {
            true => drop(json_line(&made)?),
            false => drop(line(told(&made))?),
        }
        Ok(ExitCode::SUCCESS)
    };
    interrupt.or(Box::pin(making), &goes_on).await
}

/// How far it is.
fn step(job: &JobView, id: &str) -> String {
    let checkpoints = job.checkpoints.as_ref();
    match checkpoints.and_then(|all| all.pending.as_ref()) {
        Some(pending)
            if pending.savepoint.as_deref() == Some(id) && !pending.missing.is_empty() =>
        {
            format!(
                "savepoint {id} waits for {}",
                words::ranks(&pending.missing)
            )
        }
        _ => format!("savepoint {id} is being made"),
    }
}

/// What it is, and what it is for.
fn told(made: &SavepointView) -> String {
    let (id, checkpoint) = (&made.id, &made.checkpoint);
    format!(
        "savepoint {id} of {}: checkpoint {}, {}\nrestore   incumbent job run … --restore {id}\nremove    incumbent savepoint \
         rm {id}",
        made.name,
        checkpoint.number,
        bytes_of(checkpoint)
    )
}
