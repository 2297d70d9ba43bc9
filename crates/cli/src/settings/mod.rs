//! The command line, and what it teaches.

use std::ffi::OsString;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::BoolishValueParser;
use clap::{Args, Parser, Subcommand, ValueEnum};
use incumbent::{EndpointName, HolderName, RecordName};

const EXAMPLES: &str = "\
Try it, in two terminals, with no set-up at all:
  incumbent run -- python3 -m http.server 8000
and in a third:
  incumbent observe
Then kill -9 the one that leads.

Every flag can also be set by an environment variable (named in the long help) or in a configuration file:
  # ~/.config/incumbent/config.toml
  ha = \"file:///var/lib/incumbent\"
  lease = \"5s\"
  [run]
  publish = [\"web=http://10.0.0.7:8000\"]

Exit codes:
  0  done          1  failed       2  bad usage or configuration    3  nobody leads
  4  refused: somebody else leads, or wrote meanwhile               5  outcome unknown
  6  no such record                                                 7  no answer in time
  8  `flink inspect` has found problems
`run` passes on the exit code of its command. If it fails itself it exits with 125 (2 for bad usage), if the command
cannot be started with 126 or 127, as `env` and `timeout` do.";

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

/// What all commands share.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Where and who")]
pub(crate) struct Common {
    /// Where the records are kept, as in file:///dir, zookeeper://h1,h2:2181/path,
    /// kubernetes://namespace/cluster or etcd://h1:2379/prefix [default: a directory of your own]
    #[arg(long, value_name = "ADDRESS", global = true, env = "INCUMBENT_HA")]
    pub(crate) ha: Option<String>,

    /// The election group: those who share it have one leader.
    #[arg(
        long,
        value_name = "NAME",
        global = true,
        env = "INCUMBENT_GROUP",
        default_value = "default"
    )]
    pub(crate) group: String,

    /// The name of this candidate, for people [default: host name and process id]
    #[arg(
        long,
        value_name = "NAME",
        global = true,
        env = "INCUMBENT_HOLDER_NAME"
    )]
    pub(crate) holder: Option<HolderName>,

    /// How long a leader that fell silent is left alone, unless it is proven dead.
    #[arg(long, value_name = "DURATION", global = true, env = "INCUMBENT_LEASE", default_value = "15s",
          value_parser = humantime::parse_duration, help_heading = "Timing")]
    pub(crate) lease: Duration,

    /// When a leader that cannot renew stops taking work [default: 2/3 of the lease]
    #[arg(long, value_name = "DURATION", global = true, env = "INCUMBENT_RENEW_DEADLINE",
          value_parser = humantime::parse_duration, help_heading = "Timing")]
    pub(crate) renew_deadline: Option<Duration>,

    /// When what it still runs is killed [default: 13/15 of the lease]
    #[arg(long, value_name = "DURATION", global = true, env = "INCUMBENT_HARD_DEADLINE",
          value_parser = humantime::parse_duration, help_heading = "Timing")]
    pub(crate) hard_deadline: Option<Duration>,

    /// How often the lease is renewed, and a failed request is tried again [default: 2/15 of the
    /// lease]
    #[arg(long, value_name = "DURATION", global = true, env = "INCUMBENT_RETRY_PERIOD",
          value_parser = humantime::parse_duration, help_heading = "Timing")]
    pub(crate) retry_period: Option<Duration>,

    /// How long one request to the backend may take [default: 1/3 of the lease]
    #[arg(long, value_name = "DURATION", global = true, env = "INCUMBENT_REQUEST_TIMEOUT",
          value_parser = humantime::parse_duration, help_heading = "Timing")]
    pub(crate) request_timeout: Option<Duration>,

    /// What is logged, as in `debug` or `incumbent=debug,warn` [default: info for run, serve and
    /// gateway, warn otherwise]
    #[arg(
        long,
        value_name = "FILTER",
        global = true,
        env = "INCUMBENT_LOG",
        help_heading = "Logs"
    )]
    pub(crate) log: Option<String>,

    /// How logs are written, to standard error.
    #[arg(
        long,
        value_name = "FORMAT",
        global = true,
        env = "INCUMBENT_LOG_FORMAT",
        default_value = "text",
        help_heading = "Logs"
    )]
    pub(crate) log_format: LogFormat,

    /// Configuration file [default: incumbent/config.toml in your configuration directory, if it
    /// exists]
    #[arg(long, value_name = "FILE", global = true, env = "INCUMBENT_CONFIG")]
    pub(crate) config: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a command on one node at a time: whoever leads runs it.
    Run(RunArgs),
    /// Follow who leads, as it changes.
    Observe(ObserveArgs),
    /// Show who leads now.
    Status(StatusArgs),
    /// Ask the present leader to hand over.
    Resign(ResignArgs),
    /// Look at records, and change them.
    Records(RecordsArgs),
    /// Remove what a group has left behind, after asking.
    Purge(PurgeArgs),
    /// Answer for whoever leads: an HTTP reverse proxy that knows the leader.
    Gateway(Box<crate::gateway::GatewayArgs>),
    /// Look at the high-availability data of a real Apache Flink.
    Flink(crate::flink::FlinkArgs),
    /// Run the leader server: a name service that speaks the ZooKeeper protocol.
    Serve(crate::serve::ServeArgs),
    /// Print a completion script for a shell.
    Completions(CompletionsArgs),
    /// Print the manual page, for `man -l -`.
    Man,
}

