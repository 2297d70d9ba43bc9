//! `incumbent node`: lists the nodes of a cluster, and takes them out of it.

mod args;
mod change;
pub(super) mod list;

use std::process::ExitCode;

use super::client::Client;
use crate::exit::Failure;
pub(crate) use args::NodeArgs;
use args::NodeCommand;

pub(crate) async fn node(args: NodeArgs) -> Result<ExitCode, Failure> {
    match args.command {
        NodeCommand::Ls { cluster, output } => list::list(&Client::new(&cluster)?, output).await,
        NodeCommand::Drain { node, cluster } => {
            change::drain(&Client::new(&cluster)?, &node.node).await
        }
        NodeCommand::Forget { node, yes, cluster } => {
            change::forget(&Client::new(&cluster)?, &node.node, yes).await
        }
    }
}
