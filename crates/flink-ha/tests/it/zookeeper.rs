//! Znodes, on the leader server and on a real ZooKeeper.

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

const ZNODES: [&str; 3] = [
    include_str!("../fixtures/zookeeper-1.20.3.znodes"),
    include_str!("../fixtures/zookeeper-2.2.1.znodes"),
    include_str!("../fixtures/zookeeper-2.3.0.znodes"),
];

const MADE: &str = include_str!("../fixtures/made.tsv");
const ID: &str = crate::ONE;
const NODE: &str = "/flink/cluster/leader/rest_server/connection_info";

/// One of the two servers, which can be restarted with its sessions.
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

/// Writes the nodes of a Flink. The first client has the session of its leader, the second that of
/// its standby.
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

/// All nodes, with their data and stats.
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
async fn what_flink_wrote_is_shown_and_stays_as_it_is() {
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
            let mut followed = leaders(&address, &Component::RestServer);
            let leader = &cluster.leaders["restserver"].leader;
            assert_eq!(
                next(&mut followed).await,
                some(&leader.session.to_string(), &leader.address)
            );
            drop(followed);
            assert_eq!(all(&clients[0]).await, before);
        }
    }
}

#[tokio::test]
async fn a_leader_goes_with_its_session_and_an_entry_of_another_session_is_stale() {
    let server = Server::ours().await;
    let [leader, standby] = put(&server, ZNODES[1]).await;
    let mut followed = leaders(&server.address(), &Component::RestServer);
    assert!(next(&mut followed).await.is_some());
    drop(leader);
    assert_eq!(next(&mut followed).await, None);
    let cluster = inspect(&server.address()).await.unwrap();
    assert!(cluster.leaders.is_empty(), "{cluster:?}");
    // The standby leads now, and a third session has written an entry.
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
    assert_eq!(
        next(&mut followed).await,
        some(ID, "http://[2001:db8::1]:8081")
    );
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
async fn a_leader_comes_at_first_and_at_each_change_and_never_twice() {
    for server in Server::each().await {
        let client = server.client().await;
        let mut followed = leaders(&server.address(), &Component::RestServer);
        assert_eq!(
            next(&mut followed).await,
            None,
            "there is not even a directory"
        );
        let above = NODE.rsplit_once('/').unwrap().0;
        let persistent = CreateMode::Persistent.with_acls(Acls::anyone_all());
        client.mkdir(above, &persistent).await.unwrap();
        create(&client, NODE, &made("leader-ipv6"), CreateMode::Ephemeral).await;
        let first = some(ID, "http://[2001:db8::1]:8081");
        assert_eq!(next(&mut followed).await, first);
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
        assert_eq!(next(&mut followed).await, second);
        client.set_data(NODE, b"text", None).await.unwrap();
        assert_eq!(next(&mut followed).await, None, "it cannot be read");
        client
            .set_data(NODE, &made("leader-letters"), None)
            .await
            .unwrap();
        assert_eq!(next(&mut followed).await, second);
        client
            .set_data(NODE, &made("leader-nobody"), None)
            .await
            .unwrap();
        assert_eq!(next(&mut followed).await, None);
        remove_all(&client, "/flink").await;
        client.mkdir(above, &persistent).await.unwrap();
        create(&client, NODE, &made("leader-ipv6"), CreateMode::Ephemeral).await;
        assert_eq!(
            next(&mut followed).await,
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
async fn a_path_that_is_no_cluster_says_which_clusters_there_are() {
    for server in Server::each().await {
        let _clients = put(&server, ZNODES[1]).await;
        let socket = server.socket();
        for path in ["/flink", "/flnik/cluster"] {
            let text = nothing_at(&server, path).await;
            let all = format!("at {socket}{path}; there are: /flink/cluster");
            assert!(text.ends_with(&all), "{text}");
        }
        // Below a cluster there is none.
        for (path, has) in [
            ("/flink/cluster/leader/latch", "_c_"),
            ("/flink/cluster/leader", "dispatcher, job-"),
        ] {
            let text = nothing_at(&server, path).await;
            let all = format!("at {socket}{path}; this node has: {has}");
            assert!(text.contains(&all), "{text}");
        }
    }
}

#[tokio::test]
async fn the_clusters_below_a_path_are_listed() {
    for server in Server::each().await {
        let [leader, _standby] = put(&server, ZNODES[2]).await;
        let persistent = CreateMode::Persistent.with_acls(Acls::anyone_all());
        let other = "/flink/team/prod/leader/latch";
        leader.mkdir(other, &persistent).await.unwrap();
        leader.mkdir("/other/leader", &persistent).await.unwrap();
        let socket = server.socket();
        for (path, login) in [("", ""), ("/", ""), ("/flink", "u:secret@"), ("/none", "")] {
            let address = format!("zookeeper://{login}{socket}{path}");
            let found = clusters(&address.parse().unwrap()).await.unwrap();
            let found: Vec<_> = found
                .iter()
                .map(|it| (it.address.as_str(), it.jobs, it.rest_server.is_some()))
                .collect();
            let [one, two] =
                ["cluster", "team/prod"].map(|name| format!("zookeeper://{socket}/flink/{name}"));
            assert_eq!(found, [(&*one, 1, true), (&*two, 0, false)], "{path}");
        }
        let unnamed: FlinkAddress = format!("zookeeper://{socket}").parse().unwrap();
        let unnamed = inspect(&unnamed).await.unwrap_err();
        assert!(matches!(unnamed, FlinkError::Address(_)), "{unnamed:?}");
    }
}

#[tokio::test]
async fn a_cluster_whose_processes_are_all_gone_is_dead() {
    let server = Server::ours().await;
    drop(put(&server, ZNODES[2]).await);
    let latch = "/flink/cluster/leader/latch";
    let client = server.client().await;
    // The sessions are closed soon, and their nodes go with them.
    while !client.list_children(latch).await.unwrap().is_empty() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let problems = inspect(&server.address()).await.unwrap().problems;
    let [problem] = &problems[..] else {
        panic!("{problems:?}");
    };
    assert_eq!(
        (problem.kind, problem.severity, &*problem.key),
        (ProblemKind::NoLeader, Severity::Critical, "/leader/latch")
    );
}

/// The path in each handle is replaced by one of the same length.
fn at_file(lines: &str, file: &str) -> String {
    let mut moved = String::new();
    for line in lines.lines() {
        let (rest, data) = line.rsplit_once('\t').unwrap();
        let mut data = bytes(data);
        let start = data.windows(9).position(|it| it == b"file:/tmp");
        if let Some(start) = start {
            let length: [u8; 2] = data[start - 2..start].try_into().unwrap();
            let length = usize::from(u16::from_be_bytes(length));
            let (above, name) = file.rsplit_once('/').unwrap();
            let padding = length.checked_sub("file:".len() + above.len() + name.len());
            let slashes = "/".repeat(padding.expect("the temporary directory has a short path"));
            let uri = format!("file:{above}{slashes}{name}");
            data[start..start + length].copy_from_slice(uri.as_bytes());
        }
        let data: String = data.iter().map(|byte| format!("{byte:02x}")).collect();
        moved += &format!("{rest}\t{data}\n");
    }
    moved
}

#[tokio::test]
async fn a_file_that_is_missing_or_cut_ends_the_job_manager() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("f");
    let server = Server::ours().await;
    let lines = at_file(ZNODES[2], file.to_str().unwrap());
    let _clients = put(&server, &lines).await;
    let address = server.address();
    assert_eq!(inspect(&address).await.unwrap().problems, []);
    let options = InspectOptions {
        files: true,
        ..InspectOptions::default()
    };
    let look = async || {
        incumbent_flink_ha::inspect(&address, options)
            .await
            .unwrap()
    };
    // The application, the plan and the checkpoint.
    let missing = look().await;
    assert_eq!(missing.problems.len(), 3, "{:?}", missing.problems);
    for problem in &missing.problems {
        assert_eq!(
            (problem.kind, problem.severity),
            (ProblemKind::File, Severity::Critical)
        );
        assert!(
            problem.reason.starts_with("its file is missing: file:/"),
            "{problem:?}"
        );
        assert!(
            problem.follows.contains("Its JobManager ends"),
            "{problem:?}"
        );
    }
    let check = missing.files.unwrap();
    assert_eq!(
        (check.looked_at, check.damaged, check.not_looked_at),
        (3, 3, 0)
    );
    // Each has another size, so at most one of them is whole.
    let (_, job) = missing.jobs.first_key_value().unwrap();
    let size = job.checkpoints[0].pointer.handle.as_ref().unwrap().size;
    std::fs::write(&file, vec![0; size.unwrap().try_into().unwrap()]).unwrap();
    let cut = look().await;
    assert_eq!(cut.problems.len(), 2, "{:?}", cut.problems);
    let words = format!("has {} bytes instead of ", size.unwrap());
    assert!(
        cut.problems[0].reason.contains(&words),
        "{:?}",
        cut.problems
    );
}

async fn nothing_at(server: &Server, path: &str) -> String {
    let address = format!("zookeeper://{}{path}", server.socket());
    let nothing = inspect(&address.parse().unwrap()).await.unwrap_err();
    assert!(matches!(nothing, FlinkError::Nothing(_)), "{nothing:?}");
    nothing.to_string()
}

/// On several threads, where a use of the client library after its connection would show.
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
        let mut followed = leaders(&address, &Component::RestServer);
        let first = some(ID, "http://[2001:db8::1]:8081");
        assert_eq!(next(&mut followed).await, first);
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
            assert_eq!(next(&mut followed).await, is);
        }
    }
}

