use std::io;

use incumbent_zk_proto::{Code, Malformed};

/// Why a probe has no answer.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The server has closed the connection.
    #[error("the server has closed the connection")]
    Closed,
    /// The connection failed.
    #[error("the connection failed")]
    Io(#[from] io::Error),
    /// The server sent a malformed frame, or one that does not answer the request.
    #[error("the server's frame is malformed")]
    Malformed(#[from] Malformed),
    /// The server sent a frame that is longer than any test needs.
    #[error("the server announces a frame of {0} bytes")]
    FrameTooLong(i32),
    /// The server answered a request that was not sent, or that was answered before.
    #[error("the server answers the request {xid}, which is not open")]
    NotAsked {
        /// The number in the reply.
        xid: i32,
    },
    /// The server has no such session: its answer to the handshake has a time-out of 0.
    #[error("the session is over")]
    SessionOver,
    /// The request was refused; the number is that of a [`Code`].
    #[error("refused: {number} ({:?})", Code::from_number(*number))]
    Refused {
        /// The number.
        number: i32,
    },
}
