//! The figures of the README, measured: `cargo run --release -p incumbent-bench -- all`.
//!
//! ```text
//!   failover, handover   runners.rs starts real `incumbent run` processes; takeover.rs kills and times them
//!   commits              commits.rs lets Record::commit and plain compare-and-swap take turns
//!   idle                 idle.rs counts what a group writes that has nothing to do
//!   kubernetes           kubernetes.rs does the first two on an API server, and counts what that is asked
//!   server               server/ lets the leader server and a real ZooKeeper take turns
//!   flink                flink.rs moves the data of a Flink with many jobs
//!   gateway              gateway/ lets the gateway, HAProxy and nginx take turns, and replaces leaders behind them
//!   cluster              cluster/ kills JobManagers and TaskManagers under running jobs
//!   standby              standby.rs kills the leader of a JVM that stands by, warm and cold
//!   stream               stream/ lets jobs of incumbent-stream, a plain loop and Flink's SQL take turns
//!                        stats.rs and report.rs make one table of it
//! ```
//!
//! Machines are shared and noisy. So compared figures are measured in one run, in turns, and
//! reported with their spread.

mod args;
mod arrival;
mod cluster;

mod commits;
mod counting;
mod disguise;
mod flink;
mod gateway;
mod idle;
mod kubernetes;
mod machine;
mod pods;
mod program;
mod progress;
mod report;
mod runners;
mod server;
mod standby;
mod stats;
mod stopwatch;
mod stream;
mod takeover;

use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{SignalKind, signal};

use args::{
    Cli, ClusterArgs, Command, CommitsArgs, FlinkArgs, GatewayArgs, IdleArgs, KubernetesArgs,
    ServerArgs, StandbyArgs, StreamArgs, TakeoverArgs,
};
use report::{Figure, Report, Section};
use takeover::How;

/// Why nothing was measured, as a text for people.
pub(crate) type Failure = Box<dyn std::error::Error + Send + Sync>;

/// The exit code that shells give to an interrupted command.
const INTERRUPTED: u8 = 130;

fn main() -> ExitCode {
    // As the command of a runner, or as its wrapper, this is another program.
    if let Some(code) = disguise::intercept() {
        return code;
    }
    let cli = Cli::parse();
    match measure(&cli) {
        Ok(Some(report)) => {
            let json = cli.common.json || (!cli.common.table && !std::io::stdout().is_terminal());
            println!("{}", report.render(json));
            ExitCode::from(u8::from(cli.common.check && report.has_miss()))
        }
        Ok(None) => ExitCode::from(INTERRUPTED),
        Err(failure) => {
            eprintln!("incumbent-bench: {failure}");
            ExitCode::from(2)
        }
    }
}

/// `None` if it was interrupted.
fn measure(cli: &Cli) -> Result<Option<Report>, Failure> {
    if cfg!(debug_assertions) {
        eprintln!("this is a debug build: its figures mean nothing; use `cargo run --release`");
    }
    let mut measured = Measured::default();
    for step in steps(&cli.command) {
        // One thread: processes die with the thread that started them, and no other work disturbs
        // their times.
        let runtime = Builder::new_current_thread().enable_all().build()?;
        match run(&runtime, cli, step)? {
            Some(more) => {
                measured.figures.extend(more.figures);
                measured.sections.extend(more.sections);
            }
            None => return Ok(None),
        }
    }
    Ok(Some(Report {
        machine: machine::describe(&dir(cli)?),
        figures: measured.figures,
        sections: measured.sections,
    }))
}

#[derive(Default)]
struct Measured {
    figures: Vec<Figure>,
    sections: Vec<Section>,
}

/// Where the stores are.
fn dir(cli: &Cli) -> Result<PathBuf, Failure> {
    Ok(match cli.command {
        // The temporary directory may be in memory, where nothing is ever synced.
        Command::Server(_) | Command::Stream(_) | Command::Flink(_) => {
            cli.common.dir_or(program::target()?)
        }
        _ => cli.common.dir(),
    })
}

enum Step {
    Failover(TakeoverArgs),
    Handover(TakeoverArgs),
    Commits(CommitsArgs),
    Idle(IdleArgs),
    Flink(FlinkArgs),
    Server(ServerArgs),
    Kubernetes(KubernetesArgs),
    Gateway(GatewayArgs),
    Cluster(ClusterArgs),
    Stream(StreamArgs),
    Standby(StandbyArgs),
}

fn steps(command: &Command) -> Vec<Step> {
    match command {
        Command::Failover(args) => vec![Step::Failover(args.clone())],
        Command::Handover(args) => vec![Step::Handover(args.clone())],
        Command::Commits(args) => vec![Step::Commits(*args)],
        Command::Idle(args) => vec![Step::Idle(*args)],
        Command::Flink(args) => vec![Step::Flink(args.clone())],
        Command::Server(args) => vec![Step::Server(args.clone())],
        Command::Kubernetes(args) => vec![Step::Kubernetes(args.clone())],
        Command::Gateway(args) => vec![Step::Gateway(args.clone())],
        Command::Cluster(args) => vec![Step::Cluster(args.clone())],
        Command::Stream(args) => vec![Step::Stream(args.clone())],
        Command::Standby(args) => vec![Step::Standby(args.clone())],
        Command::All(args) => {
            let takeover = TakeoverArgs {
                rounds: args.rounds,
                group: args.group.clone(),
            };
            vec![
                Step::Failover(takeover.clone()),
                Step::Handover(takeover),
                Step::Commits(CommitsArgs { seconds: 10 }),
                Step::Idle(IdleArgs {
                    seconds: 30,
                    standbys: 2,
                }),
            ]
        }
    }
}

fn run(runtime: &Runtime, cli: &Cli, step: Step) -> Result<Option<Measured>, Failure> {
    let dir = dir(cli)?;
    runtime.block_on(async {
        let work = async {
            let mut sections = Vec::new();
            let figures = match step {
                Step::Failover(args) => takeover::measure(&dir, &args, How::Killed, None).await?,
                Step::Handover(args) => takeover::measure(&dir, &args, How::Asked, None).await?,
                Step::Commits(args) => commits::measure(&dir, args).await?,
                Step::Idle(args) => idle::measure(&dir, args).await?,
                Step::Flink(args) => flink::measure(&dir, args).await?,
                Step::Standby(args) => standby::measure(&dir, &args).await?,
                Step::Kubernetes(args) => kubernetes::measure(&dir, args).await?,
                Step::Gateway(args) => {
                    sections = gateway::measure(&dir, args).await?;
                    Vec::new()
                }
                Step::Cluster(args) => {
                    let (figures, more) = cluster::measure(&dir, &args).await?;
                    sections = more;
                    figures
                }
                Step::Stream(args) => {
                    let (figures, more) = stream::measure(&dir, &args).await?;
                    sections = more;
                    figures
                }
                Step::Server(args) => {
                    sections = server::measure(&dir, args).await?;
                    Vec::new()
                }
            };
            Ok(Measured { figures, sections })
        };
        // Dropping the work ends its processes and removes its directories.
        let mut terminate = signal(SignalKind::terminate())?;
        tokio::select! {
            measured = work => measured.map(Some),
            _ = tokio::signal::ctrl_c() => Ok(None),
            _ = terminate.recv() => Ok(None),
        }
    })
}
