//! The command line, and what it teaches.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

const HELP: &str = "\
The figures of the README:
  cargo build --release -p incumbent-cli
  cargo run --release -p incumbent-bench -- all --table

How to read them:
  p50 is the median, p25 and p75 enclose the middle half: the spread.
  PASS and MISS compare with the targets that the project has set itself.
  Commits and plain compare-and-swap take turns of milliseconds, and each pair
  of turns gives one ratio: what else the machine does slows both alike.";

/// Measures how fast a leader is replaced, what a fenced commit costs, and how little an idle group writes.
#[derive(Debug, Parser)]
#[command(name = "incumbent-bench", version, after_help = HELP)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) common: Common,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What all commands share.
#[derive(Debug, Args)]
pub(crate) struct Common {
    /// Print JSON [default if standard output is no terminal]
    #[arg(long, global = true, conflicts_with = "table")]
    pub(crate) json: bool,

    /// Print a Markdown table [default on a terminal]
    #[arg(long, global = true)]
    pub(crate) table: bool,

    /// Exit with 1 if a target is missed.
    #[arg(long, global = true)]
    pub(crate) check: bool,

    /// Where the stores are made, and removed afterwards: the file system matters [default: the system's temporary directory]
    #[arg(long, global = true, value_name = "DIR")]
    dir: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// From kill -9 of the leading `incumbent run` to the next COMMAND started.
    Failover(TakeoverArgs),
    /// From SIGTERM to the leading `incumbent run` to the next COMMAND started.
    Handover(TakeoverArgs),
    /// Commits per second of one record, and what fencing costs against plain compare-and-swap.
    Commits(CommitsArgs),
    /// Writes per minute of a group that has nothing to do.
    Idle(IdleArgs),
    /// Everything, in about two and a half minutes.
    All(AllArgs),
}

#[derive(Clone, Debug, Args)]
pub(crate) struct TakeoverArgs {
    /// How often the leader is replaced.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) rounds: u32,
    #[command(flatten)]
    pub(crate) group: GroupArgs,
}

/// The processes that compete.
#[derive(Clone, Debug, Args)]
pub(crate) struct GroupArgs {
    /// How many `incumbent run` compete: one leads, the others stand by.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(2..=26))]
    pub(crate) runners: u32,
    /// The program to measure [default: `incumbent` beside this one, built if it is missing]
    #[arg(long, value_name = "PATH")]
    pub(crate) program: Option<PathBuf>,
    /// Tell the story of every round, and not only of those that are slow.
    #[arg(long)]
    pub(crate) stories: bool,
}

#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct CommitsArgs {
    /// For how long each of the six pairs is measured.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) seconds: u64,
}

#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct IdleArgs {
    /// For how long the writes are counted.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(4..))]
    pub(crate) seconds: u64,
    /// How many candidates stand by.
    #[arg(long, default_value_t = 2)]
    pub(crate) standbys: u32,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct AllArgs {
    /// How often the leader is replaced, each way.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) rounds: u32,
    #[command(flatten)]
    pub(crate) group: GroupArgs,
}

impl Common {
    pub(crate) fn dir(&self) -> PathBuf {
        self.dir.clone().unwrap_or_else(std::env::temp_dir)
    }
}
