//! The access log.

use std::net::SocketAddr;
use std::time::Duration;

use http::Method;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};

use crate::harness::{Cluster, Upstream, options, soon, until};
use crate::log::Lines;

#[tokio::test]
async fn every_request_is_logged_once_with_what_became_of_it() {
    let lines = Lines::of_this_process();
    let own = || lines.with("agent", "a \"test\"");
    let cluster = Cluster::new().await;
    let upstream = Upstream::echoing().await;
    let _leadership = cluster.lead_at(&upstream).await;
    let front = cluster.gateway().await;
    let headers = [("user-agent", "a \"test\""), ("referer", "http://from/")];
    front.send(Method::PUT, "/x?y", &headers, "body").await;
    front.send(Method::CONNECT, "h:1", &headers, "").await;
    until("both are logged", || own().len() == 2).await;
    let [first, second] = &own()[..] else {
        panic!()
    };
    assert_eq!(
        (&first["target"], &first["method"]),
        (&"/x?y".into(), &"PUT".into())
    );
    assert_eq!(
        (&first["client"], &first["host"]),
        (&"127.0.0.1".into(), &"some.name".into())
    );
    assert_eq!(
        (&first["status"], &first["version"]),
        (&200.into(), &"HTTP/1.1".into())
    );
    assert_eq!((&first["sent"], &first["received"]), (&4.into(), &4.into()));
    assert_eq!(
        (&first["epoch"], &first["attempts"]),
        (&1.into(), &1.into())
    );
    assert_eq!(first["upstream"], upstream.address.to_string());
    assert_eq!(
        (&first["referer"], &first["complete"]),
        (&"http://from/".into(), &true.into())
    );
    assert_eq!(
        (&second["status"], &second["problem"]),
        (&405.into(), &"no-tunnels".into())
    );
}

/// Connects from this address of this host.
async fn connect_from(ip: [u8; 4], to: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::from((ip, 0))).unwrap();
    socket.connect(to).await.unwrap()
}

/// The library below refuses these: the gateway sees no request.
#[tokio::test]
async fn refusals_of_the_library_below_are_logged_with_what_is_known() {
    let lines = Lines::of_this_process();
    let cluster = Cluster::new().await;
    let upstream = Upstream::saying("hello").await;
    let _leadership = cluster.lead_at(&upstream).await;
    let mut options = options();
    options.times.head = Duration::from_millis(300);
    let front = cluster.gateway_with(options).await;
    let many = "X: 1\r\n".repeat(101);
    let large = "x".repeat(70 * 1024);
    let cases = [
        (
            81,
            "GET / HTTP/1.7\r\nHost: h\r\n\r\n".to_owned(),
            400,
            "malformed",
        ),
        (
            82,
            "GET / HTTP/1.1\r\nno field\r\n\r\n".to_owned(),
            400,
            "malformed",
        ),
        (
            83,
            format!("GET / HTTP/1.1\r\nHost: h\r\n{many}\r\n"),
            431,
            "head-too-large",
        ),
        (
            84,
            format!("GET / HTTP/1.1\r\nHost: h\r\nX: {large}\r\n\r\n"),
            431,
            "head-too-large",
        ),
        (
            85,
            "GET / HTTP/1.1\r\nHost: h\r\n".to_owned(),
            408,
            "head-late",
        ),
    ];
    for (last, request, status, why) in cases {
        let mut stream = connect_from([127, 0, 0, last], front.address).await;
        // It may be refused before all of it has come.
        let _ = stream.write_all(request.as_bytes()).await;
        let mut answer = Vec::new();
        let _ = soon(stream.read_to_end(&mut answer)).await;
        let client = format!("127.0.0.{last}");
        until("it is logged", || !lines.with("client", &client).is_empty()).await;
        let logged = lines.with("client", &client);
        assert_eq!(logged.len(), 1, "{why}: {logged:?}");
        assert_eq!(
            (&logged[0]["status"], &logged[0]["problem"]),
            (&status.into(), &why.into())
        );
    }
    // In HTTP/2 the gateway itself refuses it, so more is known.
    let stream = connect_from([127, 0, 0, 87], front.address).await;
    let (sender, connection) = h2::client::handshake(stream).await.unwrap();
    let connection = tokio::spawn(connection);
    let request = http::Request::get("http://h/large").header("x", &large);
    let mut sender = sender.ready().await.unwrap();
    let (answer, _) = sender
        .send_request(request.body(()).unwrap(), true)
        .unwrap();
    assert_eq!(soon(answer).await.unwrap().status(), 431);
    until("it is logged", || {
        !lines.with("client", "127.0.0.87").is_empty()
    })
    .await;
    let logged = &lines.with("client", "127.0.0.87")[0];
    assert_eq!(
        (&logged["target"], &logged["problem"]),
        (&"/large".into(), &"head-too-large".into())
    );
    connection.abort();
    // A client that keeps its connection for a while, and then asks nothing, was not refused.
    let mut idle = connect_from([127, 0, 0, 86], front.address).await;
    idle.write_all(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        .await
        .unwrap();
    let mut answer = Vec::new();
    soon(idle.read_to_end(&mut answer)).await.unwrap();
    assert!(
        answer.ends_with(b"hello"),
        "{}",
        String::from_utf8_lossy(&answer)
    );
    let logged = lines.with("client", "127.0.0.86");
    assert_eq!(logged.len(), 1, "{logged:?}");
    assert_eq!(logged[0]["status"], 200);
}
