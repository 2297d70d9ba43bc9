//! Why a connection has ended.

use std::io;
use std::time::Duration;

use crate::machine::{Closed, Refused};

/// Why a connection has ended.
#[derive(Debug, thiserror::Error)]
pub(super) enum End {
    /// The client has closed it, or its system has.
    #[error("the client closed it")]
    Gone,
    /// This server closed it, and there is nothing to report.
    #[error("closed")]
    Done,
    #[error("{0}")]
    Closed(Closed),
    #[error("the client sent a frame of {length} bytes; the limit is {limit} (--max-frame)")]
    Length { length: i32, limit: usize },
    #[error("the client sent {0:?}, which is no four-letter word")]
    Word(String),
    #[error("the client speaks {0}")]
    Language(&'static str),
    #[error("the first frame is no request to connect: {0}")]
    Greeting(#[from] incumbent_zk_proto::Malformed),
    #[error("{0}")]
    Refused(#[from] Refused),
    /// The same refusal of the same client once more.
    #[error("{0}")]
    Again(Refused),
    #[error("the client wants a new session, and {0}")]
    Full(&'static str),
    #[error("the client sent no request to connect within {0:?}")]
    Silent(Duration),
    #[error("the client does not read: {0} bytes are queued for it")]
    Backlog(usize),
    #[error("the client did not read the last replies in time")]
    Deaf,
    #[error("the connection failed: {0}")]
    Failed(io::Error),
}

impl From<io::Error> for End {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::UnexpectedEof => Self::Gone,
            _ => Self::Failed(error),
        }
    }
}
