//! WebSockets through the gateway, with a client and a server that others wrote.

use std::time::Duration;

use futures::{SinkExt as _, StreamExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, accept_async, client_async};

use crate::harness::{Cluster, Front, Upstream, options, raw, soon, until};

/// A server that echoes WebSockets.
async fn echo() -> (String, tokio::task::JoinHandle<()>) {
    let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap().to_string();
    let serving = tokio::spawn(async move {
        loop {
            let (stream, _) = socket.accept().await.unwrap();
            tokio::spawn(async move {
                let Ok(mut socket) = accept_async(stream).await else {
                    return;
                };
                while let Some(Ok(message)) = socket.next().await {
                    if message.is_close() || socket.send(message).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    (address, serving)
}

async fn open(front: &Front) -> Result<WebSocketStream<TcpStream>, Error> {
    let stream = TcpStream::connect(front.address).await.unwrap();
    let opened = soon(client_async("ws://some.name/socket", stream)).await;
    opened.map(|(socket, _)| socket)
}

#[tokio::test]
async fn messages_pass_both_ways() {
    let cluster = Cluster::new().await;
    let (address, serving) = echo().await;
    let _leadership = cluster.lead(&[("web", &address)]).await;
    let front = cluster.gateway().await;
    let mut socket = open(&front).await.unwrap();
    let large = "x".repeat(1 << 20);
    for text in ["one", "two", &large] {
        socket.send(Message::text(text)).await.unwrap();
        assert_eq!(
            soon(socket.next())
                .await
                .unwrap()
                .unwrap()
                .into_text()
                .unwrap(),
            text
        );
    }
    socket.close(None).await.unwrap();
    drop(socket);
    until("the connection is over", || {
        front.handle.status().connections == 0
    })
    .await;
    serving.abort();
}

#[tokio::test]
async fn a_websocket_that_is_opened_without_a_leader_waits_for_one() {
    let cluster = Cluster::new().await;
    let front = cluster.gateway().await;
    let stream = TcpStream::connect(front.address).await.unwrap();
    let opening = tokio::spawn(client_async("ws://some.name/socket", stream));
    until("it is held", || front.handle.status().held == 1).await;
    let (address, serving) = echo().await;
    let _leadership = cluster.lead(&[("web", &address)]).await;
    let (mut socket, _) = soon(opening).await.unwrap().unwrap();
    socket.send(Message::text("hello")).await.unwrap();
    assert_eq!(
        soon(socket.next())
            .await
            .unwrap()
            .unwrap()
            .into_text()
            .unwrap(),
        "hello"
    );
    serving.abort();
}

#[tokio::test]
async fn a_leader_that_refuses_the_upgrade_says_so_itself() {
    let cluster = Cluster::new().await;
    let upstream = Upstream::saying("no sockets here").await;
    let _leadership = cluster.lead_at(&upstream).await;
    let front = cluster.gateway().await;
    let refused = open(&front).await;
    let Err(Error::Http(response)) = refused else {
        panic!("{refused:?}")
    };
    assert_eq!(response.status(), 200);
    assert_eq!(upstream.seen()[0].headers["upgrade"], "websocket");
}

#[tokio::test]
async fn a_websocket_ends_some_time_after_its_leader_was_replaced_and_at_once_if_it_dies() {
    let cluster = Cluster::new().await;
    let (address, serving) = echo().await;
    let leadership = cluster.lead(&[("web", &address)]).await;
    let mut options = options();
    options.times.outlived = Duration::from_millis(20);
    let front = cluster.gateway_with(options).await;
    let mut socket = open(&front).await.unwrap();
    leadership.resign(None).await;
    let second = Upstream::saying("second").await;
    let _second = cluster.lead_at(&second).await;
    let end = soon(socket.next()).await;
    assert!(end.is_none_or(|end| end.is_err()));
    serving.abort();
}

#[tokio::test]
async fn a_drained_gateway_cuts_websockets_at_its_deadline() {
    let cluster = Cluster::new().await;
    let (address, serving) = echo().await;
    let _leadership = cluster.lead(&[("web", &address)]).await;
    let mut options = options();
    options.times.drain = Duration::from_millis(50);
    let mut front = cluster.gateway_with(options).await;
    let mut socket = open(&front).await.unwrap();
    soon(front.stop()).await.unwrap();
    assert!(soon(socket.next()).await.is_none_or(|end| end.is_err()));
    serving.abort();
}

/// HTTP/2 in a tunnel would pass all checks by.
#[tokio::test]
async fn no_other_upgrade_is_passed_on() {
    let cluster = Cluster::new().await;
    let upstream = Upstream::saying("plain").await;
    let _leadership = cluster.lead_at(&upstream).await;
    let front = cluster.gateway().await;
    let request = "GET / HTTP/1.1\r\nHost: h\r\nConnection: close, Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n";
    let answer = raw(front.address, request.as_bytes()).await;
    assert!(
        answer.starts_with("HTTP/1.1 200") && answer.ends_with("plain"),
        "{answer}"
    );
    let seen = &upstream.seen()[0];
    assert!(!seen.headers.contains_key("upgrade") && !seen.headers.contains_key("http2-settings"));
}
