//! What happens to requests while nobody leads.

use std::time::Duration;

use clap::Args;
use clap::builder::BoolishValueParser;

#[derive(Debug, Args)]
#[command(next_help_heading = "While nobody leads")]
pub(super) struct WaitingArgs {
    /// How long a request is held while no leader can be reached. 0s holds none.
    #[arg(long, value_name = "DURATION", env = "INCUMBENT_HOLD", default_value = "30s",
          value_parser = humantime::parse_duration)]
    pub(super) hold: Duration,

    /// Also hold a request if the leader answers 503, and send it again, if it may be repeated.
    /// Always on with --flink.
    #[arg(long, env = "INCUMBENT_WAIT_UNTIL_READY", value_parser = BoolishValueParser::new())]
    pub(super) wait_until_ready: bool,

    /// Most requests that are held at a time. More are answered with 503.
    #[arg(long, value_name = "N", env = "INCUMBENT_HELD", default_value_t = 1024)]
    pub(super) held: usize,

    /// How much of the body of one request is kept to send it again, in bytes.
    #[arg(
        long,
        value_name = "BYTES",
        env = "INCUMBENT_KEPT_BODY",
        default_value_t = 64 * 1024
    )]
    pub(super) kept_body: usize,

    /// How much of the bodies of all requests is kept, in bytes.
    #[arg(
        long,
        value_name = "BYTES",
        env = "INCUMBENT_KEPT_BODIES",
        default_value_t = 64 * 1024 * 1024
    )]
    pub(super) kept_bodies: usize,

    /// The longest answer that is read whole before it is passed on, in bytes. If the leader dies
    /// before its end, the request is sent again where that does no harm. 0 reads none whole.
    #[arg(
        long,
        value_name = "BYTES",
        env = "INCUMBENT_WHOLE_ANSWER",
        default_value_t = 64 * 1024
    )]
    pub(super) whole_answer: usize,
}
