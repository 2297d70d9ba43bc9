//! [`NodeError`]: why a node could not start.

use std::net::SocketAddr;

use incumbent::OpenError;
use incumbent_tls::TlsError;

/// Why a node does not run. Each is for a person, who corrects what the message names and starts
/// the node again. What goes wrong later, such as a store that does not answer, is logged and tried
/// again, and is never one of these.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// The store or the group cannot be used.
    #[error("cannot use the store of the cluster")]
    Store(#[from] OpenError),
    /// The record `cluster` is there, and is not one of this program's.
    #[error(
        "the record `cluster` cannot be understood, so this node cannot prove to others that it is \
         one; look at it with `incumbent records get`, or name another group"
    )]
    Cluster(#[source] incumbent::Error),
    /// The blobs cannot be used.
    #[error("cannot use the blobs at {url}")]
    Blobs {
        /// Their URL.
        url: String,
        /// Why.
        #[source]
        cause: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Nothing can listen at this address.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        #[source]
        cause: std::io::Error,
    },
    /// Others would not reach this node at the address that it advertises.
    #[error(
        "{advertise:?} is neither host nor host:port by which others could reach this node; \
         correct what it advertises"
    )]
    Advertise {
        /// What was to be advertised.
        advertise: String,
    },
    /// A file of TLS cannot be used.
    #[error("cannot use a file of TLS")]
    Tls(#[from] TlsError),
    /// It cannot serve, or everybody could run programs on the cluster.
    #[error(transparent)]
    Server(#[from] crate::server::ServerError),
    /// A name is malformed.
    #[error("{what} is malformed: {why}")]
    Name {
        /// Which name.
        what: &'static str,
        /// What is wrong with it.
        why: String,
    },
    /// The options do not go together; says which and what to do.
    #[error("{0}")]
    Options(String),
}
