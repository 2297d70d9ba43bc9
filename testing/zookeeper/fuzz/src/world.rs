//! A machine, its clients, and everything it sends.

use std::time::Duration;

use incumbent_leader_server::machine::{
    Closed, ConnectionId, Entry, Machine, Now, Options, SessionId, Sink,
};
use incumbent_zk_proto::jute::Reader;
use incumbent_zk_proto::{
    Code, ConnectRequest, Id, MultiResult, Op, ReplyHeader, Request, Response, WatchEvent, xid,
};

use crate::state::{assert_same, everything, restored};

/// A machine with clients that act as the bytes of a fuzzer say.
pub(crate) struct World {
    machine: Machine,
    recorded: Recorded,
    now: Now,
    connections: u64,
    clients: Vec<Client>,
}

/// A client that has a session, or had one.
struct Client {
    connection: ConnectionId,
    session: i64,
    password: [u8; 16],
}

/// What a machine has logged and sent.
#[derive(Default)]
struct Recorded {
    log: Vec<Entry>,
    /// Since it was last looked at.
    replies: Vec<(ConnectionId, ReplyHeader, Option<Response>)>,
    closed: Vec<ConnectionId>,
}

impl Sink for Recorded {
    fn log(&mut self, entry: &Entry) {
        let before = self.log.last().map_or(0, Entry::zxid);
        assert!(entry.zxid() > before, "zxids rise");
        self.log.push(entry.clone());
    }

    fn reply(&mut self, to: ConnectionId, header: ReplyHeader, body: Option<&Response>) {
        assert_eq!(header.err == 0, body.is_some());
        assert!(!self.closed.contains(&to), "nothing is sent after the end");
        self.replies.push((to, header, body.cloned()));
    }

    fn event(&mut self, to: ConnectionId, _: &WatchEvent, _: i64) {
        assert!(!self.closed.contains(&to), "nothing is sent after the end");
    }

    fn close(&mut self, connection: ConnectionId, _: Closed) {
        assert!(!self.closed.contains(&connection), "it is closed once");
        self.closed.push(connection);
    }
}

/// Small limits, so that all of them are reached.
fn options() -> Options {
    Options {
        disconnect_grace: Some(Duration::from_millis(300)),
        fade_interval: Duration::from_secs(5),
        max_nodes: 24,
        max_bytes: 20_000,
        max_watch_bytes: 2_000,
        max_sessions: 4,
        max_watches: 6,
        max_reply: 2_000,
        max_change: 3_000,
        max_identities: 3,
        ..Options::default()
    }
}

impl World {
    pub(crate) fn new() -> Self {
        Self {
            machine: Machine::new(options(), 0),
            recorded: Recorded::default(),
            now: Now {
                elapsed: Duration::ZERO,
                wall_ms: 1_000_000,
            },
            connections: 0,
            clients: Vec::new(),
        }
    }

    pub(crate) fn wait(&mut self, ms: u32) {
        self.now.elapsed += Duration::from_millis(u64::from(ms));
        self.now.wall_ms += i64::from(ms);
        self.machine.tick(self.now, &mut self.recorded);
        assert!(self.machine.next_tick() > self.now.elapsed);
    }

    pub(crate) fn held_up(&mut self, ms: u32) {
        let by = Duration::from_millis(u64::from(ms));
        self.now.elapsed += by;
        self.machine.held_up(by, self.now);
    }

    /// A new session.
    pub(crate) fn connect(&mut self, timeout_ms: i32) {
        self.attach(0, [0; 16], timeout_ms);
    }

    /// A client comes back to its session, perhaps with a wrong password.
    pub(crate) fn come_back(&mut self, which: u8, is_right: bool) {
        if let Some(client) = self.pick(which) {
            let (session, mut password) = (client.session, client.password);
            password[0] ^= u8::from(!is_right);
            self.attach(session, password, 5_000);
        }
    }

