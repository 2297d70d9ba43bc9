//! Errors between this process and ZooKeeper.

use std::io;
use std::time::Duration;

use incumbent_backend::{BadAddress, BoxError, Failure, Unread};
use incumbent_tls::TlsError;
use zookeeper_client::Error as Client;

/// Why a store cannot be opened, or what the cause of a [`Failure`] or [`Unread`] of it is.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum ZooKeeperError {
    /// The address is not one of ZooKeeper: correct it.
    #[error(transparent)]
    Address(#[from] BadAddress),
    /// A file with certificates or a key, which the address names, cannot be used: correct the file
    /// or the address.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The certificates and the key are good, and the client library takes them in no such form.
    #[error(
        "the ZooKeeper client does not accept the certificates or the key in this form; store the key as PKCS #8"
    )]
    TlsUnsupported,
    /// The system gave no thread for the session.
    #[error("cannot start a thread")]
    Thread(#[source] io::Error),
    /// There is no session. Nothing was sent.
    #[error("not connected to {hosts} within {within:?}")]
    Disconnected {
        /// The servers.
        hosts: String,
        /// How long a connection was waited for.
        within: Duration,
        /// Why the last attempt failed.
        source: Option<BoxError>,
    },
    /// No answer came in time, or the connection or the session was lost before it. The outcome is
    /// unknown.
    #[error("no answer about {path}")]
    Unanswered {
        /// The node.
        path: String,
        /// What the client says.
        source: BoxError,
    },
    /// The server refused. Nothing was done.
    #[error("refused at {path}")]
    Refused {
        /// The node.
        path: String,
        /// What the server says.
        source: BoxError,
    },
    /// The node is removed and created so fast that no read saw one consistent state.
    #[error("{path} was removed and created again and again")]
    Unsteady {
        /// The node.
        path: String,
    },
}

impl ZooKeeperError {
    /// An answer of the client about this node.
    pub(crate) fn of(path: &str, error: Client) -> Self {
        let (path, source) = (path.to_owned(), error.clone().into());
        match did_nothing(&error) {
            true => Self::Refused { path, source },
            false => Self::Unanswered { path, source },
        }
    }

    /// As the outcome of a step that writes no body: that it was done or not changes nothing.
    pub(crate) fn before_the_write(self) -> Failure {
        Failure::NotApplied(Box::new(self))
    }

    /// As the outcome of the write.
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

/// Whether this is the word of a server, or of a client that sent nothing, that the request did
/// nothing and never will.
///
/// The list is of what is known. A session that expired or moved is not on it: the client says so
/// of all that was under way.
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
