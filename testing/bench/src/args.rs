//! The command line, and what it teaches.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

const HELP: &str = "\
The figures of the README:
  cargo build --release -p incumbent-cli
  cargo run --release -p incumbent-bench -- all --table

The leader server beside ZooKeeper:
  cargo run --release -p incumbent-bench -- server --table

The gateway beside HAProxy and nginx:
  cargo run --release -p incumbent-bench -- gateway --table

Jobs that outlive their JobManager, beside Ray and Dask:
  cargo run --release -p incumbent-bench -- cluster --table

A JVM that stands by warm:
  cargo run --release -p incumbent-bench -- standby --table

Stream jobs, beside Flink's SQL:
  cargo run --release -p incumbent-bench -- stream --table --flink 2.3.0

The data of a Flink, moved:
  cargo run --release -p incumbent-bench -- flink --table

How to read them:
  p50 is the median, p25 and p75 enclose the middle half: the spread.
  PASS and MISS compare with the targets that the project has set itself.
  Commits and plain compare-and-swap take turns of milliseconds, and each pair
  of turns gives one ratio: what else the machine does slows both alike.";

/// Measures how fast a leader is replaced, what a fenced commit costs, and how little an idle group
/// writes.
#[derive(Debug, Parser)]
#[command(name = "incumbent-bench", version, after_help = HELP)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) common: Common,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What all commands share.
#[derive(Debug, Args)]
pub(crate) struct Common {
    /// Print JSON [default if standard output is no terminal]
    #[arg(long, global = true, conflicts_with = "table")]
    pub(crate) json: bool,

    /// Print a Markdown table [default on a terminal]
    #[arg(long, global = true)]
    pub(crate) table: bool,

    /// Exit with 1 if a target is missed.
    #[arg(long, global = true)]
    pub(crate) check: bool,

    /// Where the stores are made, and removed afterwards: the file system matters [default: the
    /// system's temporary directory; for `server`, `target`]
    #[arg(long, global = true, value_name = "DIR")]
    dir: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// From kill -9 of the leading `incumbent run` to the next COMMAND started.
    Failover(TakeoverArgs),
    /// From SIGTERM to the leading `incumbent run` to the next COMMAND started.
    Handover(TakeoverArgs),
    /// Commits per second of one record, and what fencing costs against plain compare-and-swap.
    Commits(CommitsArgs),
    /// Writes per minute of a group that has nothing to do.
    Idle(IdleArgs),
    /// Everything but `cluster`, `flink`, `gateway`, `kubernetes`, `server`, `standby` and
    /// `stream`, in about two and a half minutes.
    All(AllArgs),
    /// ConfigMaps: changes of leader, requests, many records; in about five minutes.
    #[command(after_help = KUBERNETES_HELP)]
    Kubernetes(KubernetesArgs),
    /// The leader server beside a real ZooKeeper, in about five minutes.
    #[command(after_help = SERVER_HELP)]
    Server(ServerArgs),
    /// The gateway beside HAProxy and nginx, in about five minutes.
    #[command(after_help = GATEWAY_HELP)]
    Gateway(GatewayArgs),
    /// Jobs: what a killed JobManager and a killed TaskManager cost; in about five minutes.
    #[command(after_help = CLUSTER_HELP)]
    Cluster(ClusterArgs),
    /// The data of a Flink with many jobs, moved between ZooKeeper and Kubernetes, in a minute.
    #[command(after_help = FLINK_HELP)]
    Flink(FlinkArgs),
    /// Jobs of `incumbent-stream`: what a record costs, beside Flink and a plain loop.
    #[command(after_help = STREAM_HELP)]
    Stream(StreamArgs),
    /// From kill -9 of the leader until the next one serves, of a JVM with five seconds of start,
    /// warm and cold; in about three minutes. Needs Java 17.
    Standby(StandbyArgs),
}

const FLINK_HELP: &str = "\
Each figure is one run of `incumbent flink migrate`, from its start to its end, on the data of a stopped Flink 2.3.0: a
plan, a checkpoint and a counter of each job. The API server is a double, which keeps everything in memory; the leader
server and ZooKeeper sync before they acknowledge.";

