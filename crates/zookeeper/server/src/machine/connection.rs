//! Connections: how they get a session, and how their requests are answered.

use std::sync::Arc;
use std::time::Duration;

use incumbent_zk_proto::{
    Code, ConnectRequest, ConnectResponse, Id, Malformed, Op, PASSWORD_BYTES, ReadResult,
    ReplyHeader, Request, RequestHeader, Response, xid,
};

use super::entry::EntryBody;
use super::{
    Closed, Connection, ConnectionId, Machine, Now, Refused, SessionId, Sink, acl, zxid_at,
};

/// A forgetful machine accepts a zxid up to the one it would begin with so long from now. Clocks
/// may be wrong by that much. A client that claims more would lead all others to zxids that no
/// other server reaches.
const FOLLOWED_MS: i64 = 365 * 24 * 3600 * 1000;

/// The longest name of a user with its digest. Identities are kept as long as the connection, and
/// no limit of memory counts them.
const LONGEST_IDENTITY: usize = 1 << 10;

/// The kind of request by which ZooKeeper's server opens a session for itself.
const CREATE_SESSION: i32 = -10;

fn furthest(now: Now) -> i64 {
    zxid_at(now.wall_ms.saturating_add(FOLLOWED_MS).saturating_mul(1000))
}

impl Machine {
    /// Gives a connection a session: a new one, or the one it asks for, if the password is right.
    ///
    /// `ids` are the identities that need no proof: the address, and the certificate. `password` is
    /// for a new session and must not be guessable. If the answer says that the session is over,
    /// the connection has none and should be closed.
    ///
    /// # Errors
    ///
    /// [`Refused`]: there is no answer. The connection should be closed.
    pub fn connect(
        &mut self,
        connection: ConnectionId,
        ids: Vec<Id>,
        request: &ConnectRequest<'_>,
        password: [u8; PASSWORD_BYTES],
        now: Now,
        sink: &mut impl Sink,
    ) -> Result<ConnectResponse, Refused> {
        let seen = request.last_zxid_seen;
        if seen > self.zxid {
            if !self.options.forgetful || seen > furthest(now) {
                let newest = self.zxid;
                return Err(Refused::Behind { seen, newest });
            }
            self.zxid = seen;
        }
        let timeout_ms = self.negotiate(request.timeout_ms);
        let timeout = Duration::from_millis(u64::from(timeout_ms.unsigned_abs()));
        let (session, password) = if request.session == 0 {
            let limit = self.options.max_sessions;
            if self.sessions.len() >= limit {
                return Err(Refused::TooManySessions { limit });
            }
            let opened = EntryBody::Open {
                timeout_ms,
                password,
            };
            let session = SessionId(self.log(opened, now, sink).zxid);
            self.sessions.open(session, timeout, password, now.elapsed);
            (session, password)
        } else {
            let session = SessionId(request.session);
            match self.sessions.get(session) {
                Some(known) if known.password == request.password => (session, known.password),
                _ => return Ok(ConnectResponse::expired(request.read_only.map(|_| false))),
            }
        };
        let before = self
            .sessions
            .attach(session, connection, timeout, now.elapsed);
        if let Some(before) = before {
            self.forget(before);
            sink.close(before, Closed::Moved);
        }
        let ids = ids.into();
        self.connections
            .insert(connection, Connection { session, ids });
        Ok(ConnectResponse {
            timeout_ms,
            session: session.0,
            password,
            read_only: request.read_only.map(|_| false),
        })
    }

    fn negotiate(&self, wanted_ms: i32) -> i32 {
        let ms = |duration: Duration| i32::try_from(duration.as_millis()).unwrap_or(i32::MAX);
        let longest = ms(self.options.max_session_timeout).max(1);
        wanted_ms.clamp(
            ms(self.options.min_session_timeout).clamp(1, longest),
            longest,
        )
    }

    /// Removes a connection. `closed` says whether the client, or its system, closed it. Silence,
    /// and a connection that this server closed, prove nothing.
    pub fn disconnect(&mut self, connection: ConnectionId, closed: bool, now: Now) {
        if let Some(known) = self.forget(connection) {
            let grace = self.options.disconnect_grace.filter(|_| closed);
            self.sessions
                .detach(known.session, connection, grace, now.elapsed);
        }
    }

    fn forget(&mut self, connection: ConnectionId) -> Option<Connection> {
        self.watches.forget(connection);
        self.connections.remove(&connection)
    }

    /// Notes that a client lives, although none of its requests was handled.
    pub fn heard(&mut self, connection: ConnectionId, now: Now) {
        if let Some(session) = self.session_of(connection) {
            self.sessions.touch(session, now.elapsed);
        }
    }

