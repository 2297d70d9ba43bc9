//! `incumbent flink`: look at the HA data of an Apache Flink.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use incumbent_flink_ha::{
    Entry, FlinkAddress, FlinkCluster, FlinkError, FlinkJob, ProblemKind, StateHandle,
};

use crate::args::Output;
use crate::exit::{Code, Failure};
use crate::show;

const HELP: &str = "\
Nothing is written, and Flink notices nothing. Times are of Flink's clocks. Files that handles point to are not looked at.
It exits with 0 also if there are problems: they are what it is for.";

/// Look at the HA data of an Apache Flink.
#[derive(Debug, Args)]
pub(crate) struct FlinkArgs {
    #[command(subcommand)]
    pub(crate) command: FlinkCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum FlinkCommand {
    /// Show leaders, session ids, jobs, checkpoints, counters, and what is stale or unreadable.
    #[command(after_help = HELP)]
    Inspect {
        /// Where Flink keeps them: kubernetes://namespace/cluster-id or
        /// zookeeper://h1:2181,h2:2181/flink/cluster-id
        #[arg(value_name = "ADDRESS", env = "INCUMBENT_FLINK")]
        address: FlinkAddress,
        #[command(flatten)]
        output: Output,
    },
}

pub(crate) async fn flink(args: FlinkArgs) -> Result<ExitCode, Failure> {
    match args.command {
        FlinkCommand::Inspect { address, output } => inspect(&address, output).await,
    }
}

async fn inspect(address: &FlinkAddress, output: Output) -> Result<ExitCode, Failure> {
    let cluster = incumbent_flink_ha::inspect(address).await?;
    if output.is_json() {
        show::json_line(&cluster)?;
    } else {
        show::line(as_tables(&cluster))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn as_tables(cluster: &FlinkCluster) -> String {
    let mut parts = vec![cluster.source.clone(), elections(cluster), leaders(cluster)];
    parts.push(jobs(cluster));
    let pointers: Vec<_> = cluster.jobs.iter().flat_map(pointers).collect();
    if !pointers.is_empty() {
        parts.push(show::table(
            &["JOB", "POINTER", "SIZE", "TO", "NOTE"],
            pointers,
        ));
    }
    parts.push(problems(cluster));
    parts.join("\n\n")
}

fn elections(cluster: &FlinkCluster) -> String {
    let rows = cluster.elections.iter().map(|election| {
        let lock = election.lock.as_ref();
        let renewed = lock.and_then(|lock| lock.renewed.clone());
        vec![
            election.key.clone(),
            election.holder.clone().unwrap_or_else(|| "nobody".into()),
            election.owner.clone().or(renewed).unwrap_or_else(none),
            match election.waiting.len() {
                0 => none(),
                count => count.to_string(),
            },
        ]
    });
    show::table(
        &["ELECTION", "HOLDER", "SESSION OR RENEWAL", "WAITING"],
        rows.collect(),
    )
}

fn leaders(cluster: &FlinkCluster) -> String {
    let rows = cluster.leaders.iter().map(|(component, entry)| {
        vec![
            component.clone(),
            entry.leader.session.to_string(),
            entry.leader.address.clone(),
        ]
    });
    show::table(&["COMPONENT", "SESSION ID", "ADDRESS"], rows.collect())
}

fn jobs(cluster: &FlinkCluster) -> String {
    let rows = cluster.jobs.iter().map(|(id, job)| {
        let ids = job.checkpoints.iter().map(|checkpoint| checkpoint.id);
        let newest = ids.max().map_or_else(none, |id| id.to_string());
        vec![
            id.clone(),
            match &job.graph {
                Some(_) => "stored".into(),
                None => "missing".into(),
            },
            job.checkpoints.len().to_string(),
            newest,
            job.counter.map_or_else(none, |counter| counter.to_string()),
        ]
    });
    show::table(
        &["JOB", "GRAPH", "CHECKPOINTS", "NEWEST", "NEXT"],
        rows.collect(),
    )
}

fn pointers((id, job): (&String, &FlinkJob)) -> Vec<Vec<String>> {
    let graph = job.graph.iter().map(|entry| ("graph".to_owned(), entry));
    let checkpoints = job.checkpoints.iter();
    let checkpoints = checkpoints.map(|found| (format!("checkpoint {}", found.id), &found.entry));
    let all = graph.chain(checkpoints);
    all.map(|(what, entry)| pointer(id, what, entry)).collect()
}

fn pointer(id: &str, what: String, entry: &Entry) -> Vec<String> {
    let (size, to) = match &entry.handle {
        None => (none(), "unreadable".into()),
        Some(handle) => (
            handle.size.map_or_else(none, |size| size.to_string()),
            target(handle),
        ),
    };
    let note = match (entry.deleting, entry.locks.len()) {
        (true, _) => "being deleted".into(),
        (false, 0) => none(),
        (false, 1) => "1 lock".into(),
        (false, count) => format!("{count} locks"),
    };
    vec![id.to_owned(), what, size, to, note]
}

/// The file; else what kind of handle it is.
fn target(handle: &StateHandle) -> String {
    let class = handle.class.rsplit('.').next().unwrap_or_default();
    match &handle.path {
        Some(path) if path.contains(":/") => path.clone(),
        Some(name) => format!("{class} {name:?}"),
        None => class.to_owned(),
    }
}

fn problems(cluster: &FlinkCluster) -> String {
    if cluster.problems.is_empty() {
        return "no problems".into();
    }
    let rows = cluster.problems.iter().map(|problem| {
        let kind = match problem.kind {
            ProblemKind::Unreadable => "unreadable",
            ProblemKind::Stale => "stale",
            ProblemKind::Orphaned => "orphaned",
            ProblemKind::Deleting => "deleting",
            ProblemKind::CounterBehind => "counter behind",
            _ => "unknown",
        };
        vec![kind.into(), problem.key.clone(), problem.reason.clone()]
    });
    show::table(&["PROBLEM", "KEY", "REASON"], rows.collect())
}

fn none() -> String {
    "-".into()
}

impl From<FlinkError> for Failure {
    fn from(error: FlinkError) -> Self {
        let code = match &error {
            FlinkError::Address(_) | FlinkError::File { .. } | FlinkError::Config(_) => Code::Usage,
            FlinkError::Nothing(_) => Code::NotFound,
            FlinkError::Unavailable { .. } => Code::Unavailable,
            _ => Code::Failed,
        };
        Self::new(crate::exit::chain(&error)).code(code)
    }
}