const RUN_HELP: &str = "\
COMMAND runs while this node leads. It is ended with SIGTERM, later SIGKILL, together with
everything it started: when the leadership is lost (always before another node can lead by an
expired lease), on SIGTERM, and also if this program is killed with -9 or stopped.
What is ignored when this program starts, as SIGHUP under nohup, stays ignored.
As the first process of a container it reaps no processes but COMMAND's: use an init there
(docker run --init, shareProcessNamespace).

COMMAND finds in its environment:
  INCUMBENT_EPOCH           its fencing token: it rises with every leader; send it along with
                            what you do elsewhere
  INCUMBENT_HOLDER          the name of this node
  INCUMBENT_HA              as --ha; so `incumbent` means the same place inside COMMAND
  INCUMBENT_GROUP           as --group
  INCUMBENT_EXE             the path of this program
  INCUMBENT_RECORDS_SOCKET  a Unix socket that speaks HTTP: records, fenced by this term
  INCUMBENT_RECORDS_URL     with --records tcp instead, and INCUMBENT_RECORDS_TOKEN

With --ha zookeeper://…?presence=on a standby also takes over when the leader's session has ended.
That does not prove it dead: one that is cut off or paused may run COMMAND until its hard
deadline, beside the new one. Records are safe in any case.

Count from a shell script:
  n=$($INCUMBENT_EXE records get counter --default 0) || exit
  $INCUMBENT_EXE records put counter $((n + 1))
The same with curl (GET /openapi.json describes all of it):
  curl --unix-socket $INCUMBENT_RECORDS_SOCKET -X POST http://records/v1/records/counter";

/// Run a command on one node at a time.
#[derive(Debug, Args)]
#[command(after_help = RUN_HELP)]
pub(crate) struct RunArgs {
    /// An endpoint that the command serves: a name, and host:port or a URL. Published once it
    /// accepts connections. The same name again adds an address to it; a gateway tries them in this
    /// order.
    #[arg(long, value_name = "NAME=ADDR", env = "INCUMBENT_PUBLISH", value_delimiter = ',', value_parser = endpoint)]
    pub(crate) publish: Vec<(EndpointName, String)>,

