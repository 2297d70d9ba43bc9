//! The command line of `incumbent run`.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::time::Duration;

use clap::builder::BoolishValueParser;
use clap::{Args, ValueEnum};
use incumbent::EndpointName;
use rustix::process::Signal;

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
  INCUMBENT_ROLE            `leader`; with --standby warm `standby`, which changes: see below
  INCUMBENT_HOLDER          the name of this node
  INCUMBENT_HA              as --ha, so that `incumbent` uses the same store inside COMMAND
  INCUMBENT_GROUP           as --group
  INCUMBENT_EXE             the path of this program
  INCUMBENT_RECORDS_SOCKET  a Unix socket that speaks HTTP: records, fenced by this term
  INCUMBENT_RECORDS_URL     instead of the socket with --records tcp, together with INCUMBENT_RECORDS_TOKEN

With --standby warm, COMMAND runs on every node from the beginning and is told its role. On the records socket:
  GET  /v1/role                            role (standby, leader or stepping-down), number, epoch; as JSON
  GET  /v1/role/events                     the same as a line of JSON for each change, beginning with how it is
  POST /v1/role/acknowledge?number=N       it has stopped leading, as the role number N told it to
A COMMAND that is to step down is killed if it has not acknowledged that, exited, or let --on-standby exit with 0
within --stop-timeout, and always before the lease can be taken by another node. If it dies while standing by, it
is started again after a pause; if it dies while leading, the node resigns, and --restart says what follows.
docs/guide/standby.md has examples.

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

    /// What the command does on nodes that do not lead.
    #[arg(
        long,
        value_name = "HOW",
        env = "INCUMBENT_STANDBY",
        default_value = "cold"
    )]
    pub(crate) standby: Standby,

    /// When a warm command may lead: `connected`, once it has asked for its role; `started`, as
    /// soon as it runs; or a URL (http), once that answers with success [default: connected;
    /// started, if it is told by signals or hooks]
    #[arg(long, value_name = "WHEN", env = "INCUMBENT_WARM_WHEN", value_parser = warm_when, help_heading = "Warm standby")]
    pub(crate) warm_when: Option<WarmWhen>,

    /// A shell command that makes the warm command lead. The term is active when it has exited
    /// with 0 and the endpoints accept connections; if it fails, the term is given up.
    #[arg(
        long,
        value_name = "CMD",
        env = "INCUMBENT_ON_LEAD",
        help_heading = "Warm standby"
    )]
    pub(crate) on_lead: Option<OsString>,

    /// A shell command that makes it stand by. If it exits with 0, that is the acknowledgement.
    #[arg(
        long,
        value_name = "CMD",
        env = "INCUMBENT_ON_STANDBY",
        help_heading = "Warm standby"
    )]
    pub(crate) on_standby: Option<OsString>,

    /// A signal for the warm command when it is to lead, as in USR1.
    #[arg(long, value_name = "SIGNAL", env = "INCUMBENT_SIGNAL_ON_LEAD", value_parser = signal_by_name, help_heading = "Warm standby")]
    pub(crate) signal_on_lead: Option<i32>,

    /// A signal for the warm command when it is to stand by. It acknowledges all the same.
    #[arg(long, value_name = "SIGNAL", env = "INCUMBENT_SIGNAL_ON_STANDBY", value_parser = signal_by_name, help_heading = "Warm standby")]
    pub(crate) signal_on_standby: Option<i32>,

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
pub(crate) enum Standby {
    /// It is not started before the node leads.
    Cold,
    /// It runs, and is told its role: a start of ten seconds does not delay a takeover.
    Warm,
}

/// When a warm command may lead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum WarmWhen {
    /// Once it has asked for its role.
    Connected,
    /// As soon as it runs.
    Started,
    /// Once this answers with success.
    Url(String),
}

fn warm_when(text: &str) -> Result<WarmWhen, String> {
    match text {
        "connected" => Ok(WarmWhen::Connected),
        "started" => Ok(WarmWhen::Started),
        url if url.contains("://") => http_url(url)
            .map(WarmWhen::Url)
            .map_err(|why| why.to_string()),
        _ => Err("it must be connected, started or a URL".into()),
    }
}

/// A signal that a program may handle, by name or number.
fn signal_by_name(text: &str) -> Result<i32, String> {
    const NAMES: [(&str, Signal); 6] = [
        ("HUP", Signal::HUP),
        ("USR1", Signal::USR1),
        ("USR2", Signal::USR2),
        ("WINCH", Signal::WINCH),
        ("CONT", Signal::CONT),
        ("URG", Signal::URG),
    ];
    let name = text.to_ascii_uppercase();
    let name = name.strip_prefix("SIG").unwrap_or(&name);
    let found = NAMES.iter().find(|(known, _)| *known == name);
    match found {
        Some((_, signal)) => Ok(signal.as_raw()),
        None => Err("it must be HUP, USR1, USR2, WINCH, CONT or URG".into()),
    }
}

impl RunArgs {
    /// What is wrong with the flags together, if anything.
    pub(crate) fn contradiction(&self) -> Option<&'static str> {
        let is_of_warm = self.warm_when.is_some()
            || self.on_lead.is_some()
            || self.on_standby.is_some()
            || self.signal_on_lead.is_some()
            || self.signal_on_standby.is_some();
        match self.standby {
            Standby::Cold if is_of_warm => Some(
                "--warm-when, --on-lead, --on-standby, --signal-on-lead and --signal-on-standby need --standby warm",
            ),
            Standby::Warm if self.records == RecordsApi::Off && self.on_standby.is_none() => Some(
                "with --records off, COMMAND cannot say that it stands by: give --on-standby, or leave --records on",
            ),
            Standby::Cold | Standby::Warm => None,
        }
    }

    /// When a warm command may lead.
    pub(crate) fn warm(&self) -> WarmWhen {
        let is_told = self.on_lead.is_some() || self.signal_on_lead.is_some();
        match &self.warm_when {
            Some(when) => when.clone(),
            None if is_told || self.records == RecordsApi::Off => WarmWhen::Started,
            None => WarmWhen::Connected,
        }
    }
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
