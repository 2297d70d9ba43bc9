//! The first messages of a connection.

use crate::jute::{Malformed, Reader, Write};

/// Length of a session's password.
pub const PASSWORD_BYTES: usize = 16;

/// Asks for a new session, or to continue an earlier one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectRequest<'a> {
    /// The highest zxid that the client has seen. A server must not show it an older state.
    pub last_zxid_seen: i64,
    /// The session time-out that the client wants, in milliseconds.
    pub timeout_ms: i32,
    /// The session to continue, or 0.
    pub session: i64,
    /// The password of that session.
    pub password: &'a [u8],
    /// Whether the client accepts a read-only server. Older clients do not send it, and do not get
    /// it in the answer.
    pub read_only: Option<bool>,
}

/// Answers a [`ConnectRequest`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectResponse {
    /// The session time-out in milliseconds. 0 means that the session is over and the connection
    /// will be closed.
    pub timeout_ms: i32,
    /// The session, or 0.
    pub session: i64,
    /// Its password.
    pub password: [u8; PASSWORD_BYTES],
    /// Whether the server is read-only; sent only if the request has the field.
    pub read_only: Option<bool>,
}

impl<'a> ConnectRequest<'a> {
    /// Reads one.
    ///
    /// # Errors
    ///
    /// [`Malformed`], also for a protocol version other than 0.
    pub fn read(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes);
        version(&mut reader)?;
        let request = Self {
            last_zxid_seen: reader.long()?,
            timeout_ms: reader.int()?,
            session: reader.long()?,
            password: reader.buffer()?.unwrap_or_default(),
            read_only: read_only(&mut reader)?,
        };
        reader.end()?;
        Ok(request)
    }

    /// Writes it, without the length of the frame.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.int(0);
        out.long(self.last_zxid_seen);
        out.int(self.timeout_ms);
        out.long(self.session);
        out.buffer(Some(self.password));
        if let Some(read_only) = self.read_only {
            out.bool(read_only);
        }
    }
}

impl ConnectResponse {
    /// The answer that the session is over.
    pub fn expired(read_only: Option<bool>) -> Self {
        Self {
            timeout_ms: 0,
            session: 0,
            password: [0; PASSWORD_BYTES],
            read_only,
        }
    }

    /// Reads one.
    ///
    /// # Errors
    ///
    /// [`Malformed`].
    pub fn read(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes);
        version(&mut reader)?;
        let timeout_ms = reader.int()?;
        let session = reader.long()?;
        let password = reader.buffer()?.unwrap_or_default();
        let response = Self {
            timeout_ms,
            session,
            password: password.try_into().map_err(|_| Malformed::Unknown {
                what: "a password of length",
                number: i32::try_from(password.len()).unwrap_or(i32::MAX),
            })?,
            read_only: read_only(&mut reader)?,
        };
        reader.end()?;
        Ok(response)
    }

    /// Writes it, without the length of the frame.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.int(0);
        out.int(self.timeout_ms);
        out.long(self.session);
        out.buffer(Some(&self.password));
        if let Some(read_only) = self.read_only {
            out.bool(read_only);
        }
    }
}

fn version(reader: &mut Reader<'_>) -> Result<(), Malformed> {
    match reader.int()? {
        0 => Ok(()),
        number => Err(Malformed::Unknown {
            what: "protocol version",
            number,
        }),
    }
}

fn read_only(reader: &mut Reader<'_>) -> Result<Option<bool>, Malformed> {
    if reader.rest().is_empty() {
        return Ok(None);
    }
    reader.bool().map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_generations_of_clients_are_read() {
        for read_only in [None, Some(false), Some(true)] {
            let request = ConnectRequest {
                last_zxid_seen: 7,
                timeout_ms: 30_000,
                session: -3,
                password: &[1; 16],
                read_only,
            };
            let mut out = Vec::new();
            request.write(&mut out);
            assert_eq!(ConnectRequest::read(&out), Ok(request));
            let response = ConnectResponse {
                timeout_ms: 4_000,
                session: 5,
                password: [2; 16],
                read_only,
            };
            let mut out = Vec::new();
            response.write(&mut out);
            assert_eq!(ConnectResponse::read(&out), Ok(response));
        }
    }
}
