//! The command line of `incumbent records`.

use clap::builder::BoolishValueParser;
use clap::{Args, Subcommand};
use incumbent::RecordName;

use crate::settings::Output;

#[derive(Debug, Args)]
pub(crate) struct RecordsArgs {
    #[command(subcommand)]
    pub(crate) command: RecordsCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum RecordsCommand {
    /// List records.
    Ls {
        /// List only names with this prefix.
        #[arg(default_value = "")]
        prefix: String,
        #[command(flatten)]
        output: Output,
    },
    /// Print the data of a record.
    Get {
        /// Name of the record.
        name: RecordName,
        /// Print this instead of failing if the record does not exist.
        #[arg(long, value_name = "JSON", env = "INCUMBENT_DEFAULT")]
        default: Option<String>,
    },
    /// Write a record: inside a command of `incumbent run` as its leader; elsewhere by leading for
    /// a moment if nobody leads, or with --force.
    Put {
        /// Name of the record.
        name: RecordName,
        /// New data, as JSON; - reads it from standard input.
        json: String,
        #[command(flatten)]
        how: WriteHow,
    },
    /// Delete a record, in the same ways.
    Rm {
        /// Name of the record.
        name: RecordName,
        #[command(flatten)]
        how: WriteHow,
    },
}

/// Conditions of a write.
#[derive(Clone, Debug, Args)]
pub(crate) struct WriteHow {
    /// Write only if the data equals this JSON; numbers are compared as they are written.
    #[arg(long, value_name = "JSON", env = "INCUMBENT_EXPECT")]
    pub(crate) expect: Option<String>,
    /// Write only if the record does not exist.
    #[arg(long, env = "INCUMBENT_IF_ABSENT", value_parser = BoolishValueParser::new(), conflicts_with = "expect")]
    pub(crate) if_absent: bool,
    /// Write without leading. A leader that has opened the record must open it again.
    #[arg(long, env = "INCUMBENT_FORCE", value_parser = BoolishValueParser::new(), conflicts_with_all = ["expect", "if_absent"])]
    pub(crate) force: bool,
}
