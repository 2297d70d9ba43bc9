//! The command line of `incumbent savepoint`.

use clap::{Args, Subcommand};

use crate::cluster::client::ClusterArgs;
use crate::settings::Output;

const HELP: &str = "\
A savepoint is a checkpoint that stays until it is removed, with files of its own. Jobs make one when they are
stopped, and when they are told to:
  incumbent job stop count
  incumbent job savepoint count
and start from it:
  incumbent job resume count
  incumbent job run count.toml --name again --restore ID

ID may be cut short, as long as it means one savepoint only. Exit codes are those of `incumbent job --help`.";

/// Look at savepoints, and remove them.
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(crate) struct SavepointArgs {
    #[command(subcommand)]
    pub(crate) command: SavepointCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum SavepointCommand {
    /// List savepoints, the newest first, also those of removed jobs.
    Ls {
        /// Only those of this job: its id, or its name.
        #[arg(long, value_name = "ID|NAME", env = "INCUMBENT_SAVEPOINT_JOB")]
        job: Option<String>,
        #[command(flatten)]
        cluster: ClusterArgs,
        #[command(flatten)]
        output: Output,
    },
    /// Show a savepoint.
    Show {
        #[command(flatten)]
        savepoint: SavepointRef,
        #[command(flatten)]
        cluster: ClusterArgs,
        #[command(flatten)]
        output: Output,
    },
    /// Remove a savepoint and its files.
    ///
    /// It is refused while a job needs it: one that has started from it and has no checkpoint of
    /// its own yet, or one whose last checkpoint it is.
    Rm {
        #[command(flatten)]
        savepoint: SavepointRef,
        #[command(flatten)]
        cluster: ClusterArgs,
    },
}

#[derive(Clone, Debug, Args)]
pub(crate) struct SavepointRef {
    /// The savepoint: its id, or the beginning of it.
    #[arg(value_name = "ID")]
    pub(crate) id: String,
}
