//! The headers of all requests, replies and events after the handshake.

use crate::jute::{Malformed, Reader, Write};

/// Numbers of requests that have a meaning.
pub mod xid {
    /// Of events, which answer no request.
    pub const EVENT: i32 = -1;
    /// Of pings.
    pub const PING: i32 = -2;
    /// Of authentication.
    pub const AUTH: i32 = -4;
    /// Of watches that are set again.
    pub const SET_WATCHES: i32 = -8;
}

/// The header of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestHeader {
    /// The client's number for the request. The reply repeats it.
    pub xid: i32,
    /// Its kind: the number of an [`Op`](crate::Op), or one that is unknown here.
    pub op: i32,
}

/// The header of a reply or an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplyHeader {
    /// The number of the request, or one of [`xid`].
    pub xid: i32,
    /// In a reply, the newest change that the server had made. In an event, the change that the
    /// event is about, or -1.
    pub zxid: i64,
    /// 0, or the number of a [`Code`](crate::Code).
    pub err: i32,
}

impl RequestHeader {
    /// Reads one.
    ///
    /// # Errors
    ///
    /// [`Malformed`].
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(Self {
            xid: reader.int()?,
            op: reader.int()?,
        })
    }

    /// Writes it.
    pub fn write(self, out: &mut Vec<u8>) {
        out.int(self.xid);
        out.int(self.op);
    }
}

impl ReplyHeader {
    /// Reads one.
    ///
    /// # Errors
    ///
    /// [`Malformed`].
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(Self {
            xid: reader.int()?,
            zxid: reader.long()?,
            err: reader.int()?,
        })
    }

    /// Writes it.
    pub fn write(self, out: &mut Vec<u8>) {
        out.int(self.xid);
        out.long(self.zxid);
        out.int(self.err);
    }
}
