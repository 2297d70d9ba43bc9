//! Why a cluster did not do what was asked.

use incumbent::backend::causes;

use super::args::USUAL;
use super::connection::Failed;
use super::problem::Problem;
use super::url::NodeUrl;
use crate::exit::{Code, Failure};

/// Variants are named for what a person, or the caller, does next.
#[derive(Debug)]
pub(crate) enum ClientError {
    /// No node was reached, or none has answered. Each with its reason.
    NoNode(Vec<(NodeUrl, Failed)>),
    /// A node has answered, and says why not.
    Problem(Problem),
    /// The answer broke off, several times.
    BrokenOff,
    /// The answer is not what this program expects.
    Answer(serde_json::Error),
}

impl ClientError {
    /// Whether the same request may succeed a moment later.
    pub(crate) fn may_pass(&self) -> bool {
        match self {
            Self::NoNode(_) | Self::BrokenOff => true,
            Self::Problem(problem) => problem.status.is_server_error(),
            Self::Answer(_) => false,
        }
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        match error {
            ClientError::Problem(problem) => problem.into(),
            ClientError::NoNode(failed) => no_node(&failed),
            ClientError::BrokenOff => Self::new(
                "the answer broke off several times; what was asked for may have been done: look with \
                 `incumbent job ls` before you repeat it",
            )
            .code(Code::Unknown),
            ClientError::Answer(cause) => {
                let what = "the answer is not that of a cluster of this version";
                Self::new(what).because(cause)
            }
        }
    }
}

/// In words, with what to do: that depends on whether anything listens there.
fn no_node(failed: &[(NodeUrl, Failed)]) -> Failure {
    let tried: Vec<_> = failed
        .iter()
        .map(|(node, why)| format!("{node} ({})", causes(why)))
        .collect();
    let tried = tried.join(", ");
    let is_unreached = failed.iter().all(|(_, why)| why.is_unreached());
    let is_usual = failed.iter().all(|(node, _)| node.to_string() == USUAL);
    let text = match (is_unreached, is_usual) {
        (true, true) => format!(
            "no cluster answers at {tried}; start one on this machine with `incumbent up`, or name a node of another \
             with --cluster URL or INCUMBENT_CLUSTER"
        ),
        (true, false) => format!(
            "no cluster answers at {tried}; correct --cluster or INCUMBENT_CLUSTER, or start a cluster on this machine \
             with `incumbent up`"
        ),
        (false, _) => format!(
            "no node of the cluster has answered: {tried}; if something was to be changed, look whether it was before \
             you repeat it"
        ),
    };
    Failure::new(text).code(Code::Unavailable)
}