    fn attach(&mut self, session: i64, password: [u8; 16], timeout_ms: i32) {
        self.connections += 1;
        let connection = ConnectionId(self.connections);
        let request = ConnectRequest {
            last_zxid_seen: 0,
            timeout_ms,
            session,
            password: &password,
            read_only: None,
        };
        let ids = vec![Id {
            scheme: "ip".into(),
            id: "127.0.0.1".into(),
        }];
        let new = [u8::try_from(self.connections % 251).expect("below 256"); 16];
        let machine = &mut self.machine;
        let answer = machine.connect(connection, ids, &request, new, self.now, &mut self.recorded);
        let Ok(answer) = answer else { return };
        if answer.session != 0 {
            let (session, password) = (answer.session, answer.password);
            self.clients.retain(|client| client.session != session);
            self.clients.push(Client {
                connection,
                session,
                password,
            });
        }
    }

    pub(crate) fn disconnect(&mut self, which: u8, closed: bool) {
        if let Some(connection) = self.pick(which).map(|client| client.connection) {
            self.machine.disconnect(connection, closed, self.now);
        }
    }

    /// A frame of any bytes.
    pub(crate) fn send(&mut self, which: u8, frame: &[u8]) {
        let Some(client) = self.pick(which) else {
            return;
        };
        let (connection, session) = (client.connection, SessionId(client.session));
        let is_there = self.machine.session_of(connection) == Some(session);
        let before = everything(&self.machine);
        self.recorded.replies.clear();
        self.machine
            .handle(connection, frame, self.now, &mut self.recorded);
        if !is_there {
            assert!(self.recorded.replies.is_empty());
        }
        let is_closed = self.recorded.closed.contains(&connection);
        let [(to, header, body)] = &self.recorded.replies[..] else {
            assert!(self.recorded.replies.is_empty());
            // A malformed request ends the connection and changes nothing.
            assert!(is_closed || !is_there);
            assert_eq!(before, everything(&self.machine));
            return;
        };
        assert_eq!(*to, connection);
        let (asked, _) = Request::read_frame(frame).expect("it was answered");
        // As ZooKeeper does.
        let (xid, zxid) = match Op::from_number(asked.op) {
            None => (asked.xid, -1),
            Some(Op::Ping) => (xid::PING, self.machine.zxid()),
            Some(Op::Auth) => (asked.xid, 0),
            Some(_) => (asked.xid, self.machine.zxid()),
        };
        assert_eq!((header.xid, header.zxid), (xid, zxid));
        if header.err != 0 {
            assert!(Code::from_number(header.err).is_some());
        }
        if let (Some(body), Some(op)) = (body, Op::from_number(asked.op)) {
            let mut out = Vec::new();
            body.write(&mut out);
            let read = Response::read(op, &mut Reader::new(&out));
            assert_eq!(read.as_ref(), Ok(body));
        }
        if is_refused(body.as_ref()) {
            assert_eq!(
                before,
                everything(&self.machine),
                "refused, and yet changed"
            );
        }
    }

    fn pick(&self, which: u8) -> Option<&Client> {
        let count = self.clients.len().max(1);
        self.clients.get(usize::from(which) % count)
    }

    /// Checks that the log holds the whole state, and a snapshot does too.
    pub(crate) fn check(&self) {
        let mut replayed = Machine::new(options(), 0);
        for entry in &self.recorded.log {
            let applied = replayed.apply(entry.clone());
            applied.expect("it was made before");
        }
        assert_same(&self.machine, &replayed);
        assert_same(&self.machine, &restored(&self.machine));
        let summary = self.machine.summary();
        let options = options();
        assert!(summary.sessions <= options.max_sessions);
        assert!(summary.nodes <= options.max_nodes);
        assert!(summary.bytes <= options.max_bytes);
        assert!(summary.watch_bytes <= options.max_watch_bytes);
    }
}

fn is_refused(body: Option<&Response>) -> bool {
    match body {
        None => true,
        Some(Response::Multi(results)) => results
            .iter()
            .any(|result| matches!(result, MultiResult::Refused(_))),
        Some(_) => false,
    }
}
