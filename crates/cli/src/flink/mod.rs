//! `incumbent flink`: inspect, move and clean the HA data of an Apache Flink.

mod clean;
mod clean_report;
mod migrate;
mod plan_report;
mod report;

use std::io::IsTerminal;
use std::pin::pin;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Subcommand};
use incumbent_flink_ha::{
    FlinkAddress, FlinkCluster, FlinkError, InspectOptions, Severity, clusters,
};

use crate::diagnostics::say;
use crate::exit::{Code, Failure};
use crate::settings::Output;
use crate::show;

/// How long nothing is said while the lock is watched. A renewal mostly comes sooner.
const PATIENCE: Duration = Duration::from_secs(2);

const HELP: &str = "\
The command writes nothing, and Flink does not notice it.

Problems are critical (jobs do not run, or do not survive the next failover), warnings, or notes
(left over or unknown, without harm). Each says what is wrong, and what Flink makes of it.

On Kubernetes only a renewal of the lock proves that somebody leads. The command watches the lock
until it changes, or until its lease has passed by this machine's clock: up to 5 s for a healthy
Flink with its usual settings, and 15 s for a dead one. The times in the lock are those of its
holder's clock and prove nothing. In ZooKeeper the server itself removes the entries of dead
processes, so there is nothing to wait for.

An address above clusters lists them: kubernetes://namespace, zookeeper://h1:2181/flink, or
zookeeper://h1:2181 for all that a search four levels deep finds. It searches 1000 nodes, those with
flink in their path first, and says if there are more.

Exit codes:
  0  no problems, or only notes; or a list of clusters
  1  no cluster was found, and not all nodes were searched
  6  no such cluster
  7  the store does not answer
  8  there are critical problems or warnings";

