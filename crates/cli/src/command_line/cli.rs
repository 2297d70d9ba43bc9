//! All commands, and what `incumbent --help` teaches.

use clap::{Parser, Subcommand};

use crate::cluster::{
    JobArgs, JobManagerArgs, NodeArgs, SavepointArgs, TaskManagerArgs, TopArgs, UpArgs,
};
use crate::flink::FlinkArgs;
use crate::gateway::GatewayArgs;
use crate::look::{ObserveArgs, StatusArgs, UiArgs};
use crate::operate::{PurgeArgs, ResignArgs};
use crate::records::RecordsArgs;
use crate::role::RoleArgs;
use crate::run::RunArgs;
use crate::serve::ServeArgs;
use crate::settings::Common;
use crate::shell::CompletionsArgs;
use crate::sidecar::SidecarArgs;

const EXAMPLES: &str = "\
Try it, in two terminals, without any set-up:
  incumbent run -- python3 -m http.server 8000
and in a third:
  incumbent observe
Then end the one that leads with kill -9.

Or a cluster for jobs, and one of many processes:
  incumbent up
and in another terminal:
  incumbent job run --name hello --tasks 2 -- sh -c 'while :; do date; sleep 1; done'
  incumbent job logs hello --follow

Every flag can also be set by an environment variable (the long help names it) or in a configuration file:
  # ~/.config/incumbent/config.toml
  ha = \"file:///var/lib/incumbent\"
  lease = \"5s\"
  [run]
  publish = [\"web=http://10.0.0.7:8000\"]

Exit codes:
  0  done          1  failed       2  bad usage or configuration    3  nobody leads
  4  refused: another node leads, or the record has changed         5  outcome unknown
  6  no such record                                                 7  no answer in time
  8  `flink inspect` has found problems
`job run --wait` exits as the job does: see its help.
`run` exits with the exit code of its command. If it fails itself, it exits with 125 (2 for bad usage); if the
command cannot be started, with 126 or 127, as `env` and `timeout` do.";

/// Keeps one instance of any program running, lets everyone find it, and keeps records that only
/// the present leader can change.
#[derive(Debug, Parser)]
#[command(name = "incumbent", version, after_help = EXAMPLES, propagate_version = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) common: Common,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a whole cluster on this machine, for jobs.
    Up(Box<UpArgs>),
    /// Watch a cluster in a terminal, and steer its jobs.
    Top(Box<TopArgs>),
    /// Run jobs on a cluster, and look after them.
    Job(Box<JobArgs>),
    /// Look at savepoints of jobs, and remove them.
    Savepoint(Box<SavepointArgs>),
    /// Look at the nodes of a cluster, and take them out of it.
    Node(Box<NodeArgs>),
    /// Run a JobManager: one of them leads, and looks after the jobs.
    JobManager(Box<JobManagerArgs>),
    /// Run a TaskManager: it runs tasks in its slots.
    TaskManager(Box<TaskManagerArgs>),
    /// Run a command on one node at a time: the leader's.
    Run(Box<RunArgs>),
    /// Tell an application beside this program whether it leads.
    Sidecar(Box<SidecarArgs>),
    /// For COMMAND of `run --standby warm`: its role.
    Role(RoleArgs),
    /// Follow who leads, as it changes.
    Observe(ObserveArgs),
    /// Show who leads now.
    Status(StatusArgs),
    /// Show in a browser who leads any group, and its records.
    Ui(UiArgs),
    /// Ask the present leader to hand over.
    Resign(ResignArgs),
    /// Look at records, and change them.
    Records(RecordsArgs),
    /// Remove the records of a group, after asking.
    Purge(PurgeArgs),
    /// Pass HTTP requests on to the leader: a reverse proxy that knows who leads.
    Gateway(Box<GatewayArgs>),
    /// Look at the high-availability data of a real Apache Flink.
    Flink(FlinkArgs),
    /// Run the leader server: a name service that speaks the ZooKeeper protocol.
    Serve(Box<ServeArgs>),
    /// Print a completion script for a shell.
    Completions(CompletionsArgs),
    /// Print the manual page, for `man -l -`.
    Man,
}
