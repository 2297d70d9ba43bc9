//! How a leader is reached: names with several addresses, black ones, and what this host runs out
//! of.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use http::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use crate::change::in_background;
use crate::harness::{Cluster, Upstream, boxed, options, read, soon, until};

/// An address that answers nothing: its queue is full.
pub(crate) struct Black {
    pub(crate) address: SocketAddr,
    _listener: TcpListener,
    _queued: Vec<TcpStream>,
}

impl Black {
    async fn new() -> Self {
        Self::at((Ipv4Addr::LOCALHOST, 0).into()).await
    }

    async fn at(address: SocketAddr) -> Self {
        let socket = match address.is_ipv6() {
            true => TcpSocket::new_v6(),
            false => TcpSocket::new_v4(),
        };
        let socket = socket.unwrap();
        socket.bind(address).unwrap();
        let listener = socket.listen(1).unwrap();
        let address = listener.local_addr().unwrap();
        let mut queued = Vec::new();
        let patience = Duration::from_millis(200);
        while let Ok(stream) = tokio::time::timeout(patience, TcpStream::connect(address)).await {
            queued.push(stream.unwrap());
            assert!(queued.len() < 100, "its queue has an end");
        }
        Self {
            address,
            _listener: listener,
            _queued: queued,
        }
    }
}

/// As an IPv6 address without a route is.
#[tokio::test]
async fn the_second_address_of_a_name_is_tried_when_the_first_is_black() {
    let found: Vec<SocketAddr> = tokio::net::lookup_host(("localhost", 1))
        .await
        .unwrap()
        .collect();
    let both = [
        SocketAddr::from((Ipv6Addr::LOCALHOST, 1)),
        SocketAddr::from((Ipv4Addr::LOCALHOST, 1)),
    ];
    if !both.iter().all(|address| found.contains(address)) {
        eprintln!("SKIPPED the_second_address_of_a_name: localhost has not two addresses here");
        return;
    }
    let (mut first, second) = (found[0], found.iter().find(|at| at.ip() != found[0].ip()));
    first.set_port(0);
    let black = Black::at(first).await;
    let mut second = *second.unwrap();
    second.set_port(black.address.port());
    let upstream = Upstream::on(TcpListener::bind(second).await.unwrap(), |_| {
        Box::pin(async { http::Response::new(boxed("here")) })
    });
    let name = format!("localhost:{}", upstream.address.port());
    let cluster = Cluster::new().await;
    let _leadership = cluster.lead(&[("web", &name), ("db", &name)]).await;
    let mut options = options();
    // The first one alone would be waited for longer than this test waits.
    options.times.connect = Duration::from_secs(600);
    options.times.hold = Duration::from_secs(600);
    let front = cluster.gateway_with(options).await;
    until("somebody leads", || front.handle.status().is_ready).await;
    assert_eq!(front.get("/").await.text(), "here");
    assert_eq!(front.handle.status().leader, "ready");

    let tcp = crate::tcp::Front::new(&cluster, crate::tcp::options()).await;
    tcp.ready().await;
    let answer = crate::harness::raw(
        tcp.address,
        b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
    );
    let answer = soon(answer).await;
    assert!(answer.ends_with("here"), "{answer}");
}

/// The next leader is there: nobody waits any longer for the last one's address.
#[tokio::test]
async fn whoever_waits_for_a_connection_goes_on_with_the_next_leader() {
    for scheme in ["http", "h2c"] {
        let (cluster, black) = (Cluster::new().await, Black::new().await);
        let address = format!("{scheme}://{}", black.address);
        let leadership = cluster.lead(&[("web", &address)]).await;
        let mut options = options();
        options.times.connect = Duration::from_secs(60);
        options.times.hold = Duration::from_secs(60);
        let front = cluster.gateway_with(options).await;
        until("somebody leads", || front.handle.status().is_ready).await;
        let waiting: Vec<_> = (0..8)
            .map(|_| in_background(&front, Method::POST, &[], ""))
            .collect();
        tokio::time::sleep(Duration::from_millis(100)).await;
        leadership.resign(None).await;
        let upstream = Upstream::saying("next").await;
        let _next = cluster.lead_at(&upstream).await;
        for waiting in waiting {
            assert_eq!(soon(waiting).await.unwrap().text(), "next");
        }
    }
}

#[tokio::test]
async fn a_connection_in_tcp_mode_goes_on_with_the_next_leader_too() {
    let (cluster, black) = (Cluster::new().await, Black::new().await);
    let leadership = cluster.lead(&[("db", &black.address.to_string())]).await;
    let mut options = crate::tcp::options();
    options.times.connect = Duration::from_secs(60);
    options.times.hold = Duration::from_secs(60);
    let front = crate::tcp::Front::new(&cluster, options).await;
    front.ready().await;
    let mut client = front.connect().await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    leadership.resign(None).await;
    let node = crate::tcp::Node::new("next").await;
    let _next = cluster.lead(&[("db", &node.address.to_string())]).await;
    crate::harness::read_until(&mut client, "next").await;
}

#[tokio::test]
async fn connecting_takes_no_longer_than_a_request_may() {
    for scheme in ["http", "h2c"] {
        let (cluster, black) = (Cluster::new().await, Black::new().await);
        let address = format!("{scheme}://{}", black.address);
        let _leadership = cluster.lead(&[("web", &address)]).await;
        let mut options = options();
        options.times.connect = Duration::from_secs(60);
        options.times.total = Some(Duration::from_millis(300));
        let front = cluster.gateway_with(options).await;
        until("somebody leads", || front.handle.status().is_ready).await;
        let reply = front.send(Method::POST, "/", &[], "").await;
        reply.is_problem(503, "unreachable");
        assert!(reply.text().contains(r#""processed":"no""#));
    }
}

/// A gateway without descriptors cannot know whether the leader is well. In a process of its own,
/// as all share them.
#[test]
fn want_of_descriptors_is_not_taken_for_want_of_a_leader() {
    const INSIDE: &str = "INCUMBENT_TEST_FEW_DESCRIPTORS";
    if std::env::var_os(INSIDE).is_some() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        runtime.unwrap().block_on(without_descriptors());
        return;
    }
    let name = "reaching::want_of_descriptors_is_not_taken_for_want_of_a_leader";
    let output = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture"])
        .env(INSIDE, "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("1 passed"), "{said}");
}

async fn without_descriptors() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let (cluster, upstream) = (Cluster::new().await, Upstream::saying("here").await);
    let _leadership = cluster.lead_at(&upstream).await;
    let front = cluster.gateway().await;
    until("somebody leads", || front.handle.status().is_ready).await;
    let stream = TcpStream::connect(front.address).await.unwrap();
    let (mut client, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .unwrap();
    tokio::spawn(connection);
    let ask = || {
        let request = Request::post("/").header("host", "h").body(boxed(""));
        request.unwrap()
    };
    until("it is accepted", || front.handle.status().connections == 1).await;
    let before = getrlimit(Resource::Nofile);
    let none = Rlimit {
        current: Some(3),
        maximum: before.maximum,
    };
    setrlimit(Resource::Nofile, none).unwrap();
    let reply = soon(client.send_request(ask())).await.unwrap();
    let reply = read(reply).await.unwrap();
    let leader = front.handle.status().leader;
    setrlimit(Resource::Nofile, before).unwrap();
    reply.is_problem(503, "too-busy");
    assert!(reply.text().contains(r#""processed":"no""#));
    assert_eq!(leader, "ready");
    let reply = soon(client.send_request(ask())).await.unwrap();
    assert_eq!(reply.status(), StatusCode::OK);
}
