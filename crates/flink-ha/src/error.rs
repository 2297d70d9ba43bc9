//! Why a cluster's data cannot be read.

use incumbent_backend::{BadAddress, BoxError};
use incumbent_tls::TlsError;

/// Why a cluster's data cannot be read. Variants are named for the caller's next decision.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum FlinkError {
    /// The address does not name a Flink cluster: correct it.
    #[error(transparent)]
    Address(#[from] BadAddress),
    /// A file for TLS that the address names cannot be used. The message names it.
    #[error(transparent)]
    Tls(BoxError),
    /// The kubeconfig, or another part of the client's configuration, cannot be used.
    #[error(transparent)]
    Config(BoxError),
    /// The caller is outside a Tokio runtime.
    #[error("no Tokio runtime is running")]
    NoRuntime,
    /// The store answered with a refusal: rights are missing.
    #[error("refused: {what}")]
    Refused {
        /// The request.
        what: String,
        /// The store's own words.
        source: BoxError,
    },
    /// The store was not reached, or did not answer: try again later.
    #[error("{store} does not answer")]
    Unavailable {
        /// The store.
        store: String,
        /// The reason, if it is known.
        source: Option<BoxError>,
    },
    /// The store has no such cluster. The message says where, and which clusters there are.
    #[error("there is no HA data of a Flink cluster {0}")]
    Nothing(String),
    /// Another process has changed it meanwhile. It was not written: look again.
    #[error("{0} was changed meanwhile, and was not written")]
    Changed(String),
    /// The store does not accept it. It was not written.
    #[error("not accepted: {what}")]
    Rejected {
        /// The request.
        what: String,
        /// The store's own words.
        source: BoxError,
    },
    /// A write was sent and not answered: it may be done. Doing the same again is safe.
    #[error("sent, and not answered: {what}")]
    Unknown {
        /// The request.
        what: String,
        /// The reason, if it is known.
        source: Option<BoxError>,
    },
    /// What a person has named is not there, or may not be done: why.
    #[error("{0}")]
    Named(String),
    /// The cluster is closed on purpose: why.
    #[error("{address} stays closed: {why}")]
    Closed {
        /// The cluster.
        address: String,
        /// Why.
        why: String,
    },
    /// What was read back is not what was written. The target stays closed.
    #[error("{0} reads differently than it was written")]
    Differs(String),
    /// The store holds more than any known cluster.
    #[error("there are more than {most} {what}")]
    TooMuch {
        /// What there is too much of.
        what: &'static str,
        /// The limit.
        most: usize,
    },
}

impl From<TlsError> for FlinkError {
    fn from(error: TlsError) -> Self {
        Self::Tls(error.into())
    }
}