/// Inspect, move and clean the HA data of an Apache Flink.
#[derive(Debug, Args)]
pub(crate) struct FlinkArgs {
    #[command(subcommand)]
    pub(crate) command: FlinkCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum FlinkCommand {
    /// Show leaders, jobs, applications and checkpoints, what is damaged, and what follows from it.
    #[command(after_help = HELP)]
    Inspect {
        /// Where Flink keeps them: kubernetes://namespace/cluster-id or
        /// zookeeper://h1:2181,h2:2181/flink/cluster-id
        #[arg(value_name = "ADDRESS", env = "INCUMBENT_FLINK")]
        address: FlinkAddress,
        /// Also look whether the files of jobs and checkpoints are there. Only files of the scheme
        /// `file` are looked at, on this machine: run it where Flink's high-availability.storageDir
        /// is mounted.
        #[arg(long)]
        files: bool,
        /// Do not watch the lock on Kubernetes. A dead leader then looks like a living one.
        #[arg(long)]
        no_wait: bool,
        #[command(flatten)]
        output: Output,
    },
    /// Copy the data of a stopped Flink to another store, where its next start recovers its jobs.
    #[command(after_help = migrate::HELP)]
    Migrate(Box<migrate::MigrateArgs>),
    /// Remove what no job needs, or what keeps a JobManager from starting.
    #[command(after_help = clean::HELP)]
    Clean(Box<clean::CleanArgs>),
    /// Let a Flink lead again where the data were moved from.
    Reopen {
        /// The address that `migrate` copied from.
        #[arg(value_name = "ADDRESS")]
        address: FlinkAddress,
        #[command(flatten)]
        output: Output,
    },
}

pub(crate) async fn flink(args: FlinkArgs) -> Result<ExitCode, Failure> {
    match args.command {
        FlinkCommand::Inspect {
            address,
            files,
            no_wait,
            output,
        } => {
            let options = InspectOptions {
                wait: !no_wait,
                files,
            };
            inspect(&address, options, output).await
        }
        FlinkCommand::Migrate(args) => migrate::run(*args).await,
        FlinkCommand::Clean(args) => clean::run(*args).await,
        FlinkCommand::Reopen { address, output } => migrate::run_reopen(&address, output).await,
    }
}

async fn inspect(
    address: &FlinkAddress,
    options: InspectOptions,
    output: Output,
) -> Result<ExitCode, Failure> {
    if !address.names_cluster() {
        return list(address, None, output).await;
    }
    let cluster = match patiently(Box::pin(incumbent_flink_ha::inspect(address, options))).await {
        // In ZooKeeper only the server can tell a cluster from a node above clusters.
        Err(nothing @ FlinkError::Nothing(_)) => return list(address, Some(nothing), output).await,
        cluster => cluster?,
    };
    if output.is_json() {
        show::json_line(&cluster)?;
    } else {
        show::styled_line(report::cluster(&cluster))?;
    }
    Ok(if is_sound(&cluster) {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(Code::Problems as u8)
    })
}

/// Lists the clusters that the address is above. If there are none, it fails, with this reason.
async fn list(
    address: &FlinkAddress,
    nothing: Option<FlinkError>,
    output: Output,
) -> Result<ExitCode, Failure> {
    let mut found = clusters(address).await?;
    found.clusters.retain(|cluster| address.is_above(cluster));
    let unsearched = found.stopped_after.map(report::unsearched);
    if found.clusters.is_empty() {
        return Err(none_found(address, nothing, unsearched));
    }
    if output.is_json() {
        show::json_line(&found)?;
    } else {
        show::line(report::clusters(&found.clusters))?;
    }
    if let Some(unsearched) = unsearched {
        say(unsearched);
    }
    Ok(ExitCode::SUCCESS)
}

/// That nothing was found is not that nothing is there, if the search ended early.
fn none_found(
    address: &FlinkAddress,
    nothing: Option<FlinkError>,
    unsearched: Option<String>,
) -> Failure {
    let failure = match (nothing, &unsearched) {
        (Some(nothing), _) => Failure::from(nothing),
        (None, None) => {
            Failure::new(format!("there is no Flink cluster at {address}")).code(Code::NotFound)
        }
        (None, Some(_)) => Failure::new(format!("no Flink cluster was found at {address}")),
    };
    match unsearched {
        Some(unsearched) => failure.then(unsearched),
        None => failure,
    }
}

/// Says on a terminal what takes so long.
async fn patiently<T>(inspecting: impl Future<Output = T>) -> T {
    let mut inspecting = pin!(inspecting);
    tokio::select! {
        found = &mut inspecting => return found,
        () = tokio::time::sleep(PATIENCE) => {}
    }
    if std::io::stderr().is_terminal() {
        anstream::eprintln!("waiting until the leader renews its lock, or its lease has passed");
    }
    inspecting.await
}

/// Whether there are no problems, but for notes.
fn is_sound(cluster: &FlinkCluster) -> bool {
    let mut problems = cluster.problems.iter();
    problems.all(|problem| problem.severity == Severity::Note)
}

impl From<FlinkError> for Failure {
    fn from(error: FlinkError) -> Self {
        let code = match &error {
            FlinkError::Address(_)
            | FlinkError::Tls(_)
            | FlinkError::Config(_)
            | FlinkError::Named(_) => Code::Usage,
            FlinkError::Nothing(_) => Code::NotFound,
            FlinkError::Unavailable { .. } => Code::Unavailable,
            FlinkError::Changed(_) | FlinkError::Differs(_) | FlinkError::Closed { .. } => {
                Code::Refused
            }
            FlinkError::Unknown { .. } => Code::Unknown,
            _ => Code::Failed,
        };
        Self::new(incumbent::backend::causes(&error)).code(code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_search_that_ended_early_does_not_say_that_there_is_none() {
        let address: FlinkAddress = "zookeeper://h".parse().unwrap();
        let all = none_found(&address, None, None).message();
        assert!(all.starts_with("there is no Flink cluster at "), "{all}");
        let some = none_found(&address, None, Some(report::unsearched(1000))).message();
        assert!(some.starts_with("no Flink cluster was found at "), "{some}");
        assert!(
            some.contains("; the search ended after 1000 nodes"),
            "{some}"
        );
    }
}
