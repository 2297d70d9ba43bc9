//! Which cluster `job` and `node` speak to, and as whom.

use std::path::PathBuf;

use clap::Args;

use super::url::NodeUrl;

/// Where a cluster is found that nobody named: at what `incumbent up` listens on.
pub(crate) const USUAL: &str = "http://127.0.0.1:8081";

/// Flags of the commands that ask a cluster.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Which cluster")]
pub(crate) struct ClusterArgs {
    /// URL of a node of the cluster: any one answers. Several, separated by commas, are tried in
    /// turn.
    #[arg(
        long,
        value_name = "URL",
        env = "INCUMBENT_CLUSTER",
        value_delimiter = ',',
        default_value = USUAL
    )]
    pub(crate) cluster: Vec<NodeUrl>,

    /// A file with the token of the cluster, if it needs one.
    #[arg(long, value_name = "FILE", env = "INCUMBENT_TOKEN_FILE")]
    pub(crate) token_file: Option<PathBuf>,

    /// The authorities that certificates of nodes are checked against, PEM [default: the system's]
    #[arg(long, value_name = "FILE", env = "INCUMBENT_CA")]
    pub(crate) ca: Option<PathBuf>,

    /// The certificate that this program shows to nodes, PEM, if they ask for one.
    #[arg(long, value_name = "FILE", env = "INCUMBENT_CLIENT_CERT")]
    pub(crate) cert: Option<PathBuf>,

    /// The private key of that certificate, PEM.
    #[arg(long, value_name = "FILE", env = "INCUMBENT_CLIENT_KEY")]
    pub(crate) key: Option<PathBuf>,
}
