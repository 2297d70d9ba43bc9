//! The command lines of `incumbent resign` and `incumbent purge`.

use std::time::Duration;

use clap::Args;
use clap::builder::BoolishValueParser;
use incumbent::HolderName;

use crate::settings::Output;

#[derive(Debug, Args)]
pub(crate) struct ResignArgs {
    /// Candidate that should lead next. The others leave it the first try.
    #[arg(long, value_name = "HOLDER", env = "INCUMBENT_RESIGN_TO")]
    pub(crate) to: Option<HolderName>,
    /// How long to wait for the next leader.
    #[arg(long, value_name = "DURATION", env = "INCUMBENT_RESIGN_TIMEOUT", default_value = "30s", value_parser = humantime::parse_duration)]
    pub(crate) timeout: Duration,
}

const PURGE_HELP: &str = "\
Lists what the group has stored, asks, and then removes its records, root and floor. Each is removed only if it has
not changed since it was listed, and printed once it is removed. Nothing else is touched: objects of other programs,
other groups, files that records point to.
The floor holds the highest epoch: after a purge, the group begins at epoch 1 again. So stop all its nodes first, and
discard the fencing tokens they gave out. A directory (file://) keeps tombstones; remove it by hand.";

#[derive(Debug, Args)]
#[command(after_help = PURGE_HELP)]
pub(crate) struct PurgeArgs {
    /// Remove the records of all groups instead of one.
    #[arg(long, env = "INCUMBENT_ALL_GROUPS", value_parser = BoolishValueParser::new())]
    pub(crate) all_groups: bool,
    /// Do not ask.
    #[arg(long, env = "INCUMBENT_YES", value_parser = BoolishValueParser::new())]
    pub(crate) yes: bool,
    /// Remove also the records of a group that has a leader. The leader loses its term.
    #[arg(long, env = "INCUMBENT_PURGE_FORCE", value_parser = BoolishValueParser::new())]
    pub(crate) force: bool,
    #[command(flatten)]
    pub(crate) output: Output,
}
