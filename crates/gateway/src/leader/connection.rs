//! A connection to the leader that takes one request, [`Connection`], or why there is none,
//! [`Missed`].

use std::io;
use std::sync::Arc;
use std::time::Duration;

use hyper::client::conn::{http1, http2};

use super::share::Share;
use crate::request::tape::Playback;
use crate::stream::insertions::Insertions;

/// How long ago a connection may have been used for a request that must not be sent twice: hardly
/// any server closes one so soon.
pub(super) const RECENT: Duration = Duration::from_secs(1);
/// Which connection will do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    Any,
    /// One that was used a moment ago, or a new one.
    Recent,
    New,
}

/// A connection that takes one request.
pub(crate) struct Connection {
    pub(crate) sender: Sender,
    /// Which of the addresses it leads to.
    pub(crate) address: usize,
    pub(crate) reused: bool,
    /// The place of the request among those that share the connection, to be kept until its answer
    /// has ended.
    pub(crate) share: Option<Share>,
}

pub(crate) enum Sender {
    Http1(Http1),
    Http2(http2::SendRequest<Playback>),
}

/// A connection of HTTP/1.1.
pub(crate) struct Http1 {
    pub(crate) sender: http1::SendRequest<Playback>,
    pub(crate) insertions: Insertions,
}

/// Why there is no connection. In any case nothing was sent. Of several addresses, the last in this
/// order counts.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum Missed {
    /// Somebody else found that it cannot be asked.
    #[error("it cannot be asked any more")]
    NotReady,
    /// Not in the time that there is.
    #[error("it was not connected to in time")]
    Late,
    /// Not in the time that there is, as all connections are full that may be.
    #[error("all connections of HTTP/2 are full")]
    Full,
    /// It is this host that can make no more connections.
    #[error("this host has no descriptors, ports or buffers for more connections: {0}")]
    Exhausted(Arc<io::Error>),
    /// Nobody took the connection.
    #[error("nobody takes connections: {0}")]
    Unreachable(Arc<io::Error>),
    /// Somebody took the connection and did not greet: he may be starting or ending, or speak
    /// something else.
    #[error("it takes connections and does not greet: {0}")]
    Unclear(Arc<io::Error>),
    /// It is there, and speaks something else.
    #[error("it does not speak HTTP/2")]
    NoHttp2,
}

impl Missed {
    pub(super) fn unclear(error: impl Into<io::Error>) -> Self {
        Self::Unclear(Arc::new(error.into()))
    }

    pub(super) fn rank(&self) -> u8 {
        match self {
            Self::NotReady => 0,
            Self::Late => 1,
            Self::Full => 2,
            Self::Exhausted(_) => 3,
            Self::Unreachable(_) => 4,
            Self::Unclear(_) => 5,
            Self::NoHttp2 => 6,
        }
    }
}