    /// The command is ready when this URL (http) answers with success, instead of when its
    /// endpoints accept connections.
    #[arg(
        long,
        value_name = "URL",
        env = "INCUMBENT_READY",
        conflicts_with = "ready_now",
        value_parser = http_url
    )]
    pub(crate) ready: Option<String>,

    /// The command is ready as soon as it runs.
    #[arg(long, env = "INCUMBENT_READY_NOW", value_parser = BoolishValueParser::new())]
    pub(crate) ready_now: bool,

    /// How long the command may take to be ready, before the term is given up.
    #[arg(long, value_name = "DURATION", env = "INCUMBENT_READY_TIMEOUT", default_value = "60s", value_parser = humantime::parse_duration)]
    pub(crate) ready_timeout: Duration,

    /// What to do when the command exits by itself: never restart it (resign, and pass on its exit
    /// code), or start it again.
    #[arg(
        long,
        value_name = "WHEN",
        env = "INCUMBENT_RESTART",
        default_value = "never"
    )]
    pub(crate) restart: Restart,

    /// How long the command goes on after its endpoints were withdrawn, before SIGTERM, in a
    /// planned hand-over.
    ///
    /// Who follows the endpoints, as the gateway does, sends it nothing new from then on, and it
    /// can answer what it has. Only if something is published. Longer if its requests take longer
    /// and it does not finish them after SIGTERM.
    #[arg(long, value_name = "DURATION", env = "INCUMBENT_LINGER", default_value = "100ms", value_parser = humantime::parse_duration)]
    pub(crate) linger: Duration,

    /// How long the command may take to end after SIGTERM.
    #[arg(long, value_name = "DURATION", env = "INCUMBENT_STOP_TIMEOUT", default_value = "10s", value_parser = humantime::parse_duration)]
    pub(crate) stop_timeout: Duration,

    /// How the command reaches its records.
    #[arg(
        long,
        value_name = "HOW",
        env = "INCUMBENT_RECORDS",
        default_value = "unix"
    )]
    pub(crate) records: RecordsApi,

    /// Serve /metrics (Prometheus), /healthz, /readyz and /leaderz (ready only while it leads) on
    /// this address.
    #[arg(long, value_name = "ADDR", env = "INCUMBENT_STATUS_LISTEN", value_parser = socket)]
    pub(crate) status_listen: Option<SocketAddr>,

    /// Where standbys can see this leader live [default: a free port, on the address by which this
    /// host reaches others]
    #[arg(
        long,
        value_name = "ADDR",
        env = "INCUMBENT_LIVENESS_LISTEN",
        value_parser = socket,
        help_heading = "Proof of death"
    )]
    pub(crate) liveness_listen: Option<SocketAddr>,

    /// What to tell them instead of that address: host or host:port.
    #[arg(
        long,
        value_name = "ADDR",
        env = "INCUMBENT_LIVENESS_ADDRESS",
        help_heading = "Proof of death"
    )]
    pub(crate) liveness_address: Option<String>,

    /// Neither offer nor use proofs of death: a dead leader is replaced when its lease ends.
    #[arg(long, env = "INCUMBENT_NO_LIVENESS", value_parser = BoolishValueParser::new(), conflicts_with_all = ["liveness_listen", "liveness_address"], help_heading = "Proof of death")]
    pub(crate) no_liveness: bool,

    /// The command and its arguments.
    #[arg(required = true, last = true, value_name = "COMMAND")]
    pub(crate) command: Vec<OsString>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Restart {
    /// Resign and pass on its exit code.
    Never,
    /// Start it again unless it exits with 0.
    OnFailure,
    /// Start it again whatever it says.
    Always,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum RecordsApi {
    /// By a Unix socket that only its user can open.
    Unix,
    /// By a port on loopback, guarded by a token.
    Tcp,
    /// Not at all.
    Off,
}

#[derive(Debug, Args)]
pub(crate) struct ObserveArgs {
    #[command(flatten)]
    pub(crate) output: Output,
    /// End after this many lines.
    #[arg(long, value_name = "N", env = "INCUMBENT_LINES")]
    pub(crate) lines: Option<usize>,
}

#[derive(Debug, Args)]
pub(crate) struct StatusArgs {
    #[command(flatten)]
    pub(crate) output: Output,
}

#[derive(Debug, Args)]
pub(crate) struct ResignArgs {
    /// The candidate that is to lead next.
    #[arg(long, value_name = "HOLDER", env = "INCUMBENT_RESIGN_TO")]
    pub(crate) to: Option<HolderName>,
    /// How long to wait until somebody else leads.
    #[arg(long, value_name = "DURATION", env = "INCUMBENT_RESIGN_TIMEOUT", default_value = "30s", value_parser = humantime::parse_duration)]
    pub(crate) timeout: Duration,
}

#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Output {
    /// How to print: a table on a terminal, JSON lines in a pipe.
    #[arg(
        long,
        value_name = "FORMAT",
        default_value = "auto",
        env = "INCUMBENT_FORMAT"
    )]
    pub(crate) format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// A table on a terminal, JSON in a pipe.
    Auto,
    /// A table.
    Table,
    /// JSON.
    Json,
}