const STREAM_HELP: &str = "\
All processes of a cluster run on this machine: a JobManager and three TaskManagers. Everything is tied to two processors.
`--flink VERSION` lets Flink's SQL do the same with the same files, in turns; it may be given several times. It needs
Java 17 and downloads some 230 MB, once:
  cargo run --release -p incumbent-bench -- stream --table --flink 1.20.5 --flink 2.3.0
  k/CPU-s   thousands of records for each second of a processor, of all processes together
A figure is a median, and what follows it in brackets the least and the most of all turns.";

const CLUSTER_HELP: &str = "\
All processes of a cluster run on this machine, on a directory: two JobManagers, two or three TaskManagers.
`adoption` also takes the leader server, ZooKeeper, etcd (run .ci/servers) and a double of the Kubernetes API server.
`others` kills the coordinators of Ray and Dask too, with the tasks of a job running. It needs a Python that has them:
  python3 -m venv peers && peers/bin/pip install ray distributed
  cargo run --release -p incumbent-bench -- cluster --table --python peers/bin/python
`counting` lets Flink's SQL count the same file in turns with the counting job, if --flink is given. It needs Java 17:
  cargo run --release -p incumbent-bench -- cluster --table --only counting --flink
Those that are missing are left out, and the table says so.";

const GATEWAY_HELP: &str = "\
It needs HAProxy and nginx: apt-get install haproxy nginx (neither has to run as a service).
All stand before the same tiny HTTP server, with the same client, and take turns.
  req/s     answers that came within a turn; each connection has one request in flight, and is kept alive
  CPU       what the proxy takes of the processors, per request
  ratio     the gateway's over HAProxy's, of each pair of turns
A figure is a median, and what follows it in brackets the least and the most of all turns.
Changes of leader: every other one by kill -9, every other one by `incumbent resign`, under a steady load through the
gateway and through an HAProxy that asks both nodes each second which of them leads.";

const SERVER_HELP: &str = "\
One run measures both servers in turns, with one client, on one disk. Both sync before they acknowledge.
  req/s     all requests of a turn, over its length; each client has one request in flight
  CPU       what the server takes of the processors, per request
  ratio     the leader server's over ZooKeeper's, of each pair of turns
A figure is a median, and what follows it in brackets the least and the most of all turns.";

const KUBERNETES_HELP: &str = "\
Without --kubeconfig it brings a double of the API server, which keeps everything in memory: then nothing but Incumbent
itself is measured. With it, a real one; what that is asked cannot be counted from here, and those figures are left out.
It makes ConfigMaps of clusters named bench-…, and removes them.";

#[derive(Clone, Debug, Args)]
pub(crate) struct KubernetesArgs {
    /// A real API server, by a kubeconfig file.
    #[arg(long, value_name = "FILE")]
    pub(crate) kubeconfig: Option<PathBuf>,
    /// How many jobs wait for pods, on the double; 0 for none.
    #[arg(long, default_value_t = 20)]
    pub(crate) pods: u32,
    /// Measure only that.
    #[arg(long)]
    pub(crate) only_pods: bool,
    /// How often the leader is replaced, each way.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) rounds: u32,
    /// How often it is replaced without a proof of death: each time takes a lease of 15 s.
    #[arg(long, default_value_t = 5)]
    pub(crate) lease_rounds: u32,
    /// For how long requests of an idle group are counted, in seconds.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u64).range(4..))]
    pub(crate) seconds: u64,
    /// How many records a new leader seals.
    #[arg(long, default_value_t = 1000)]
    pub(crate) records: u32,
    /// How many records there are when they are listed and watched.
    #[arg(long, default_value_t = 10_000)]
    pub(crate) many: u32,
    #[command(flatten)]
    pub(crate) group: GroupArgs,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct FlinkArgs {
    /// How many jobs move. A ConfigMap holds the plans of some nine hundred.
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..=900))]
    pub(crate) jobs: u32,
    /// How often they move there and back.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) turns: u32,
    /// The program to measure [default: `incumbent` beside this one, built if it is missing]
    #[arg(long, value_name = "PATH")]
    pub(crate) program: Option<PathBuf>,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct TakeoverArgs {
    /// How often the leader is replaced.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) rounds: u32,
    #[command(flatten)]
    pub(crate) group: GroupArgs,
}

