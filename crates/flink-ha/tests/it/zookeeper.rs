//! Znodes, on the leader server and on a real ZooKeeper.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use incumbent_flink_ha::{Component, FlinkAddress, FlinkError, ProblemKind, inspect};
use incumbent_leader_server as ours;
use incumbent_servers::free_port;
use incumbent_servers::zookeeper::{Options, ZooKeeper};
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, spawn_blocking};
use zookeeper_client::{Acls, Client, CreateMode, Error, Stat};

use crate::{leaders, next, some};

const ZNODES: [&str; 2] = [
    include_str!("../fixtures/zookeeper-1.20.3.znodes"),
    include_str!("../fixtures/zookeeper-2.2.1.znodes"),
];

const MADE: &str = include_str!("../fixtures/made.tsv");
const ID: &str = crate::ONE;
const NODE: &str = "/flink/cluster/leader/rest_server/connection_info";

/// Either server, which can be restarted with its sessions.
enum Server {
    Real(Arc<ZooKeeper>),
    Ours(Box<Ours>),
}

struct Ours {
    options: ours::Options,
    running: Option<(oneshot::Sender<()>, JoinHandle<()>)>,
    _kept: tempfile::TempDir,
}

impl Server {
    async fn each() -> Vec<Self> {
        let mut servers = vec![Self::ours().await];
        let real = ZooKeeper::start(Options::default());
        servers.extend(real.map(|server| Self::Real(Arc::new(server))));
        servers
    }

