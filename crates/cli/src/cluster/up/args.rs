//! The command line of `incumbent up`.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use clap::Args;

use crate::cluster::parts::{DEFAULT_SLOTS, MOST_SLOTS, NodeTlsArgs};
use crate::settings::{ClientToken, socket};

/// Where `up` listens, and where `job` and `node` ask.
pub(super) const DEFAULT_LISTEN: SocketAddr =
    SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8081);

const HELP: &str = "\
Try it:
  incumbent up
and in a second terminal:
  incumbent job run --name hello --tasks 2 -- sh -c 'while :; do date; sleep 1; done'
  incumbent job logs hello --follow
Then look up the process ids with `incumbent node ls`, and kill what you like with -9. A dead JobManager costs
the job nothing. A dead TaskManager costs one new attempt. Both are started again.

Everything runs on this machine, as processes of this program, and ends with it, also if it is killed
with -9. Jobs are kept in the directory, and go on with the next `incumbent up`. Ctrl-C ends the tasks first,
in order; a second Ctrl-C ends everything at once.

The directory holds ha/ (records), blobs/ (artifacts and ends of logs), tasks/ (directories and logs of tasks)
and up.lock. With --ha and --blobs, records and blobs are elsewhere, and JobManagers and TaskManagers of other
machines may take part.";

/// A whole cluster on this machine: JobManagers, TaskManagers, and a page that always answers.
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(crate) struct UpArgs {
    /// Where to answer /v1. Port 0 takes a free port. The address is printed.
    #[arg(long, value_name = "ADDR", env = "INCUMBENT_UP_LISTEN", default_value_t = DEFAULT_LISTEN, value_parser = socket)]
    pub(super) listen: SocketAddr,

    /// How many TaskManagers to run.
    #[arg(long, value_name = "N", env = "INCUMBENT_TASK_MANAGERS", default_value_t = 2, value_parser = clap::value_parser!(u32).range(0..=MOST_CHILDREN))]
    pub(super) task_managers: u32,

    /// How many slots each TaskManager has.
    #[arg(long, value_name = "N", env = "INCUMBENT_SLOTS", default_value_t = DEFAULT_SLOTS, value_parser = clap::value_parser!(u32).range(1..=MOST_SLOTS))]
    pub(super) slots: u32,

    /// How many JobManagers to run.
    #[arg(long, value_name = "N", env = "INCUMBENT_JOB_MANAGERS", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=MOST_CHILDREN))]
    pub(super) job_managers: u32,

    /// Directory of the cluster [default: incumbent-cluster in your state directory, which is
    /// $XDG_STATE_HOME or ~/.local/state]
    #[arg(long, value_name = "DIR", env = "INCUMBENT_UP_DIR")]
    pub(super) dir: Option<PathBuf>,

    /// Where the files of the cluster are: file:///dir or s3://bucket/prefix [default: blobs/ in
    /// the directory]
    #[arg(long, value_name = "URL", env = "INCUMBENT_BLOBS")]
    pub(super) blobs: Option<String>,

    #[command(flatten)]
    pub(super) token: ClientToken,
    #[command(flatten)]
    pub(super) tls: NodeTlsArgs,
}

/// Most processes of a kind: each has threads and memory of its own.
const MOST_CHILDREN: i64 = 100;