/// The processes that compete.
#[derive(Clone, Debug, Args)]
pub(crate) struct GroupArgs {
    /// How many `incumbent run` compete: one leads, the others stand by.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(2..=26))]
    pub(crate) runners: u32,
    /// The program to measure [default: `incumbent` beside this one, built if it is missing]
    #[arg(long, value_name = "PATH")]
    pub(crate) program: Option<PathBuf>,
    /// Tell the story of every round, and not only of those that are slow.
    #[arg(long)]
    pub(crate) stories: bool,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct StandbyArgs {
    /// How often the leader is killed while the other one is warm.
    #[arg(long, default_value_t = 15, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) rounds: u32,
    /// The same while it is cold.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) cold_rounds: u32,
    /// The program to measure [default: `incumbent` beside this one, built if it is missing]
    #[arg(long, value_name = "PATH")]
    pub(crate) program: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct CommitsArgs {
    /// For how long each of the six pairs is measured.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) seconds: u64,
}

#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct IdleArgs {
    /// For how long the writes are counted.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(4..))]
    pub(crate) seconds: u64,
    /// How many candidates stand by.
    #[arg(long, default_value_t = 2)]
    pub(crate) standbys: u32,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct ServerArgs {
    /// How many turns each server has with each load.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) rounds: u32,
    /// How long a turn is, in milliseconds.
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u64).range(50..))]
    pub(crate) turn: u64,
    /// Short turns and few: about a minute.
    #[arg(long)]
    pub(crate) quick: bool,
    /// Only these parts.
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = [Part::Load, Part::Sessions, Part::Start])]
    pub(crate) only: Vec<Part>,
    /// Only these loads.
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = Load::ALL)]
    pub(crate) loads: Vec<Load>,
    /// How many clients ask at a time, one request each.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 16, 256])]
    pub(crate) clients: Vec<usize>,
    /// Flags of ZooKeeper's JVM. Nothing but the heap is set: Debian leaves it to the JVM, which
    /// takes a quarter of the memory.
    #[arg(
        long,
        value_name = "FLAGS",
        value_delimiter = ' ',
        allow_hyphen_values = true,
        default_value = "-Xmx1000m"
    )]
    pub(crate) jvm: Vec<String>,
    /// The program to measure [default: `incumbent` beside this one, built if it is missing]
    #[arg(long, value_name = "PATH")]
    pub(crate) program: Option<PathBuf>,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct GatewayArgs {
    /// How many turns each has with each load.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) rounds: u32,
    /// How long a turn is, in milliseconds.
    #[arg(long, default_value_t = 700, value_parser = clap::value_parser!(u64).range(50..))]
    pub(crate) turn: u64,
    /// How often the leader is replaced.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) changes: u32,
    /// Instead of all that: kill this many leaders while clients GET small answers, of which none
    /// may fail.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) kills: Option<u32>,
    /// With --kills: how many loops that do nothing compete for the processors.
    #[arg(long, value_name = "N", default_value_t = 0, requires = "kills")]
    pub(crate) busy: u32,
    /// Short turns and few, and few changes: about a minute.
    #[arg(long)]
    pub(crate) quick: bool,
    /// Only these parts.
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = [GatewayPart::Load, GatewayPart::Changes])]
    pub(crate) only: Vec<GatewayPart>,
    /// How many connections ask at a time.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 64, 512])]
    pub(crate) connections: Vec<usize>,
    /// The program to measure [default: `incumbent` beside this one, built if it is missing]
    #[arg(long, value_name = "PATH")]
    pub(crate) program: Option<PathBuf>,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct ClusterArgs {
    /// How often each is killed.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) rounds: u32,
    /// How many jobs of one sleeping task `many` runs.
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(2..))]
    pub(crate) jobs: u32,
    /// How many jobs `adoption` lets the next leader adopt, on each kind of store.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) adopted: u32,
    /// How many records `counting` counts in each turn; eight times as many while processes are
    /// killed.
    #[arg(long, default_value_t = 5_000_000, value_parser = clap::value_parser!(u64).range(1000..))]
    pub(crate) records: u64,
    /// How many turns everybody has in `counting`, and how often a process of each kind is killed
    /// there.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) turns: u32,
    /// Only these parts.
    #[arg(
        long,
        value_enum,
        value_delimiter = ',',
        default_values_t = [ClusterPart::Kills, ClusterPart::Starts, ClusterPart::Checkpoints, ClusterPart::Counting, ClusterPart::Many, ClusterPart::Adoption, ClusterPart::Others]
    )]
    pub(crate) only: Vec<ClusterPart>,
    /// The Python that has Ray and Dask.
    #[arg(long, value_name = "PATH", default_value = "python3")]
    pub(crate) python: PathBuf,
    /// Measure Flink in `counting` and among the others, which needs Java and a download of some
    /// 230 MB.
    #[arg(long)]
    pub(crate) flink: bool,
    /// The program to measure [default: `incumbent` beside this one, built if it is missing]
    #[arg(long, value_name = "PATH")]
    pub(crate) program: Option<PathBuf>,
}

