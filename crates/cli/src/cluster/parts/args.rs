//! The command lines of `incumbent job-manager` and `incumbent task-manager`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::pods::MakerArgs;
use crate::settings::{CertificateFiles, ClientToken, socket};

/// What both parts need.
#[derive(Clone, Debug, Args)]
pub(crate) struct PartArgs {
    /// Where the files of the cluster are, the same for all nodes: file:///dir or
    /// s3://bucket/prefix [default: the directory of `incumbent up`]
    #[arg(long, value_name = "URL", env = "INCUMBENT_BLOBS")]
    pub(crate) blobs: Option<String>,

    /// Where to listen. Port 0 takes a free port. The address is printed.
    #[arg(long, value_name = "ADDR", env = "INCUMBENT_NODE_LISTEN", default_value = "127.0.0.1:0", value_parser = socket)]
    pub(crate) listen: SocketAddr,

    /// The address as other nodes reach it, if it differs: host or host:port.
    #[arg(long, value_name = "HOST[:PORT]", env = "INCUMBENT_ADVERTISE")]
    pub(crate) advertise: Option<String>,

    #[command(flatten)]
    pub(crate) token: ClientToken,
    #[command(flatten)]
    pub(crate) tls: NodeTlsArgs,

    /// The process that started this one, and with which it ends.
    #[arg(long, value_name = "PID", hide = true)]
    pub(crate) supervisor: Option<i32>,
}

/// TLS of a node: towards clients and other nodes.
#[derive(Clone, Debug, Args)]
pub(crate) struct NodeTlsArgs {
    #[command(flatten)]
    pub(crate) files: CertificateFiles,

    /// The authorities that certificates of other nodes are checked against, PEM [default: the
    /// system's]
    #[arg(long, value_name = "FILE", env = "INCUMBENT_CA")]
    pub(crate) ca: Option<PathBuf>,
}

const JOB_MANAGER_HELP: &str = "\
Of all JobManagers with one --ha and --group, one leads. Start two or more, on different machines: the next
one takes over in hundredths of a second, and running tasks do not notice. All of them answer /v1, and so do the
TaskManagers.

On one machine, `incumbent up` starts all of this. On several:
  incumbent job-manager  --ha zookeeper://zk1,zk2/prod --blobs file:///shared/blobs --listen 10.0.0.1:8081 --token-file token
  incumbent task-manager --ha zookeeper://zk1,zk2/prod --blobs file:///shared/blobs --listen 10.0.0.2:8081 --token-file token --slots 8
Beyond loopback, a token is needed: anyone who may submit a job may run any program.
docs/guide/cluster.md tells more, docs/guide/kubernetes-cluster.md how Kubernetes makes the TaskManagers.";

/// A JobManager: one of them leads, and looks after the jobs.
#[derive(Debug, Args)]
#[command(after_help = JOB_MANAGER_HELP)]
pub(crate) struct JobManagerArgs {
    #[command(flatten)]
    pub(crate) part: PartArgs,
    #[command(flatten)]
    pub(crate) maker: MakerArgs,
}

const TASK_MANAGER_HELP: &str = "\
It registers with the JobManager that leads, wherever that is, and starts tasks in its slots. A task is a
process, and may do what this program may do: it has the same user.

If this program ends, in whatever way, so do its tasks. SIGTERM drains it: its tasks are moved elsewhere, and
it ends. What cannot be moved within --drain-timeout is ended, with its grace but at most 5 s. A second
SIGTERM ends everything at once.";

/// A TaskManager: runs tasks in its slots.
#[derive(Debug, Args)]
#[command(after_help = TASK_MANAGER_HELP)]
pub(crate) struct TaskManagerArgs {
    #[command(flatten)]
    pub(crate) part: PartArgs,

    /// How many tasks it runs at a time.
    #[arg(long, value_name = "N", env = "INCUMBENT_SLOTS", default_value_t = DEFAULT_SLOTS, value_parser = clap::value_parser!(u32).range(1..=MOST_SLOTS))]
    pub(crate) slots: u32,

    /// Its name, unique among those that live [default: host name and process id]
    #[arg(long, value_name = "NAME", env = "INCUMBENT_TASK_MANAGER_NAME")]
    pub(crate) name: Option<String>,

    /// How long SIGTERM waits for the tasks to be moved elsewhere before it ends them.
    #[arg(long, value_name = "DURATION", env = "INCUMBENT_DRAIN_TIMEOUT", default_value = "60s", value_parser = humantime::parse_duration)]
    pub(crate) drain_timeout: Duration,

    /// Where the tasks have their directories and logs [default: in the directory of
    /// `incumbent up`]
    #[arg(long, value_name = "DIR", env = "INCUMBENT_TASKS_DIR")]
    pub(crate) dir: Option<PathBuf>,
}

/// Slots of a TaskManager that is not told how many.
pub(crate) const DEFAULT_SLOTS: u32 = 2;

/// Most slots: a job has at most so many tasks, and each needs a port.
pub(crate) const MOST_SLOTS: i64 = 10_000;
