//! The client.

use std::collections::VecDeque;

use incumbent_zk_proto::jute::{Reader, frame};
use incumbent_zk_proto::{
    ConnectRequest, ConnectResponse, Op, PASSWORD_BYTES, ReplyHeader, Request, RequestHeader,
    Response, WatchEvent, xid,
};
use tokio::net::ToSocketAddrs;

use crate::wire::Wire;
use crate::{Error, Event, Frame, Reply};

/// A client with one connection. Dropping it drops the socket; the session lives until it times
/// out.
#[derive(Debug)]
pub struct Probe {
    wire: Wire,
    granted: ConnectResponse,
    /// Requests without an answer, oldest first. Servers answer in order, so a search nearly always
    /// ends at the front.
    open: VecDeque<(i32, Option<Op>)>,
    events: Vec<Event>,
    next_xid: i32,
}

impl Probe {
    /// Connects and shakes hands.
    ///
    /// # Errors
    ///
    /// [`Error::SessionOver`] if that is the answer; [`Error::Closed`] if the server does not
    /// answer at all.
    pub async fn connect(
        address: impl ToSocketAddrs,
        request: &ConnectRequest<'_>,
    ) -> Result<Self, Error> {
        let mut probe = Self::connect_raw(address).await?;
        let granted = probe.shake_hands(request).await?;
        match granted.timeout_ms {
            0 => Err(Error::SessionOver),
            _ => Ok(probe),
        }
    }

    /// Connects and sends nothing.
    ///
    /// # Errors
    ///
    /// [`Error::Io`].
    pub async fn connect_raw(address: impl ToSocketAddrs) -> Result<Self, Error> {
        Ok(Self {
            wire: Wire::connect(address).await?,
            granted: ConnectResponse {
                timeout_ms: 0,
                session: 0,
                password: [0; PASSWORD_BYTES],
                read_only: None,
            },
            open: VecDeque::new(),
            events: Vec::new(),
            next_xid: 1,
        })
    }

    /// Sends the first message and returns the first answer.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`] if the server does not answer.
    pub async fn shake_hands(
        &mut self,
        request: &ConnectRequest<'_>,
    ) -> Result<&ConnectResponse, Error> {
        frame(&mut self.wire.output, |out| request.write(out));
        self.flush().await?;
        self.granted = ConnectResponse::read(self.wire.frame().await?)?;
        Ok(&self.granted)
    }

    /// The session, as the server granted it.
    pub fn granted(&self) -> &ConnectResponse {
        &self.granted
    }

    /// The number of requests without an answer.
    pub fn in_flight(&self) -> usize {
        self.open.len()
    }

    /// Sends a request in one write. Returns its number: the next one, or the fixed one of its
    /// kind.
    ///
    /// # Errors
    ///
    /// [`Error::Io`], [`Error::Closed`].
    pub async fn send(&mut self, request: &Request<'_>) -> Result<i32, Error> {
        let xid = self.push(request);
        self.flush().await?;
        Ok(xid)
    }

    /// Sends a request under this number, which may be any.
    ///
    /// # Errors
    ///
    /// [`Error::Io`], [`Error::Closed`].
    pub async fn send_as(&mut self, xid: i32, request: &Request<'_>) -> Result<(), Error> {
        self.push_as(xid, request);
        self.flush().await
    }

    /// Sends a request of any kind, known or not, with these bytes after its header.
    ///
    /// # Errors
    ///
    /// [`Error::Io`], [`Error::Closed`].
    pub async fn send_op(&mut self, xid: i32, op: i32, body: &[u8]) -> Result<(), Error> {
        frame(&mut self.wire.output, |out| {
            RequestHeader { xid, op }.write(out);
            out.extend_from_slice(body);
        });
        self.open.push_back((xid, Op::from_number(op)));
        self.flush().await
    }

    /// Sends bytes as they are, without a length. No answer is expected.
    ///
    /// # Errors
    ///
    /// [`Error::Io`], [`Error::Closed`].
    pub async fn send_bytes(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.wire.output.extend_from_slice(bytes);
        self.flush().await
    }

    /// As [`send`](Self::send), but only at the next [`flush`](Self::flush): several requests in
    /// one write.
    pub fn push(&mut self, request: &Request<'_>) -> i32 {
        let xid = match request {
            Request::Ping => xid::PING,
            Request::Auth { .. } => xid::AUTH,
            Request::SetWatches(_) => xid::SET_WATCHES,
            _ => {
                let next = self.next_xid;
                // Stays positive: negative numbers have a meaning.
                self.next_xid = next.checked_add(1).unwrap_or(1);
                next
            }
        };
        self.push_as(xid, request);
        xid
    }