/// What `cluster` measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum ClusterPart {
    /// The leading JobManager is killed under a running job.
    Kills,
    /// From a submission to its tasks, and from the death of a TaskManager to the next attempt.
    Starts,
    /// A job with state: checkpoints, another number of tasks, a killed TaskManager.
    Checkpoints,
    /// The counting job of `examples/jobs`, and with `--flink` the same in Flink's SQL.
    Counting,
    /// Many jobs: memory, adoption, idle guards.
    Many,
    /// Many records on each kind of store: how long the next leader takes to open all of them.
    Adoption,
    /// What a killed coordinator costs elsewhere.
    Others,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct StreamArgs {
    /// How many events of Nexmark there are in the files.
    #[arg(long, default_value_t = 10_000_000, value_parser = clap::value_parser!(u64).range(1000..))]
    pub(crate) events: u64,
    /// How many tasks a job has, and how many files the events are in.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=8))]
    pub(crate) tasks: u32,
    /// How many turns everybody has, and how often a worker is killed.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) turns: u32,
    /// Only these parts.
    #[arg(
        long,
        value_enum,
        value_delimiter = ',',
        default_values_t = [StreamPart::Queries, StreamPart::Plain, StreamPart::Kills, StreamPart::Lookups, StreamPart::Idle]
    )]
    pub(crate) only: Vec<StreamPart>,
    /// Measure a Flink of this version, too.
    #[arg(long, value_name = "VERSION")]
    pub(crate) flink: Vec<String>,
    /// The program to measure [default: `incumbent` beside this one, built if it is missing]
    #[arg(long, value_name = "PATH")]
    pub(crate) program: Option<PathBuf>,
}

/// What `stream` measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum StreamPart {
    /// The keyed count and Nexmark's q0, q5 and q8.
    Queries,
    /// The keyed count beside a loop without an engine, and what checkpoints cost.
    Plain,
    /// From kill -9 of a worker to the next record in the sink.
    Kills,
    /// Live state, through a node that is neither leader nor owner.
    Lookups,
    /// What a job takes of the processors while no record comes.
    Idle,
}

/// What `gateway` measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum GatewayPart {
    /// Requests per second, and what they take.
    Load,
    /// Requests that fail or wait while the leader is replaced.
    Changes,
}

/// What clients ask, of data of 100 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Load {
    /// Create a node.
    Create,
    /// Set the data of a node.
    Set,
    /// Two changes and a check, as one.
    Multi,
    /// One change for four reads.
    Mix,
    /// Get the data of a node.
    Get,
}

/// What `server` measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Part {
    /// Requests per second, and how long they take.
    Load,
    /// Many sessions, and watches that are told of a change.
    Sessions,
    /// From the start to the first answer.
    Start,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct AllArgs {
    /// How often the leader is replaced, each way.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) rounds: u32,
    #[command(flatten)]
    pub(crate) group: GroupArgs,
}

impl Load {
    pub(crate) const ALL: [Self; 5] = [Self::Create, Self::Set, Self::Multi, Self::Mix, Self::Get];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Set => "set",
            Self::Multi => "multi (2 sets, check)",
            Self::Mix => "80% get, 20% set",
            Self::Get => "get",
        }
    }
}

impl Common {
    pub(crate) fn dir(&self) -> PathBuf {
        self.dir.clone().unwrap_or_else(std::env::temp_dir)
    }

    /// The same, but `usual` if none was named.
    pub(crate) fn dir_or(&self, usual: PathBuf) -> PathBuf {
        self.dir.clone().unwrap_or(usual)
    }
}
