//! Errors between this process and etcd.

use std::time::Duration;

use incumbent_backend::{BadAddress, BoxError, Failure, Unread};
use incumbent_tls::TlsError;

use crate::outcome::Why;

/// Why a store cannot be opened, or what the cause of a [`Failure`] or [`Unread`] of it is.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum EtcdError {
    /// The address is not one of etcd: correct it.
    #[error(transparent)]
    Address(#[from] BadAddress),
    /// A file with certificates or a key, which the address names, cannot be used: correct the file
    /// or the address.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// There is no connection. Nothing was sent.
    #[error("not connected to {hosts} within {within:?}")]
    Disconnected {
        /// The servers.
        hosts: String,
        /// How long a connection was waited for.
        within: Duration,
        /// Why the last attempt failed.
        source: Option<BoxError>,
    },
    /// No answer came in time, the connection was lost before it, or the answer does not say
    /// whether it was done. The outcome is unknown.
    #[error("no answer about {what}")]
    Unanswered {
        /// The key, or what was asked for.
        what: String,
        /// What is known.
        source: BoxError,
    },
    /// The server refused. Nothing was done.
    #[error("refused at {what}")]
    Refused {
        /// The key, or what was asked for.
        what: String,
        /// What the server says, and what helps.
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

    /// As the outcome of a write.
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
