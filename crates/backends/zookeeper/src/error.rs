//! Errors between this process and ZooKeeper.

use std::io;
use std::time::Duration;

use incumbent_backend::{BadAddress, BoxError, Failure, Unread};
use incumbent_tls::TlsError;
use zookeeper_client::Error as Client;

/// Why a store cannot be opened, or the cause of a [`Failure`] or [`Unread`].
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum ZooKeeperError {
    /// The address is not a valid ZooKeeper address: correct it.
    #[error(transparent)]
    Address(#[from] BadAddress),
    /// A certificate or key file named in the address cannot be used: correct the file or the
    /// address.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The certificates and the key are valid, but the client library does not support their
    /// format.
    #[error(
        "the ZooKeeper client does not accept the certificates or the key in this form; store the key as PKCS #8"
    )]
    TlsUnsupported,
    /// The operating system refused to start a thread for the session.
    #[error("cannot start a thread")]
    Thread(#[source] io::Error),
    /// There is no session. Nothing was sent.
    #[error("not connected to {hosts} within {within:?}")]
    Disconnected {
        /// The servers.
        hosts: String,
        /// How long the call waited for a connection.
        within: Duration,
        /// Why the last attempt failed.
        source: Option<BoxError>,
    },
    /// No answer came in time, or the connection or the session was lost before the answer. The
    /// outcome is unknown.
    #[error("no answer about {path}")]
    Unanswered {
        /// The node.
        path: String,
        /// The client library's error.
        source: BoxError,
    },
    /// The server refused. Nothing was done.
    #[error("refused at {path}")]
    Refused {
        /// The node.
        path: String,
        /// The server's error.
        source: BoxError,
    },
    /// The node is removed and created so often that no read saw one consistent state.
    #[error("{path} was removed and created again and again")]
    Unsteady {
        /// The node.
        path: String,
    },
}

impl ZooKeeperError {
    /// Classifies the client library's error about this node.
    pub(crate) fn of(path: &str, error: Client) -> Self {
        let (path, source) = (path.to_owned(), error.clone().into());
        match did_nothing(&error) {
            true => Self::Refused { path, source },
            false => Self::Unanswered { path, source },
        }
    }

    /// Converts the error of a step that writes no body. Whether the step was done does not matter.
    pub(crate) fn before_the_write(self) -> Failure {
        Failure::NotApplied(Box::new(self))
    }

    /// Converts the error of the write itself.
    pub(crate) fn of_the_write(self) -> Failure {
        match self {
            Self::Unanswered { .. } => Failure::Unknown(Box::new(self)),
            _ => Failure::NotApplied(Box::new(self)),
        }
    }
}

impl From<ZooKeeperError> for Unread {
    fn from(error: ZooKeeperError) -> Self {
        Unread::Unavailable(Box::new(error))
    }
}

/// Whether this error proves that the request did nothing and never will: a server refused it, or
/// the client did not send it.
///
/// The list contains only known cases. A session that expired or moved is not among them, because
/// the client reports that error for every pending request.
fn did_nothing(error: &Client) -> bool {
    matches!(
        error,
        Client::NoNode
            | Client::NodeExists
            | Client::BadVersion
            | Client::NotEmpty
            | Client::NoAuth
            | Client::InvalidAcl
            | Client::NoChildrenForEphemerals
            | Client::NotReadOnly
            | Client::QuotaExceeded
            | Client::Throttled
            | Client::MarshallingError
            | Client::Unimplemented
            | Client::BadArguments(_)
    )
}
