//! What a machine tells its driver.

use incumbent_zk_proto::{Malformed, ReplyHeader, Response, WatchEvent};

use super::entry::Entry;
use super::ids::ConnectionId;

/// Performs what a machine decides, in the order of the calls.
pub trait Sink {
    /// Logs an entry. Everything that follows must be held back until it is durable.
    fn log(&mut self, entry: &Entry);
    /// Sends a reply. There is no body after an error.
    fn reply(&mut self, to: ConnectionId, header: ReplyHeader, body: Option<&Response>);
    /// Sends an event to a connection that watches. `zxid` is the change that the event is about,
    /// or -1 for an event that stands for changes the client has missed.
    fn event(&mut self, to: ConnectionId, event: &WatchEvent, zxid: i64);
    /// Closes a connection, after everything before this call has been sent.
    fn close(&mut self, connection: ConnectionId, why: Closed);
}

/// Why a connection is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Closed {
    /// The client closed its session.
    #[error("the client closed its session")]
    ByClient,
    /// Its session expired.
    #[error("the session expired")]
    Expired,
    /// Its session has a newer connection.
    #[error("the session came back on another connection")]
    Moved,
    /// A request of it was malformed.
    #[error("the client sent a malformed request: {0}")]
    Malformed(Malformed),
    /// It failed to authenticate.
    #[error("the client failed to authenticate")]
    AuthFailed,
}

/// Why a connection gets no session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// The client has seen changes that this server does not have.
    #[error(
        "the client has seen zxid 0x{seen:x}, and the newest here is 0x{newest:x}: this server does not have what it has seen"
    )]
    Behind {
        /// The highest zxid it has seen.
        seen: i64,
        /// The newest zxid here.
        newest: i64,
    },
    /// The limit of sessions is reached.
    #[error("the limit of {limit} sessions (--max-sessions) is reached")]
    TooManySessions {
        /// The limit.
        limit: usize,
    },
}
