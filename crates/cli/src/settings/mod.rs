//! Flags that several commands share: where the records are, how fast a leader is replaced, what is
//! logged.

mod access;
mod output;
mod values;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use incumbent::HolderName;

pub(crate) use access::{CertificateFiles, ClientToken, read_token};
pub(crate) use output::Output;
pub(crate) use values::{endpoint, http_url, socket};

/// The group of a command that names none.
pub(crate) const DEFAULT_GROUP: &str = "default";

/// Flags of all commands.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Where and who")]
pub(crate) struct Common {
    /// Address of the store: file:///dir, zookeeper://h1,h2:2181/path,
    /// kubernetes://namespace/cluster or etcd://h1:2379/prefix [default: a directory of your own]
    #[arg(long, value_name = "ADDRESS", global = true, env = "INCUMBENT_HA")]
    pub(crate) ha: Option<String>,

    /// Election group. All candidates of one group have one leader. For up, job-manager and
    /// task-manager the default is `cluster`.
    #[arg(
        long,
        value_name = "NAME",
        global = true,
        env = "INCUMBENT_GROUP",
        default_value = DEFAULT_GROUP
    )]
    pub(crate) group: String,

    /// Name of this candidate, shown to people [default: host name and process id]
    #[arg(
        long,
        value_name = "NAME",
        global = true,
        env = "INCUMBENT_HOLDER_NAME"
    )]
    pub(crate) holder: Option<HolderName>,

    /// Lease duration: how long standbys wait for a silent leader before they replace it. A leader
    /// that is proven dead is replaced at once.
    #[arg(long, value_name = "DURATION", global = true, env = "INCUMBENT_LEASE", default_value = "15s",
          value_parser = humantime::parse_duration, help_heading = "Timing")]
    pub(crate) lease: Duration,

    /// Renew deadline: a leader that has not renewed its lease for this long stops its work
    /// [default: 2/3 of the lease]
    #[arg(long, value_name = "DURATION", global = true, env = "INCUMBENT_RENEW_DEADLINE",
          value_parser = humantime::parse_duration, help_heading = "Timing")]
    pub(crate) renew_deadline: Option<Duration>,

    /// Hard deadline: what such a leader still runs after this long is killed [default: 13/15 of
    /// the lease]
    #[arg(long, value_name = "DURATION", global = true, env = "INCUMBENT_HARD_DEADLINE",
          value_parser = humantime::parse_duration, help_heading = "Timing")]
    pub(crate) hard_deadline: Option<Duration>,

    /// Retry period: how often the lease is renewed, and a failed request is repeated [default:
    /// 2/15 of the lease]
    #[arg(long, value_name = "DURATION", global = true, env = "INCUMBENT_RETRY_PERIOD",
          value_parser = humantime::parse_duration, help_heading = "Timing")]
    pub(crate) retry_period: Option<Duration>,

    /// Timeout of one request to the store [default: 1/3 of the lease]
    #[arg(long, value_name = "DURATION", global = true, env = "INCUMBENT_REQUEST_TIMEOUT",
          value_parser = humantime::parse_duration, help_heading = "Timing")]
    pub(crate) request_timeout: Option<Duration>,

    /// Log filter: a level, or levels by module, as in `debug` or `incumbent=debug,warn` [default:
    /// info for what keeps running, otherwise warn]
    #[arg(
        long,
        value_name = "FILTER",
        global = true,
        env = "INCUMBENT_LOG",
        help_heading = "Logs"
    )]
    pub(crate) log: Option<String>,

    /// Format of the log. It goes to standard error; if nobody reads it fast enough, lines are
    /// dropped and counted.
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
    /// One JSON object on each line.
    Json,
}
