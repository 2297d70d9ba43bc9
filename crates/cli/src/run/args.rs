//! The command line of `incumbent run`.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::time::Duration;

use clap::builder::BoolishValueParser;
use clap::{Args, ValueEnum};
use incumbent::EndpointName;

use crate::settings::{endpoint, http_url, socket};

const RUN_HELP: &str = "\
COMMAND runs while this node leads. COMMAND and everything it has started are ended with SIGTERM, and after
--stop-timeout with SIGKILL:
- when the leadership is lost, always before another node can lead because the lease has expired;
- when this program receives SIGTERM, SIGINT or SIGQUIT, or its terminal is closed;
- when this program is killed with -9, or stopped beyond the deadlines.
Signals that are ignored when this program starts, as SIGHUP under nohup, stay ignored.
As the first process of a container, this program reaps no processes but COMMAND's: use an init there
(docker run --init, shareProcessNamespace).

COMMAND reads the standard input of this program, unless that is a terminal: then COMMAND reads /dev/null. Its
standard output and standard error are those of this program. COMMAND does not own the terminal: if it reads
/dev/tty, or writes under `stty tostop`, the system stops it. A command that stays stopped for one retry period,
whatever the reason, is ended, and the term is given up.

COMMAND finds in its environment:
  INCUMBENT_EPOCH           its fencing token: it rises with every leader; send it along with requests to other
                            systems, so that they can refuse older ones
  INCUMBENT_HOLDER          the name of this node
  INCUMBENT_HA              as --ha, so that `incumbent` uses the same store inside COMMAND
  INCUMBENT_GROUP           as --group
  INCUMBENT_EXE             the path of this program
  INCUMBENT_RECORDS_SOCKET  a Unix socket that speaks HTTP: records, fenced by this term
  INCUMBENT_RECORDS_URL     instead of the socket with --records tcp, together with INCUMBENT_RECORDS_TOKEN

With --ha zookeeper://…?presence=on, a standby also takes over when the leader's session has ended. That does not
prove that the leader is dead: if it is cut off or paused, it may run COMMAND until its hard deadline, beside the new
leader. Records are safe in any case.

Count from a shell script:
  n=$($INCUMBENT_EXE records get counter --default 0) || exit
  $INCUMBENT_EXE records put counter $((n + 1))
The same with curl (GET /openapi.json describes the whole API):
  curl --unix-socket $INCUMBENT_RECORDS_SOCKET -X POST http://records/v1/records/counter";

/// Run a command on one node at a time.
#[derive(Debug, Args)]
#[command(after_help = RUN_HELP)]
pub(crate) struct RunArgs {
    /// Endpoint of the command: a name, and host:port or a URL. It is published once it accepts
    /// connections. Repeat a name to give it more addresses; a gateway tries them in this order.
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

    /// If the command is not ready after this time, it is ended and the term is given up.
    #[arg(long, value_name = "DURATION", env = "INCUMBENT_READY_TIMEOUT", default_value = "60s", value_parser = humantime::parse_duration)]
    pub(crate) ready_timeout: Duration,

    /// What happens when the command exits by itself.
    #[arg(
        long,
        value_name = "WHEN",
        env = "INCUMBENT_RESTART",
        default_value = "never"
    )]
    pub(crate) restart: Restart,

    /// In a planned hand-over, how long the command keeps running between the withdrawal of its
    /// endpoints and SIGTERM.
    ///
    /// Clients that follow the endpoints, as the gateway does, send nothing new from the withdrawal
    /// on, and the command can finish the requests it has. Choose a longer time if its requests
    /// take longer and it does not finish them after SIGTERM. Has no effect without --publish.
    #[arg(long, value_name = "DURATION", env = "INCUMBENT_LINGER", default_value = "100ms", value_parser = humantime::parse_duration)]
    pub(crate) linger: Duration,

    /// How long the command may take to end after SIGTERM, before SIGKILL.
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

    /// Serve /metrics (Prometheus), /healthz, /readyz and /leaderz on this address. /leaderz
    /// answers 200 only while this node leads and its command is ready.
    #[arg(long, value_name = "ADDR", env = "INCUMBENT_STATUS_LISTEN", value_parser = socket)]
    pub(crate) status_listen: Option<SocketAddr>,

    /// Address of the liveness endpoint, by which standbys see that this leader is alive [default:
    /// a free port on the address by which this host reaches others]
    #[arg(
        long,
        value_name = "ADDR",
        env = "INCUMBENT_LIVENESS_LISTEN",
        value_parser = socket,
        help_heading = "Proof of death"
    )]
    pub(crate) liveness_listen: Option<SocketAddr>,

    /// Address of the liveness endpoint as standbys reach it, if it differs: host or host:port.
    #[arg(
        long,
        value_name = "ADDR",
        env = "INCUMBENT_LIVENESS_ADDRESS",
        help_heading = "Proof of death"
    )]
    pub(crate) liveness_address: Option<String>,

    /// Neither offer nor use proofs of death. A dead leader is replaced when its lease has expired.
    #[arg(long, env = "INCUMBENT_NO_LIVENESS", value_parser = BoolishValueParser::new(), conflicts_with_all = ["liveness_listen", "liveness_address"], help_heading = "Proof of death")]
    pub(crate) no_liveness: bool,

    /// The command and its arguments.
    #[arg(required = true, last = true, value_name = "COMMAND")]
    pub(crate) command: Vec<OsString>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Restart {
    /// Resign, and exit with its exit code.
    Never,
    /// Start it again unless its exit code is 0.
    OnFailure,
    /// Start it again.
    Always,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum RecordsApi {
    /// Through a Unix socket that only its user can open.
    Unix,
    /// Through a port on loopback, with a token.
    Tcp,
    /// Not at all.
    Off,
}
