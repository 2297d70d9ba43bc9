//! The command line of `incumbent top`.

use clap::Args;

use crate::cluster::client::ClusterArgs;
use crate::settings::Output;

const HELP: &str = "\
On a terminal this is a screen that follows the cluster: who leads, nodes, jobs, tasks and logs. `?` lists its
keys. Each action says what it will do and asks first. It stays up while nobody leads, and while no node
answers, and says so. If the node that it asks dies, it goes on through the others in --cluster, and through
those that the cluster has named since.

Without a terminal, or with --format table, it prints one look as lines and ends; with --format json, as one
JSON object: `cluster` and `jobs`, as /v1/cluster and /v1/jobs have them.

Colours are left out if NO_COLOR is set.";

/// Watch a cluster in a terminal, and steer its jobs.
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(crate) struct TopArgs {
    #[command(flatten)]
    pub(crate) cluster: ClusterArgs,
    #[command(flatten)]
    pub(crate) output: Output,
}