#[derive(Debug, Args)]
pub(crate) struct RecordsArgs {
    #[command(subcommand)]
    pub(crate) command: RecordsCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum RecordsCommand {
    /// List records.
    Ls {
        /// Only names that begin with this.
        #[arg(default_value = "")]
        prefix: String,
        #[command(flatten)]
        output: Output,
    },
    /// Print the data of a record.
    Get {
        /// The record.
        name: RecordName,
        /// What to print if there is no such record, instead of failing.
        #[arg(long, value_name = "JSON", env = "INCUMBENT_DEFAULT")]
        default: Option<String>,
    },
    /// Write a record: as the leader beside `incumbent run`, by leading for a moment if nobody
    /// does, or --force.
    Put {
        /// The record.
        name: RecordName,
        /// The new data, JSON; - reads it from standard input.
        json: String,
        #[command(flatten)]
        how: WriteHow,
    },
    /// Delete a record, in the same ways.
    Rm {
        /// The record.
        name: RecordName,
        #[command(flatten)]
        how: WriteHow,
    },
}

const PURGE_HELP: &str = "\
Lists what there is, asks, and then removes records, root and floor, each only if it has not changed since.
Nothing else is touched: what is not Incumbent's, what other groups have, files that records point to.
With the floor goes the memory of the epochs: whoever uses the group again begins at epoch 1. So stop everybody first,
and forget the fencing tokens that were handed out. A directory (file://) keeps tombstones; remove it by hand.";

#[derive(Debug, Args)]
#[command(after_help = PURGE_HELP)]
pub(crate) struct PurgeArgs {
    /// Of all groups that are there, instead of one.
    #[arg(long, env = "INCUMBENT_ALL_GROUPS", value_parser = BoolishValueParser::new())]
    pub(crate) all_groups: bool,
    /// Do not ask.
    #[arg(long, env = "INCUMBENT_YES", value_parser = BoolishValueParser::new())]
    pub(crate) yes: bool,
    /// Also if somebody leads. It is deposed.
    #[arg(long, env = "INCUMBENT_PURGE_FORCE", value_parser = BoolishValueParser::new())]
    pub(crate) force: bool,
    #[command(flatten)]
    pub(crate) output: Output,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct WriteHow {
    /// Only if the data are still this JSON; numbers are compared as they are written.
    #[arg(long, value_name = "JSON", env = "INCUMBENT_EXPECT")]
    pub(crate) expect: Option<String>,
    /// Only if there is no such record.
    #[arg(long, env = "INCUMBENT_IF_ABSENT", value_parser = BoolishValueParser::new(), conflicts_with = "expect")]
    pub(crate) if_absent: bool,
    /// Write without leading. A leader that has the record open has to read it again.
    #[arg(long, env = "INCUMBENT_FORCE", value_parser = BoolishValueParser::new(), conflicts_with_all = ["expect", "if_absent"])]
    pub(crate) force: bool,
}

#[derive(Debug, Args)]
pub(crate) struct CompletionsArgs {
    /// The shell.
    pub(crate) shell: clap_complete::Shell,
}

fn http_url(text: &str) -> Result<String, String> {
    match text.starts_with("http://") {
        true => crate::http::host_and_port(text)
            .map(|_| text.to_owned())
            .map_err(str::to_owned),
        false => Err("it must begin with http://".into()),
    }
}

/// Where to listen.
pub(crate) fn socket(text: &str) -> Result<SocketAddr, String> {
    text.parse()
        .map_err(|_| "write IP:PORT, such as 127.0.0.1:8080 or [::]:8080".into())
}

fn endpoint(text: &str) -> Result<(EndpointName, String), String> {
    let Some((name, address)) = text.split_once('=') else {
        return Err("write NAME=ADDR, as in web=http://10.0.0.7:8000".into());
    };
    let name: EndpointName = name
        .parse()
        .map_err(|error: incumbent::BadName| error.to_string())?;
    let reached =
        crate::http::host_and_port(address).map_err(|error| format!("{address:?}: {error}"))?;
    if let Some(ip) = no_one_host(&reached) {
        return Err(format!(
            "{ip} is where a server listens, not where others reach it; write the address or name of this host, as in \
             {name}=10.0.0.7:8000"
        ));
    }
    incumbent::check_endpoint(address).map_err(|why| format!("{address:?}: {why}"))?;
    if address.len() > incumbent::LONGEST_ENDPOINT {
        return Err(format!("longer than {} bytes", incumbent::LONGEST_ENDPOINT));
    }
    Ok((name, address.to_owned()))
}

/// The IP address of a `host:port` if it stands for no host, for all of the own (`0.0.0.0`, `::`)
/// or for several.
fn no_one_host(address: &str) -> Option<IpAddr> {
    let (host, _) = address.rsplit_once(':')?;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let ip = host.parse::<IpAddr>().ok()?.to_canonical();
    let is_none = ip.is_unspecified() || ip.is_multicast() || ip == IpAddr::V4(Ipv4Addr::BROADCAST);
    is_none.then_some(ip)
}
