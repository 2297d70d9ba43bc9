//! Why a request to the API server, or the way to it, failed.

use std::time::Duration;

use incumbent_backend::{BadAddress, BoxError, Unread};

/// Why a store cannot be opened, or the cause of one of its
/// [`Failure`](incumbent_backend::Failure)s or [`Unread`]s.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum KubernetesError {
    /// The address is not a usable one of Kubernetes: correct it.
    #[error(transparent)]
    Address(#[from] BadAddress),
    /// The kubeconfig or service account cannot be used, or there is none. The cause says why,
    /// without repeating anything that may be secret.
    #[error(
        "no usable configuration for Kubernetes (from kubeconfig= and context= in the address, KUBECONFIG, \
         ~/.kube/config or the pod's service account)"
    )]
    Config(#[source] BoxError),
    /// The store was opened outside a Tokio runtime.
    #[error("not inside a Tokio runtime")]
    NoRuntime,
    /// There was no connection, or there were no credentials. Nothing was sent or done.
    #[error("could not {what}: the request was not sent")]
    Unsent {
        /// The operation.
        what: String,
        /// Why it was not sent.
        source: BoxError,
    },
    /// The request was sent, and no whole answer came. It may have been done, or may still be done.
    #[error("{what}: the request was sent and not answered, so its outcome is unknown")]
    Unanswered {
        /// The operation.
        what: String,
        /// What came instead of an answer.
        source: BoxError,
    },
    /// The server refused. Nothing was done.
    #[error("could not {what}: {why}")]
    Refused {
        /// The operation.
        what: String,
        /// Why, in the server's words too, and what to do.
        why: String,
    },
    /// The server, or a proxy before it, failed. The request may have been done.
    #[error("could not {what}: {why}")]
    Failed {
        /// The operation.
        what: String,
        /// What it answered.
        why: String,
    },
    /// The server asked to wait, and that time is not over. Nothing was sent.
    #[error("the API server asked to wait, for another {left:?}")]
    AskedToWait {
        /// How much of the wait is left.
        left: Duration,
    },
    /// The rate limit of this process would delay the request too long. Nothing was sent.
    #[error(
        "more than {rate} requests in a second are waiting; raise `qps` and `burst` in the address"
    )]
    TooMany {
        /// The limit.
        rate: u32,
    },
    /// An object of another program has the name of one of ours, or one of ours was changed so that
    /// it cannot be recognized. A person has to look at it.
    #[error("{object} cannot be used: {why}")]
    Foreign {
        /// Kind, namespace and name.
        object: String,
        /// What is wrong with it.
        why: String,
    },
    /// The server dropped the history of a list before its last part was read, several times.
    #[error("the list of {what} expired before its last part was read, several times")]
    Unsteady {
        /// What was listed.
        what: String,
    },
}

impl From<KubernetesError> for Unread {
    fn from(error: KubernetesError) -> Self {
        match error {
            KubernetesError::Foreign { .. } => Unread::Damaged(Box::new(error)),
            _ => Unread::Unavailable(Box::new(error)),
        }
    }
}

/// Plain text as a cause.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Message(pub(crate) String);
