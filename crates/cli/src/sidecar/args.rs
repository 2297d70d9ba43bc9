//! The command line of `incumbent sidecar`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use incumbent::{EndpointName, HolderName};

use crate::run::{RecordsApi, Restart, RunArgs, Standby};
use crate::settings::{endpoint, http_url, socket};

const HELP: &str = "\
The application asks over HTTP:
  GET  /                                   {\"name\": who leads, \"leads\": whether it is this node, \"epoch\": N}
  GET  /leaderz                            200 while this node leads, otherwise 503
  GET  /readyz, /healthz                   whether this node leads or could; whether this program runs
  GET  /v1/role, /v1/role/events           its role, and each change as a line of JSON
  POST /v1/role/acknowledge?number=N       it has stopped leading, as the role number N told it to
  /v1/records/…                            records that only the leader can change; with --token-file only
GET / has the shape that users of Kubernetes' leader-elector know: compare `name` with the host name.

This program cannot end the application. One that acts although `leads` is false is not stopped: use the records,
or send the epoch along to what it changes and refuse lower ones there. `incumbent run --standby warm` ends it.
docs/guide/standby.md has the whole story.";

/// Tell an application beside this program whether it leads.
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(crate) struct SidecarArgs {
    /// Where the application asks. The containers of a pod share 127.0.0.1. Port 0 takes a free
    /// port; the address is printed.
    #[arg(long, value_name = "ADDR", env = "INCUMBENT_SIDECAR_LISTEN", default_value = "127.0.0.1:4040", value_parser = socket)]
    pub(crate) listen: SocketAddr,

    /// A file with the token that requests to /v1 need. Without it, records are not served.
    #[arg(long, value_name = "FILE", env = "INCUMBENT_TOKEN_FILE")]
    pub(crate) token_file: Option<PathBuf>,

    /// In a planned hand-over, how long to wait for the application's acknowledgement before
    /// another node may lead. One that only asks GET / should ask more often than this.
    #[arg(long, value_name = "DURATION", env = "INCUMBENT_STOP_TIMEOUT", default_value = "5s", value_parser = humantime::parse_duration)]
    pub(crate) stop_timeout: Duration,

    /// Endpoint of the application: a name, and host:port or a URL. It is published while this node
    /// leads, once it accepts connections.
    #[arg(long, value_name = "NAME=ADDR", env = "INCUMBENT_PUBLISH", value_delimiter = ',', value_parser = endpoint)]
    pub(crate) publish: Vec<(EndpointName, String)>,

    /// The application is ready when this URL (http) answers with success.
    #[arg(long, value_name = "URL", env = "INCUMBENT_READY", value_parser = http_url)]
    pub(crate) ready: Option<String>,

    /// If the application is not ready to lead after this time, the term is given up.
    #[arg(long, value_name = "DURATION", env = "INCUMBENT_READY_TIMEOUT", default_value = "60s", value_parser = humantime::parse_duration)]
    pub(crate) ready_timeout: Duration,

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
}

impl SidecarArgs {
    /// As a warm command that somebody else runs.
    pub(super) fn as_run(&self) -> RunArgs {
        RunArgs {
            publish: self.publish.clone(),
            ready: self.ready.clone(),
            ready_now: false,
            ready_timeout: self.ready_timeout,
            standby: Standby::Warm,
            warm_when: None,
            on_lead: None,
            on_standby: None,
            signal_on_lead: None,
            signal_on_standby: None,
            restart: Restart::Always,
            linger: Duration::from_millis(100),
            stop_timeout: self.stop_timeout,
            records: RecordsApi::Off,
            status_listen: None,
            liveness_listen: self.liveness_listen,
            liveness_address: None,
            // A dead sidecar proves nothing of the application, which may go on: the lease is
            // waited for, and the application has until then to notice that nobody answers.
            no_liveness: self.liveness_listen.is_none(),
            command: Vec::new(),
        }
    }
}

/// The host's name, which is the pod's: what applications compare `name` with.
pub(super) fn host_name() -> Option<HolderName> {
    let name = rustix::system::uname().nodename().to_str().ok()?.to_owned();
    name.parse().ok()
}
