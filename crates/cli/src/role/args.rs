//! The command line of `incumbent role`.

use clap::{Args, Subcommand};

use crate::settings::Output;

const HELP: &str = "\
For a COMMAND of `incumbent run --standby warm`, as $INCUMBENT_EXE role. Each line is ROLE NUMBER EPOCH, for `read`;
ROLE is standby, leader or stepping-down, and EPOCH is `-` if there is none. A whole program:
  $INCUMBENT_EXE role follow | while read -r role number epoch; do
    case $role in
      leader)        start_work \"$epoch\" ;;
      stepping-down) stop_work; $INCUMBENT_EXE role acknowledge \"$number\" ;;
    esac
  done";

/// For COMMAND of `run --standby warm`: its role.
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(crate) struct RoleArgs {
    #[command(subcommand)]
    pub(crate) command: Option<RoleCommand>,
    #[command(flatten)]
    pub(crate) output: Output,
}

#[derive(Debug, Subcommand)]
pub(crate) enum RoleCommand {
    /// Print the role, and each change of it.
    Follow,
    /// Say that COMMAND has stopped leading, as it was told to.
    Acknowledge {
        /// The number of the role that told it to [default: the present one]
        #[arg(value_name = "NUMBER")]
        number: Option<u64>,
    },
}
