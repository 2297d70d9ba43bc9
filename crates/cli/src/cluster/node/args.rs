//! The command line of `incumbent node`.

use clap::builder::BoolishValueParser;
use clap::{Args, Subcommand};

use crate::cluster::client::ClusterArgs;
use crate::settings::Output;

/// Look at the nodes of a cluster, and take them out of it.
#[derive(Debug, Args)]
pub(crate) struct NodeArgs {
    #[command(subcommand)]
    pub(crate) command: NodeCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum NodeCommand {
    /// List JobManagers and TaskManagers.
    Ls {
        #[command(flatten)]
        cluster: ClusterArgs,
        #[command(flatten)]
        output: Output,
    },
    /// Move the tasks of a TaskManager elsewhere and give it no more; it then ends. SIGTERM does
    /// the same.
    Drain {
        #[command(flatten)]
        node: NodeRef,
        #[command(flatten)]
        cluster: ClusterArgs,
    },
    /// Say that a TaskManager, and every process that it ran, is gone for good.
    ///
    /// Exclusive jobs that wait for it go on at once. If it does run somewhere, two attempts of a
    /// job run at the same time: make sure first, for example by switching the machine off.
    Forget {
        #[command(flatten)]
        node: NodeRef,
        /// Do not ask.
        #[arg(long, env = "INCUMBENT_YES", value_parser = BoolishValueParser::new())]
        yes: bool,
        #[command(flatten)]
        cluster: ClusterArgs,
    },
}

#[derive(Clone, Debug, Args)]
pub(crate) struct NodeRef {
    /// The TaskManager: its name, or its nonce.
    #[arg(value_name = "NAME")]
    pub(crate) node: String,
}
