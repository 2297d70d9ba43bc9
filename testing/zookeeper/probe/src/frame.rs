//! The frames of a server.

use incumbent_zk_proto::{Code, Response, WatchEvent};

use crate::Error;

/// One frame of the server, after the handshake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// An answer.
    Reply(Reply),
    /// An event.
    Event(Event),
}

/// An answer to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The number of the request.
    pub xid: i32,
    /// The newest change the server had made when it answered.
    pub zxid: i64,
    /// The answer, or the number of a [`Code`]. [`Response::Done`] too if the kind of the request
    /// is unknown.
    pub result: Result<Response, i32>,
}

/// An event of a watch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The zxid in its header: the change that triggered it, or -1 up to ZooKeeper 3.8.
    pub zxid: i64,
    /// The event.
    pub event: WatchEvent,
}

impl Reply {
    /// The answer.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`].
    pub fn response(self) -> Result<Response, Error> {
        self.result.map_err(|number| Error::Refused { number })
    }

    /// Why it was refused; `None` if it was not, or if the number is unknown here.
    pub fn code(&self) -> Option<Code> {
        Code::from_number(*self.result.as_ref().err()?)
    }
}
