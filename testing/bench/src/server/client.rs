//! Synchronous clients: each sends a request, waits for the answer, and sends the next.

use std::time::{Duration, Instant};

use incumbent_zk_probe::{Error, Probe, new_session};
use incumbent_zk_proto::{Acl, Create, CreateKind, Request};
use tokio::task::JoinSet;

use super::side::Side;
use crate::args::Load;
use crate::{Failure, stopwatch};

/// The data of all nodes.
const DATA: &[u8] = &[b'x'; 100];

/// The parent of all nodes that are created during a measurement.
const NEW: &str = "/new";

/// Concurrent requests outside measurements.
pub(super) const WINDOW: usize = 500;

/// The longest session time-out that both servers allow.
const SESSION_MS: i32 = 40_000;

/// Clients of one server.
pub(super) struct Clients(Vec<Client>);

/// The outcome of a turn.
pub(super) struct Turn {
    pub(super) took: Duration,
    /// How long each request took, shortest first.
    pub(super) latencies: Vec<Duration>,
}

/// One client, with nodes of its own.
struct Client {
    probe: Probe,
    number: usize,
    nodes: [String; 3],
    asked: usize,
    created: Vec<String>,
}

impl Clients {
    /// Opens sessions, and creates their nodes.
    pub(super) async fn open(side: &Side, count: usize) -> Result<Self, Failure> {
        let mut clients = Vec::with_capacity(count);
        for number in 0..count {
            let mut probe = Probe::connect(side.address(), &new_session(SESSION_MS)).await?;
            if number == 0 {
                probe.call(&create(NEW)).await?.response()?;
            }
            let nodes = ["a", "b", "c"].map(|name| format!("/{name}-{number}"));
            for node in &nodes {
                probe.call(&create(node)).await?.response()?;
            }
            clients.push(Client {
                probe,
                number,
                nodes,
                asked: number,
                created: Vec::new(),
            });
        }
        Ok(Self(clients))
    }

    /// Lets this number of clients send requests for a while.
    pub(super) async fn turn(
        &mut self,
        load: Load,
        count: usize,
        length: Duration,
    ) -> Result<Turn, Failure> {
        let begin = stopwatch::now();
        let mut asking = JoinSet::new();
        for client in self.0.drain(..count) {
            asking.spawn(client.ask(load, begin + length));
        }
        let mut turn = Turn {
            took: Duration::ZERO,
            latencies: Vec::new(),
        };
        while let Some(asked) = asking.join_next().await {
            let (client, end, latencies) = asked??;
            turn.took = turn.took.max(end - begin);
            turn.latencies.extend(latencies);
            self.0.push(client);
        }
        self.0.sort_by_key(|client| client.number);
        turn.latencies.sort_unstable();
        Ok(turn)
    }

    /// Sends a ping for each client that was idle.
    pub(super) async fn ping(&mut self) -> Result<(), Error> {
        for client in &mut self.0 {
            client.probe.send(&Request::Ping).await?;
        }
        for client in &mut self.0 {
            client.probe.receive_header().await?;
        }
        Ok(())
    }

    /// Deletes created nodes, so that both servers hold as many in each turn.
    pub(super) async fn forget(&mut self) -> Result<(), Error> {
        for client in &mut self.0 {
            client.forget().await?;
        }
        Ok(())
    }
}

impl Client {
    async fn ask(
        mut self,
        load: Load,
        until: Instant,
    ) -> Result<(Self, Instant, Vec<Duration>), Error> {
        let mut latencies = Vec::new();
        let mut at = stopwatch::now();
        while at < until {
            self.push(load);
            self.probe.flush().await?;
            let header = self.probe.receive_header().await?;
            if header.err != 0 {
                return Err(Error::Refused { number: header.err });
            }
            let answered = stopwatch::now();
            latencies.push(answered - at);
            at = answered;
        }
        Ok((self, at, latencies))
    }

    fn push(&mut self, load: Load) {
        self.asked += 1;
        let [a, b, c] = &self.nodes;
        let set = |path| Request::SetData {
            path,
            data: Some(DATA),
            version: -1,
        };
        let get = |path| Request::GetData { path, watch: false };
        match load {
            Load::Create => {
                let path = format!("{NEW}/{}-{}", self.number, self.asked);
                self.probe.push(&create(&path));
                self.created.push(path);
            }
            Load::Set => {
                self.probe.push(&set(a));
            }
            Load::Get => {
                self.probe.push(&get(a));
            }
            Load::Multi => {
                let path = c.as_str();
                let check = Request::Check { path, version: -1 };
                self.probe
                    .push(&Request::Multi(vec![set(a), set(b), check]));
            }
            Load::Mix => {
                let writes = self.asked.is_multiple_of(5);
                self.probe.push(&if writes { set(a) } else { get(a) });
            }
        }
    }

    /// Deletes the nodes that it has created.
    async fn forget(&mut self) -> Result<(), Error> {
        let created = std::mem::take(&mut self.created);
        let deletions = created
            .iter()
            .map(|path| Request::Delete { path, version: -1 });
        pipeline(&mut self.probe, deletions).await
    }
}

/// Sends all requests, many at a time.
pub(super) async fn pipeline<'a>(
    probe: &mut Probe,
    requests: impl Iterator<Item = Request<'a>>,
) -> Result<(), Error> {
    let mut requests = requests.peekable();
    while requests.peek().is_some() {
        for request in requests.by_ref().take(WINDOW) {
            probe.push(&request);
        }
        probe.flush().await?;
        while probe.in_flight() > 0 {
            let header = probe.receive_header().await?;
            if header.err != 0 {
                return Err(Error::Refused { number: header.err });
            }
        }
    }
    Ok(())
}

/// Creates a persistent node that is open to all.
pub(super) fn create(path: &str) -> Request<'_> {
    Request::Create(Create {
        path,
        data: Some(DATA),
        acl: vec![Acl::open()],
        flags: 0,
        kind: CreateKind::Plain,
    })
}

/// Opens many sessions, a few at a time.
pub(super) async fn open_sessions(side: &Side, count: usize) -> Result<Vec<Probe>, Failure> {
    /// Sessions that are being opened at a time.
    const AT_ONCE: usize = 64;
    let address = side.address();
    let mut opening = JoinSet::new();
    for opener in 0..AT_ONCE {
        opening.spawn(async move {
            let mut probes = Vec::new();
            for _ in (opener..count).step_by(AT_ONCE) {
                probes.push(Probe::connect(address, &new_session(SESSION_MS)).await?);
            }
            Ok::<_, Error>(probes)
        });
    }
    let mut probes = Vec::with_capacity(count);
    while let Some(opened) = opening.join_next().await {
        probes.extend(opened??);
    }
    Ok(probes)
}
