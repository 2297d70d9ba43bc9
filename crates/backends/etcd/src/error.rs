//! Errors between this process and etcd.

use std::time::Duration;

use incumbent_backend::{BadAddress, BoxError, Failure, Unread};
use incumbent_tls::TlsError;

use crate::outcome::Why;

/// Why a store cannot be opened, or the cause of a [`Failure`] or [`Unread`].
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum EtcdError {
    /// The address is not a valid etcd address: correct it.
    #[error(transparent)]
    Address(#[from] BadAddress),
    /// A certificate or key file named in the address cannot be used: correct the file or the
    /// address.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// There is no connection. Nothing was sent.
    #[error("not connected to {hosts} within {within:?}")]
    Disconnected {
        /// The servers.
        hosts: String,
        /// How long the call waited for a connection.
        within: Duration,
        /// Why the last attempt failed.
        source: Option<BoxError>,
    },
    /// No answer came in time, the connection was lost before the answer, or the answer does not
    /// say whether the request took effect. The outcome is unknown.
    #[error("no answer about {what}")]
    Unanswered {
        /// The key, or the request.
        what: String,
        /// The details.
        source: BoxError,
    },
    /// The server refused. Nothing was done.
    #[error("refused at {what}")]
    Refused {
        /// The key, or the request.
        what: String,
        /// The server's answer, with advice.
        source: BoxError,
    },
}

impl EtcdError {
    /// Whether the server refused because the account lacks a right.
    pub(crate) fn is_denied(&self) -> bool {
        match self {
            Self::Refused { source, .. } => source
                .downcast_ref::<Why>()
                .is_some_and(|why| why.is_denied()),
            _ => false,
        }
    }

    /// Converts the error to the outcome of a write.
    pub(crate) fn of_a_write(self) -> Failure {
        match self {
            Self::Unanswered { .. } => Failure::Unknown(Box::new(self)),
            _ => Failure::NotApplied(Box::new(self)),
        }
    }
}

impl From<EtcdError> for Unread {
    fn from(error: EtcdError) -> Self {
        Unread::Unavailable(Box::new(error))
    }
}