    async fn ours() -> Self {
        let kept = tempfile::tempdir().unwrap();
        let mut options = ours::Options::local();
        // Not from those that connections have: while nobody listens there, a client may be
        // connected to itself.
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

    fn socket(&self) -> SocketAddr {
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

    fn address(&self) -> FlinkAddress {
        let address = format!(
            "zookeeper://{}/flink/cluster?session-timeout=4s",
            self.socket()
        );
        address.parse().unwrap()
    }

    async fn client(&self) -> Client {
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

fn bytes(hex: &str) -> Vec<u8> {
    let pair = |at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
    (0..hex.len()).step_by(2).map(pair).collect()
}

fn made(name: &str) -> Vec<u8> {
    let mut lines = MADE.lines().filter_map(|line| line.split_once('\t'));
    bytes(lines.find(|(found, _)| *found == name).unwrap().1)
}

/// Puts back what Flink has written. Its leader's session is the first client, and the other one's
/// is the second.
async fn put(server: &Server, lines: &str) -> [Client; 2] {
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

/// All nodes, with all that the server says of them.
async fn all(client: &Client) -> BTreeMap<String, (Vec<u8>, Stat)> {
    let mut nodes = BTreeMap::new();
    let mut todo = vec!["/".to_owned()];
    while let Some(path) = todo.pop() {
        let (children, _) = client.get_children(&path).await.unwrap();
        let above = path.trim_end_matches('/');
        todo.extend(children.iter().map(|child| format!("{above}/{child}")));
        nodes.insert(path.clone(), client.get_data(&path).await.unwrap());
    }
    nodes
}

async fn create(client: &Client, path: &str, data: &[u8], mode: CreateMode) {
    let options = mode.with_acls(Acls::anyone_all());
    client.create(path, data, &options).await.unwrap();
}

async fn remove_all(client: &Client, path: &str) {
    let mut todo = vec![path.to_owned()];
    while let Some(path) = todo.pop() {
        let children = match client.list_children(&path).await {
            Err(Error::NoNode) => continue,
            children => children.unwrap(),
        };
        if children.is_empty() {
            client.delete(&path, None).await.unwrap();
        } else {
            todo.push(path.clone());
            todo.extend(children.iter().map(|child| format!("{path}/{child}")));
        }
    }
}

#[tokio::test]
async fn what_flink_wrote_is_told_and_stays_as_it_is() {
    for lines in ZNODES {
        for server in Server::each().await {
            let clients = put(&server, lines).await;
            let before = all(&clients[0]).await;
            let address = server.address();
            let cluster = inspect(&address).await.unwrap();
            assert_eq!(cluster.problems, []);
            assert_eq!(
                cluster.source,
                format!("zookeeper://{}/flink/cluster", server.socket())
            );
            assert_eq!((cluster.leaders.len(), cluster.jobs.len()), (4, 1));
            let [election] = &cluster.elections[..] else {
                panic!("{:?}", cluster.elections);
            };
            let owner = before[NODE].1.ephemeral_owner;
            let owner = format!("{owner:#x}");
            assert_eq!(election.owner.as_ref(), Some(&owner));
            let mut told = leaders(&address, &Component::RestServer);
            let leader = &cluster.leaders["restserver"].leader;
            assert_eq!(
                next(&mut told).await,
                some(&leader.session.to_string(), &leader.address)
            );
            drop(told);
            assert_eq!(all(&clients[0]).await, before);
        }
    }
}

#[tokio::test]
async fn a_leader_whose_session_has_ended_is_told_to_be_gone_and_a_kept_latch_is_stale() {
    let server = Server::ours().await;
    let [leader, standby] = put(&server, ZNODES[1]).await;
    let mut told = leaders(&server.address(), &Component::RestServer);
    assert!(next(&mut told).await.is_some());
    drop(leader);
    assert_eq!(next(&mut told).await, None);
    let cluster = inspect(&server.address()).await.unwrap();
    assert!(cluster.leaders.is_empty(), "{cluster:?}");
    // The other one leads, but the first has written once more.
    create(&standby, NODE, &made("leader-ipv6"), CreateMode::Ephemeral).await;
    let late = server.client().await;
    let dispatcher = "/flink/cluster/leader/dispatcher/connection_info";
    create(
        &late,
        dispatcher,
        &made("leader-ipv6"),
        CreateMode::Ephemeral,
    )
    .await;
    assert_eq!(next(&mut told).await, some(ID, "http://[2001:db8::1]:8081"));
    let problems = inspect(&server.address()).await.unwrap().problems;
    let [problem] = &problems[..] else {
        panic!("{problems:?}");
    };
    assert_eq!(
        (&*problem.key, problem.kind),
        ("/leader/dispatcher/connection_info", ProblemKind::Stale)
    );
}

#[tokio::test]
async fn a_leader_is_told_at_first_and_at_each_change_and_never_twice() {
    for server in Server::each().await {
        let client = server.client().await;
        let mut told = leaders(&server.address(), &Component::RestServer);
        assert_eq!(next(&mut told).await, None, "there is not even a directory");
        let above = NODE.rsplit_once('/').unwrap().0;
        let persistent = CreateMode::Persistent.with_acls(Acls::anyone_all());
        client.mkdir(above, &persistent).await.unwrap();
        create(&client, NODE, &made("leader-ipv6"), CreateMode::Ephemeral).await;
        let first = some(ID, "http://[2001:db8::1]:8081");
        assert_eq!(next(&mut told).await, first);
        for _ in 0..5 {
            client
                .set_data(NODE, &made("leader-ipv6"), None)
                .await
                .unwrap();
        }
        client
            .set_data(NODE, &made("leader-letters"), None)
            .await
            .unwrap();
        let second = some(ID, "http://höst.中😀\0:1");
        assert_eq!(next(&mut told).await, second);
        client.set_data(NODE, b"text", None).await.unwrap();
        assert_eq!(next(&mut told).await, None, "it cannot be read");
        client
            .set_data(NODE, &made("leader-letters"), None)
            .await
            .unwrap();
        assert_eq!(next(&mut told).await, second);
        client
            .set_data(NODE, &made("leader-nobody"), None)
            .await
            .unwrap();
        assert_eq!(next(&mut told).await, None);
        remove_all(&client, "/flink").await;
        client.mkdir(above, &persistent).await.unwrap();
        create(&client, NODE, &made("leader-ipv6"), CreateMode::Ephemeral).await;
        assert_eq!(
            next(&mut told).await,
            first,
            "all was removed and came back"
        );
        let mut late = leaders(&server.address(), &Component::RestServer);
        assert_eq!(next(&mut late).await, first);
        let mut other = leaders(&server.address(), &Component::Dispatcher);
        assert_eq!(next(&mut other).await, None);
    }
}

#[tokio::test]
async fn a_path_above_or_below_a_cluster_is_told_to_be_none() {
    for server in Server::each().await {
        let _clients = put(&server, ZNODES[1]).await;
        for (path, has) in [
            ("/flink", "cluster"),
            ("/flink/cluster/leader/latch", "_c_"),
            ("/flink/cluster/leader", "dispatcher, job-"),
            ("/zookeeper", "config, quota"),
        ] {
            let text = nothing_at(&server, path).await;
            let told = format!("at {}{path}; it has: {has}", server.socket());
            assert!(text.contains(&told), "{text}");
            assert!(text.ends_with("as in /flink/CLUSTER-ID"), "{text}");
        }
    }
}

async fn nothing_at(server: &Server, path: &str) -> String {
    let address = format!("zookeeper://{}{path}", server.socket());
    let nothing = inspect(&address.parse().unwrap()).await.unwrap_err();
    assert!(matches!(nothing, FlinkError::Nothing(_)), "{nothing:?}");
    nothing.to_string()
}

/// On several threads: the client library must not be used after its connection.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_is_followed_over_restarts_of_the_server() {
    for mut server in Server::each().await {
        let address = server.address();
        let client = server.client().await;
        let above = NODE.rsplit_once('/').unwrap().0;
        let persistent = CreateMode::Persistent.with_acls(Acls::anyone_all());
        client.mkdir(above, &persistent).await.unwrap();
        let (ipv6, letters) = (made("leader-ipv6"), made("leader-letters"));
        create(&client, NODE, &ipv6, CreateMode::Persistent).await;
        drop(client);
        let mut told = leaders(&address, &Component::RestServer);
        let first = some(ID, "http://[2001:db8::1]:8081");
        assert_eq!(next(&mut told).await, first);
        // A JVM takes a second to start.
        let restarts = if matches!(server, Server::Ours(_)) {
            20
        } else {
            2
        };
        for number in 1..=restarts {
            server.restart().await;
            let client = server.client().await;
            let (data, is) = match number % 2 {
                0 => (&ipv6, first.clone()),
                _ => (&letters, some(ID, "http://höst.中😀\0:1")),
            };
            client.set_data(NODE, data, None).await.unwrap();
            assert_eq!(next(&mut told).await, is);
        }
    }
}

#[tokio::test]
async fn what_is_only_for_a_login_is_read_with_it_and_without_it_that_is_said() {
    for server in Server::each().await {
        let owner = Client::connector().with_auth("digest", b"flink:secret");
        let owner = owner.connect(&server.socket().to_string()).await.unwrap();
        let private = CreateMode::Persistent.with_acls(Acls::creator_all());
        owner
            .mkdir("/flink/cluster/leader", &private)
            .await
            .unwrap();
        let above = NODE.rsplit_once('/').unwrap().0;
        owner.create(above, b"", &private).await.unwrap();
        let private = CreateMode::Ephemeral.with_acls(Acls::creator_all());
        owner
            .create(NODE, &made("leader-ipv6"), &private)
            .await
            .unwrap();
        let refused = inspect(&server.address()).await;
        assert!(
            matches!(refused, Err(FlinkError::Refused { .. })),
            "{refused:?}"
        );
        let address = format!("zookeeper://flink:secret@{}/flink/cluster", server.socket());
        let address: FlinkAddress = address.parse().unwrap();
        let cluster = inspect(&address).await.unwrap();
        assert_eq!(cluster.leaders.len(), 1);
        assert!(!cluster.source.contains("secret"), "{}", cluster.source);
        let mut told = leaders(&address, &Component::RestServer);
        assert_eq!(next(&mut told).await, some(ID, "http://[2001:db8::1]:8081"));
    }
}

#[tokio::test]
async fn no_cluster_and_no_server_are_told_apart_and_servers_may_come_later() {
    let Server::Ours(mut server) = Server::ours().await else {
        unreachable!("it is ours");
    };
    let address = format!("zookeeper://{}/flink/cluster", server.options.listen[0]);
    let address: FlinkAddress = address.parse().unwrap();
    let nothing = inspect(&address).await;
    assert!(
        matches!(nothing, Err(FlinkError::Nothing(_))),
        "{nothing:?}"
    );
    server.end().await;
    let unavailable = inspect(&address).await;
    assert!(
        matches!(unavailable, Err(FlinkError::Unavailable { .. })),
        "{unavailable:?}"
    );
    let mut told = leaders(&address, &Component::RestServer);
    server.begin().await;
    assert_eq!(next(&mut told).await, None);
}
