//! The command line, and the configuration file behind it.
//!
//! The flags of a command are defined beside the command, in its `args.rs`; flags that several
//! commands share are in `settings`.

mod cli;
mod config_file;
mod parse;

pub(crate) use cli::{Cli, Command};
pub(crate) use parse::{Parsed, command, parse};
