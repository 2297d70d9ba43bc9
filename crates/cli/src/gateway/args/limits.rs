//! How much there may be, and how long it may take.

use std::time::Duration;

use clap::Args;

#[derive(Debug, Args)]
#[command(next_help_heading = "Limits")]
pub(super) struct LimitArgs {
    /// Most connections of clients. More wait to be accepted.
    #[arg(
        long,
        value_name = "N",
        env = "INCUMBENT_CONNECTIONS",
        default_value_t = 10_000
    )]
    pub(super) connections: usize,

    /// The longest body of a request, in bytes [default: any]
    #[arg(long, value_name = "BYTES", env = "INCUMBENT_LARGEST_BODY")]
    pub(super) largest_body: Option<u64>,

    /// How long connecting to one address of the leader may take.
    #[arg(long, value_name = "DURATION", env = "INCUMBENT_CONNECT_TIMEOUT", default_value = "2s",
          value_parser = humantime::parse_duration)]
    pub(super) connect_timeout: Duration,

    /// How long the leader may take to begin its answer.
    #[arg(long, value_name = "DURATION", env = "INCUMBENT_ANSWER_TIMEOUT", default_value = "60s",
          value_parser = humantime::parse_duration)]
    pub(super) answer_timeout: Duration,

    /// How long a request may take in all, its answer included [default: any time]
    #[arg(long, value_name = "DURATION", env = "INCUMBENT_TOTAL_TIMEOUT",
          value_parser = humantime::parse_duration)]
    pub(super) total_timeout: Option<Duration>,

    /// How long requests may take to end after SIGTERM.
    #[arg(long, value_name = "DURATION", env = "INCUMBENT_DRAIN", default_value = "10s",
          value_parser = humantime::parse_duration)]
    pub(super) drain: Duration,
}
