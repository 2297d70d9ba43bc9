//! Sends requests to a machine as clients do, and records what it does.

mod burdens;
mod claims;
mod limits;
mod random;
mod zookeeper_39;

use std::time::Duration;

use incumbent_zk_proto::{
    Acl, Code, ConnectRequest, ConnectResponse, Create, CreateKind, Id, ReplyHeader, Request,
    Response, WatchEvent,
};

use super::{Closed, ConnectionId, Entry, Machine, Now, Options, Sink};

/// Everything that a machine logged and sent.
#[derive(Default)]
struct Recorded {
    log: Vec<Vec<u8>>,
    replies: Vec<(ConnectionId, ReplyHeader, Option<Response>)>,
    events: Vec<(ConnectionId, WatchEvent, i64)>,
    closed: Vec<(ConnectionId, Closed)>,
}

impl Sink for Recorded {
    fn log(&mut self, entry: &Entry) {
        let mut bytes = Vec::new();
        entry.write(&mut bytes);
        assert_eq!(Entry::read(&bytes).as_ref(), Ok(entry));
        self.log.push(bytes);
    }

    fn reply(&mut self, to: ConnectionId, header: ReplyHeader, body: Option<&Response>) {
        assert_eq!(header.err == 0, body.is_some());
        self.replies.push((to, header, body.cloned()));
    }

    fn event(&mut self, to: ConnectionId, event: &WatchEvent, zxid: i64) {
        self.events.push((to, event.clone(), zxid));
    }

    fn close(&mut self, connection: ConnectionId, why: Closed) {
        self.closed.push((connection, why));
    }
}

/// A machine with a clock that tests set.
struct World {
    machine: Machine,
    recorded: Recorded,
    now: Now,
    connections: u64,
}

/// A client that is connected.
#[derive(Clone, Copy, Debug)]
struct Client {
    connection: ConnectionId,
    session: i64,
    password: [u8; 16],
}

impl World {
    fn new() -> Self {
        Self::with(Options::default())
    }

    fn with(options: Options) -> Self {
        Self {
            machine: Machine::new(options, 0),
            recorded: Recorded::default(),
            now: Now {
                elapsed: Duration::ZERO,
                wall_ms: 1_790_000_000_000,
            },
            connections: 0,
        }
    }

    fn wait(&mut self, time: Duration) {
        self.now.elapsed += time;
        self.now.wall_ms += i64::try_from(time.as_millis()).unwrap();
        self.machine.tick(self.now, &mut self.recorded);
    }

    fn greet(&mut self, request: &ConnectRequest<'_>) -> (ConnectionId, ConnectResponse) {
        self.connections += 1;
        let connection = ConnectionId(self.connections);
        let password = [u8::try_from(self.connections % 251).unwrap(); 16];
        let ids = vec![Id {
            scheme: "ip".into(),
            id: "127.0.0.1".into(),
        }];
        let answer = self
            .machine
            .connect(
                connection,
                ids,
                request,
                password,
                self.now,
                &mut self.recorded,
            )
            .unwrap();
        (connection, answer)
    }

    fn client(&mut self) -> Client {
        self.attach(0, &[0; 16]).unwrap()
    }

    fn come_back(&mut self, client: Client) -> Option<Client> {
        self.attach(client.session, &client.password)
    }

    fn attach(&mut self, session: i64, password: &[u8]) -> Option<Client> {
        let request = ConnectRequest {
            last_zxid_seen: 0,
            timeout_ms: 10_000,
            session,
            password,
            read_only: None,
        };
        let (connection, answer) = self.greet(&request);
        (answer.session != 0).then_some(Client {
            connection,
            session: answer.session,
            password: answer.password,
        })
    }

    fn ask(&mut self, client: Client, request: &Request<'_>) -> Result<Response, Code> {
        let mut frame = Vec::new();
        request.write_frame(7, &mut frame);
        let before = self.recorded.replies.len();
        self.machine
            .handle(client.connection, &frame, self.now, &mut self.recorded);
        let recorded = &self.recorded.replies[before..];
        let [(to, header, body)] = recorded else {
            panic!("{request:?} was answered {} times", recorded.len());
        };
        let xid = match request {
            Request::Ping => -2,
            _ => 7,
        };
        assert_eq!((*to, header.xid), (client.connection, xid));
        match body {
            Some(body) => {
                // A client can read it.
                let mut out = Vec::new();
                body.write(&mut out);
                let mut reader = incumbent_zk_proto::jute::Reader::new(&out);
                assert_eq!(
                    Response::read(request.op(), &mut reader).as_ref(),
                    Ok(body),
                    "{request:?}"
                );
                Ok(body.clone())
            }
            None => Err(Code::from_number(header.err).unwrap()),
        }
    }

    fn create(&mut self, client: Client, path: &str, flags: i32) -> Result<String, Code> {
        match self.ask(client, &create(path, flags))? {
            Response::Path(path) => Ok(path),
            other => panic!("{other:?}"),
        }
    }

    fn children(&mut self, client: Client, path: &str) -> Vec<String> {
        let request = Request::GetChildren {
            path,
            watch: false,
            stat: false,
        };
        match self.ask(client, &request).unwrap() {
            Response::Children(names, None) => names.iter().map(ToString::to_string).collect(),
            other => panic!("{other:?}"),
        }
    }

    fn events(&mut self) -> Vec<(ConnectionId, i32, String)> {
        let events = std::mem::take(&mut self.recorded.events).into_iter();
        events
            .map(|(to, event, _)| (to, event.kind.number(), event.path.to_string()))
            .collect()
    }

    /// A machine that has replayed the log of this one.
    fn replayed(&self, options: Options) -> Machine {
        let mut machine = Machine::new(options, 0);
        for entry in &self.recorded.log {
            machine.apply(Entry::read(entry).unwrap()).unwrap();
        }
        machine
    }
}

/// The state that outlives the process, in a fixed order.
fn everything(machine: &Machine) -> Vec<String> {
    let nodes = machine.tree.nodes().share();
    let mut all: Vec<_> = nodes
        .iter()
        .map(|(path, node)| format!("{path} {node:?} {:?}", machine.tree.children(path)))
        .collect();
    all.sort();
    all.push(format!("zxid {}", machine.zxid()));
    all.push(format!("bytes {}", machine.tree.bytes()));
    for (session, known) in machine.sessions.iter() {
        all.push(format!("{session} {:?}", known.password));
        let paths: Vec<_> = machine.tree.ephemerals(session).collect();
        all.push(format!("{session} {paths:?}"));
    }
    all
}

fn create(path: &str, flags: i32) -> Request<'_> {
    Request::Create(Create {
        path,
        data: Some(b"data"),
        acl: vec![Acl::open()],
        flags,
        kind: CreateKind::Plain,
    })
}

fn set(path: &str, version: i32) -> Request<'_> {
    Request::SetData {
        path,
        data: Some(b"other"),
        version,
    }
}

fn delete(path: &str, version: i32) -> Request<'_> {
    Request::Delete { path, version }
}