    /// As [`send_as`](Self::send_as), but only at the next [`flush`](Self::flush).
    pub fn push_as(&mut self, xid: i32, request: &Request<'_>) {
        let op = request.op();
        frame(&mut self.wire.output, |out| {
            let header = RequestHeader {
                xid,
                op: op.number(),
            };
            header.write(out);
            request.write(out);
        });
        self.open.push_back((xid, Some(op)));
    }

    /// Sends the pushed requests, in one write if the socket takes it.
    ///
    /// # Errors
    ///
    /// [`Error::Io`], [`Error::Closed`].
    pub async fn flush(&mut self) -> Result<(), Error> {
        self.wire.flush().await
    }

    /// The next frame. Waits without limit.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost if the future is dropped.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`] at the end; [`Error::NotAsked`] and [`Error::Malformed`] if the server is
    /// wrong.
    pub async fn receive(&mut self) -> Result<Frame, Error> {
        let mut reader = Reader::new(self.wire.frame().await?);
        let header = ReplyHeader::read(&mut reader)?;
        if header.xid == xid::EVENT {
            let event = WatchEvent::read(&mut reader)?;
            reader.end()?;
            return Ok(Frame::Event(Event {
                zxid: header.zxid,
                event,
            }));
        }
        let op = answered(&mut self.open, header.xid)?;
        let result = match (header.err, op) {
            (0, Some(op)) => Ok(Response::read(op, &mut reader)?),
            (0, None) => Ok(Response::Done),
            (number, _) => {
                // Nothing follows an error.
                reader.end()?;
                Err(number)
            }
        };
        Ok(Frame::Reply(Reply {
            xid: header.xid,
            zxid: header.zxid,
            result,
        }))
    }

    /// The header of the next frame; the rest is not decoded. For benchmarks.
    ///
    /// # Errors
    ///
    /// As [`receive`](Self::receive).
    pub async fn receive_header(&mut self) -> Result<ReplyHeader, Error> {
        let header = ReplyHeader::read(&mut Reader::new(self.wire.frame().await?))?;
        if header.xid != xid::EVENT {
            answered(&mut self.open, header.xid)?;
        }
        Ok(header)
    }

    /// The bytes of the next frame, without its length. No request counts as answered by it.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`], [`Error::Io`].
    pub async fn receive_bytes(&mut self) -> Result<&[u8], Error> {
        self.wire.frame().await
    }

    /// Whether the buffer has a whole frame, so that [`receive`](Self::receive) will not wait.
    pub fn has_frame(&self) -> bool {
        self.wire.has_frame()
    }

    /// Sends a request and waits for its answer. Nothing else may be in flight.
    ///
    /// Events that come before the answer are kept for [`take_events`](Self::take_events).
    ///
    /// # Errors
    ///
    /// As [`receive`](Self::receive). A refusal is an answer, not an error.
    pub async fn call(&mut self, request: &Request<'_>) -> Result<Reply, Error> {
        self.send(request).await?;
        loop {
            match self.receive().await? {
                Frame::Reply(reply) => return Ok(reply),
                Frame::Event(event) => self.events.push(event),
            }
        }
    }

    /// Events that came during calls, oldest first.
    pub fn take_events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }

    /// Pings, and waits for the answer.
    ///
    /// # Errors
    ///
    /// As [`call`](Self::call).
    pub async fn ping(&mut self) -> Result<Reply, Error> {
        self.call(&Request::Ping).await
    }

    /// Closes the session, and waits until the server has closed the connection.
    ///
    /// # Errors
    ///
    /// As [`call`](Self::call).
    pub async fn close(mut self) -> Result<Reply, Error> {
        let reply = self.call(&Request::CloseSession).await?;
        match self.wire.frame().await {
            Err(Error::Closed) => Ok(reply),
            Err(error) => Err(error),
            Ok(_) => Err(Error::NotAsked { xid: reply.xid }),
        }
    }

    /// Closes the sending side. Frames can still be received.
    ///
    /// # Errors
    ///
    /// [`Error::Io`].
    pub async fn finish(&mut self) -> Result<(), Error> {
        self.wire.finish().await
    }
}

fn answered(open: &mut VecDeque<(i32, Option<Op>)>, xid: i32) -> Result<Option<Op>, Error> {
    let at = open.iter().position(|&(sent, _)| sent == xid);
    // ZooKeeper answers every ping under the number of pings.
    let at = at.or_else(|| match xid {
        xid::PING => open.iter().position(|&(_, op)| op == Some(Op::Ping)),
        _ => None,
    });
    let (_, op) = at
        .and_then(|at| open.remove(at))
        .ok_or(Error::NotAsked { xid })?;
    Ok(op)
}
