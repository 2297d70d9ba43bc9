//! `incumbent job`: submits jobs, shows them, stops, resumes and rescales them, ends them.

mod args;
mod artifact;
mod change;
pub(super) mod describe;
mod file;
mod find;
mod list;
mod logs;
mod outcome;
mod pack;
mod progress;
mod rescale;
mod restore;
mod resume;
mod run;
mod savepoint;
mod show;
mod spec;
mod state;
mod stop;
mod stream;
mod wait;
mod waiting;
mod why;

use std::process::ExitCode;

use super::client::Client;
use crate::exit::Failure;
pub(crate) use args::JobArgs;
use args::JobCommand;

pub(crate) async fn job(args: JobArgs) -> Result<ExitCode, Failure> {
    match args.command {
        JobCommand::Run(args) => run::run(*args).await,
        JobCommand::Ls {
            live,
            cluster,
            output,
        } => list::list(&Client::new(&cluster)?, live, output).await,
        JobCommand::Show {
            job,
            cluster,
            output,
        } => show::show(&Client::new(&cluster)?, &job.job, output).await,
        JobCommand::State(args) => state::state(args).await,
        JobCommand::Logs(args) => logs::logs(args).await,
        JobCommand::Why { job, cluster } => why::why(&Client::new(&cluster)?, &job.job).await,
        JobCommand::Cancel { job, wait, cluster } => {
            change::cancel(&Client::new(&cluster)?, &job.job, wait).await
        }
        JobCommand::Stop(args) => stop::stop(args).await,
        JobCommand::Resume(args) => resume::resume(args).await,
        JobCommand::Rescale(args) => rescale::rescale(args).await,
        JobCommand::Savepoint(args) => savepoint::savepoint(args).await,
        JobCommand::Restart { job, cluster } => {
            change::restart(&Client::new(&cluster)?, &job.job).await
        }
        JobCommand::Rm { job, cluster } => change::remove(&Client::new(&cluster)?, &job.job).await,
    }
}
