//! The command lines of `incumbent observe` and `incumbent status`.

use clap::Args;

use crate::settings::Output;

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
