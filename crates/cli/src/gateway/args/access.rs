//! Who may ask, and whose word counts.

use clap::Args;
use incumbent_gateway::IpNet;

use crate::settings::ClientToken;

#[derive(Debug, Args)]
#[command(next_help_heading = "Who may ask")]
pub(super) struct AccessArgs {
    /// Proxies in front of the gateway, as in 10.0.0.0/8: what they say about their clients
    /// (X-Forwarded-For and the like) is passed on. May be repeated.
    #[arg(
        long,
        value_name = "NET",
        env = "INCUMBENT_TRUSTED",
        value_delimiter = ','
    )]
    pub(super) trusted: Vec<IpNet>,

    #[command(flatten)]
    pub(super) token: ClientToken,
}