#[tokio::test]
async fn nodes_for_a_login_are_read_with_it_and_refused_without_it() {
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
        let mut followed = leaders(&address, &Component::RestServer);
        assert_eq!(
            next(&mut followed).await,
            some(ID, "http://[2001:db8::1]:8081")
        );
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
    let mut followed = leaders(&address, &Component::RestServer);
    server.begin().await;
    assert_eq!(next(&mut followed).await, None);
}

/// A server that lets each client in, and hangs up at once. With pauses that began anew after each
/// connection, it would be asked about every 40 ms.
#[tokio::test]
async fn a_server_that_hangs_up_at_once_is_asked_less_and_less() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let socket = listener.local_addr().unwrap();
    let address = format!("zookeeper://{socket}/flink/cluster");
    let _followed = leaders(&address.parse().unwrap(), &Component::RestServer);
    let begun = Instant::now();
    for number in 0..9_u64 {
        let (mut stream, _) = listener.accept().await.unwrap();
        let length = stream.read_u32().await.unwrap();
        let mut request = vec![0; length.try_into().unwrap()];
        stream.read_exact(&mut request).await.unwrap();
        // Protocol version, timeout, session, and a password of 16 bytes.
        let mut answer = vec![0; 4];
        answer.extend(10_000_u32.to_be_bytes());
        answer.extend((number + 1).to_be_bytes());
        answer.extend(16_u32.to_be_bytes());
        answer.extend([1; 16]);
        stream.write_u32(36).await.unwrap();
        stream.write_all(&answer).await.unwrap();
        stream.shutdown().await.unwrap();
    }
    // Half of 50, 100, 200, 400, 800, 1600, 2000 and 2000 ms.
    let least = Duration::from_millis(3575);
    assert!(begun.elapsed() >= least, "{:?}", begun.elapsed());
}
