//! What goes wrong between us and the API server.

use std::time::Duration;

use incumbent_backend::{BadAddress, BoxError, Unread};

/// Why a store cannot be opened, or what the cause of a [`Failure`](incumbent_backend::Failure) or
/// [`Unread`] of it is.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum KubernetesError {
    /// The address is not one of Kubernetes: correct it.
    #[error(transparent)]
    Address(#[from] BadAddress),
    /// Neither a kubeconfig nor a service account can be used, or not the context that the address
    /// names.
    #[error(
        "no usable Kubernetes configuration (set KUBECONFIG, or kubeconfig= and context= in the address)"
    )]
    Config(#[source] BoxError),
    /// It was opened outside of a Tokio runtime.
    #[error("not inside a Tokio runtime")]
    NoRuntime,
    /// The request was not sent: no connection, or no credentials. Nothing was done.
    #[error("could not {what}: not sent")]
    Unsent {
        /// What was asked.
        what: String,
        /// Why not.
        source: BoxError,
    },
    /// It was sent, and no answer came, or not a whole one. It may have been done, or may be yet.
    #[error("could not {what}: no answer that tells the outcome")]
    Unanswered {
        /// What was asked.
        what: String,
        /// What came instead.
        source: BoxError,
    },
    /// The server refused. Nothing was done.
    #[error("could not {what}: {why}")]
    Refused {
        /// What was asked.
        what: String,
        /// What has to be done about it.
        why: String,
    },
    /// The server failed, or something on the way to it. It may have been done.
    #[error("could not {what}: {why}")]
    Failed {
        /// What was asked.
        what: String,
        /// What it says.
        why: String,
    },
    /// The server asked to be left alone. Nothing was sent.
    #[error("the API server asked to wait; {left:?} of that are left")]
    AskedToWait {
        /// For how much longer.
        left: Duration,
    },
    /// More is to be sent than the rate limit of this process lets through in time. Nothing was
    /// sent.
    #[error(
        "more requests than {rate} in a second are waiting; `qps` and `burst` of the address allow more"
    )]
    TooMany {
        /// The limit.
        rate: u32,
    },
    /// Something else is where a record of ours would be, or a record of ours was changed beyond
    /// recognition. Look at it.
    #[error("{object} cannot be used: {why}")]
    Foreign {
        /// Kind, namespace and name.
        object: String,
        /// What is wrong with it.
        why: String,
    },
    /// A list was too old before its end was reached, again and again.
    #[error("the list of {what} was out of date before its end was reached, several times")]
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
pub(crate) struct Said(pub(crate) String);

/// An error and its causes on one line.
pub(crate) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    for cause in causes {
        let cause = cause.to_string();
        // Many libraries repeat their cause in their own text.
        if !text.contains(&cause) {
            text.push_str(": ");
            text.push_str(&cause);
        }
    }
    text
}
