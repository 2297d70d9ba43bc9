//! Znodes, on the leader server and on a real ZooKeeper.

mod follow;
pub(crate) mod inspect;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use incumbent_flink_ha::{
    Component, FlinkAddress, FlinkError, InspectOptions, ProblemKind, Severity, clusters,
};
use incumbent_leader_server as ours;
use incumbent_servers::free_port;
use incumbent_servers::zookeeper::{Options, ZooKeeper};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::Instant;
use zookeeper_client::{Acls, Client, CreateMode, Error, Stat};

use crate::{inspect, leaders, next, some};

pub(crate) const ZNODES: [&str; 3] = [
    include_str!("../../fixtures/zookeeper-1.20.3.znodes"),
    include_str!("../../fixtures/zookeeper-2.2.1.znodes"),
    include_str!("../../fixtures/zookeeper-2.3.0.znodes"),
];

const MADE: &str = include_str!("../../fixtures/made.tsv");
const ID: &str = crate::ONE;
const NODE: &str = "/flink/cluster/leader/rest_server/connection_info";

/// One of the two servers, which can be restarted with its sessions.
pub(crate) enum Server {
    Real(Arc<ZooKeeper>),
    Ours(Box<Ours>),
}

pub(crate) struct Ours {
    options: ours::Options,
    running: Option<(oneshot::Sender<()>, JoinHandle<()>)>,
    _kept: tempfile::TempDir,
}

impl Server {
    pub(crate) async fn each() -> Vec<Self> {
        let mut servers = vec![Self::ours().await];
        let real = ZooKeeper::start(Options::default());
        servers.extend(real.map(|server| Self::Real(Arc::new(server))));
        servers
    }

    pub(crate) async fn ours() -> Self {
        let kept = tempfile::tempdir().unwrap();
        let mut options = ours::Options::local();
        // A port outside those of connections: while nobody listens on one of those, a client may
        // connect to itself.
        options.listen[0].set_port(free_port().unwrap());
        options.data_dir = Some(kept.path().to_owned());
        let mut server = Ours {
            options,
            running: None,
            _kept: kept,
        };
        server.begin().await;
        Self::Ours(Box::new(server))
    }

    pub(crate) fn socket(&self) -> SocketAddr {
        match self {
            Self::Real(server) => server.socket(),
            Self::Ours(server) => server.options.listen[0],
        }
    }

    async fn restart(&mut self) {
        match self {
            Self::Real(server) => {
                let server = Arc::clone(server);
                spawn_blocking(move || server.restart()).await.unwrap();
            }
            Self::Ours(server) => {
                server.end().await;
                server.begin().await;
            }
        }
    }

    pub(crate) fn address(&self) -> FlinkAddress {
        let address = format!(
            "zookeeper://{}/flink/cluster?session-timeout=4s",
            self.socket()
        );
        address.parse().unwrap()
    }

    pub(crate) async fn client(&self) -> Client {
        Client::connect(&self.socket().to_string()).await.unwrap()
    }
}

impl Ours {
    async fn begin(&mut self) {
        let server = ours::Server::bind(self.options.clone()).await.unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let stopped = async {
            let _ = stopped.await;
        };
        let serving = tokio::spawn(async { server.run(stopped).await.unwrap() });
        self.running = Some((stop, serving));
    }

    async fn end(&mut self) {
        let (stop, serving) = self.running.take().unwrap();
        stop.send(()).unwrap();
        serving.await.unwrap();
    }
}

pub(crate) fn bytes(hex: &str) -> Vec<u8> {
    let pair = |at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
    (0..hex.len()).step_by(2).map(pair).collect()
}

fn made(name: &str) -> Vec<u8> {
    let mut lines = MADE.lines().filter_map(|line| line.split_once('\t'));
    bytes(lines.find(|(found, _)| *found == name).unwrap().1)
}

/// Writes the nodes of a Flink. The first client has the session of its leader, the second that of
/// its standby.
pub(crate) async fn put(server: &Server, lines: &str) -> [Client; 2] {
    let clients = [server.client().await, server.client().await];
    for line in lines.lines() {
        let [path, owner, data]: [&str; 3] =
            line.split('\t').collect::<Vec<_>>().try_into().unwrap();
        let (client, mode) = match owner {
            "0" => (&clients[0], CreateMode::Persistent),
            "1" => (&clients[0], CreateMode::Ephemeral),
            _ => (&clients[1], CreateMode::Ephemeral),
        };
        let options = mode.with_acls(Acls::anyone_all());
        client.create(path, &bytes(data), &options).await.unwrap();
    }
    clients
}

async fn create(client: &Client, path: &str, data: &[u8], mode: CreateMode) {
    let options = mode.with_acls(Acls::anyone_all());
    client.create(path, data, &options).await.unwrap();
}