    /// Handles a request of a connection with a session.
    ///
    /// A request of a connection without a session is ignored: the session has just ended.
    pub fn handle(
        &mut self,
        connection: ConnectionId,
        frame: &[u8],
        now: Now,
        sink: &mut impl Sink,
    ) {
        let Some(known) = self.connections.get(&connection) else {
            return;
        };
        let (session, ids) = (known.session, Arc::clone(&known.ids));
        self.sessions.touch(session, now.elapsed);
        let (header, request) = match Request::read_frame(frame) {
            Ok(read) => read,
            Err(malformed) => {
                self.disconnect(connection, false, now);
                return sink.close(connection, Closed::Malformed(malformed));
            }
        };
        let who = Requester {
            connection,
            session,
            ids: &ids,
        };
        let answer = match request {
            // As in ZooKeeper, where only the server itself may open a session: the request is
            // refused and the connection goes on.
            None if header.op == CREATE_SESSION => Err(Code::MarshallingError),
            // As in ZooKeeper: after a request of an unknown kind, what follows may mean anything.
            None => {
                self.reply(connection, header, &Err(Code::Unimplemented), sink);
                self.disconnect(connection, false, now);
                let (what, number) = ("a request of kind", header.op);
                return sink.close(
                    connection,
                    Closed::Malformed(Malformed::Unknown { what, number }),
                );
            }
            Some(Request::CloseSession) => {
                self.close_session(session, now, sink);
                self.reply(connection, header, &Ok(Response::Done), sink);
                return sink.close(connection, Closed::ByClient);
            }
            Some(Request::Auth { scheme, auth }) => {
                let answer = self.authenticate(connection, scheme, auth);
                self.reply(connection, header, &answer, sink);
                if answer.is_err() {
                    self.disconnect(connection, false, now);
                    sink.close(connection, Closed::AuthFailed);
                }
                return;
            }
            Some(Request::SetWatches(watches)) => self.set_watches(&who, &watches, sink),
            Some(request) => match self.read(&who, &request) {
                Some(answer) => answer,
                None => self.write(&who, &request, now, sink),
            },
        };
        self.reply(connection, header, &answer, sink);
    }

    fn reply(
        &self,
        to: ConnectionId,
        header: RequestHeader,
        answer: &super::Answer,
        sink: &mut impl Sink,
    ) {
        let too_long = Err(Code::QuotaExceeded);
        let answer = match answer {
            Ok(response) if !fits(response, self.options.max_reply) => &too_long,
            answer => answer,
        };
        let header = ReplyHeader {
            // As ZooKeeper does, whatever xid the client used.
            xid: match Op::from_number(header.op) {
                Some(Op::Ping) => xid::PING,
                _ => header.xid,
            },
            zxid: match Op::from_number(header.op) {
                Some(Op::Auth) => 0,
                Some(_) => self.zxid,
                None if header.op == CREATE_SESSION => self.zxid,
                None => -1,
            },
            err: answer.as_ref().err().map_or(0, |code| code.number()),
        };
        sink.reply(to, header, answer.as_ref().ok());
    }

    /// Ends a session. Returns the connection it had.
    pub(super) fn close_session(
        &mut self,
        session: SessionId,
        now: Now,
        sink: &mut impl Sink,
    ) -> Option<ConnectionId> {
        let closed = self.sessions.close(session)?;
        // Before its connection is forgotten: that one gets the events of its own ephemeral nodes.
        self.delete_ephemerals(session, now, sink);
        if let Some(connection) = closed.connection {
            self.forget(connection);
        }
        closed.connection
    }

    fn authenticate(
        &mut self,
        connection: ConnectionId,
        scheme: &str,
        auth: &[u8],
    ) -> super::Answer {
        let known = self
            .connections
            .get_mut(&connection)
            .expect("it was looked up before its request was read");
        let mut ids = known.ids.to_vec();
        match scheme {
            "digest" => {
                let id = acl::digest(auth)
                    .filter(|id| id.id.len() <= LONGEST_IDENTITY)
                    .ok_or(Code::AuthFailed)?;
                let everything = Id {
                    scheme: acl::SUPER.into(),
                    id: String::new(),
                };
                if self.options.super_digest.as_ref() == Some(&id.id) && !ids.contains(&everything)
                {
                    ids.push(everything);
                }
                if !ids.contains(&id) {
                    ids.push(id);
                }
                if ids.len() > self.options.max_identities {
                    return Err(Code::AuthFailed);
                }
            }
            // Both are known from the connection and need no proof.
            "ip" => {}
            "x509" if ids.iter().any(|id| id.scheme == "x509") => {}
            _ => return Err(Code::AuthFailed),
        }
        known.ids = ids.into();
        Ok(Response::Done)
    }
}

/// Whether a reply is no longer than the limit.
fn fits(response: &Response, limit: usize) -> bool {
    let length = match response {
        Response::Children(children, _) => names(children),
        Response::Ephemerals(paths) => names(paths),
        // Measured when it was made.
        Response::MultiRead(_) => 0,
        // At most a few times as long as a request.
        _ => 0,
    };
    length <= limit
}

fn names(names: &[Arc<str>]) -> usize {
    names.iter().map(|name| name.len() + 4).sum()
}

/// A lower bound of the length of one of several results.
pub(super) fn part_length(result: &ReadResult) -> usize {
    const BESIDE: usize = 100;
    BESIDE
        + match result {
            ReadResult::Data(data, _) => data.as_ref().map_or(0, |data| data.len()),
            ReadResult::Children(children) => names(children),
            ReadResult::Refused(_) => 0,
        }
}

/// The client that asks.
pub(super) struct Requester<'a> {
    pub(super) connection: ConnectionId,
    pub(super) session: SessionId,
    pub(super) ids: &'a [Id],
}
