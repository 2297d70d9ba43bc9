//! WebSockets through the gateway, with a client library, across changes of leader.

use std::time::Duration;

use futures::{SinkExt as _, StreamExt as _};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::harness::{Place, stop};

use super::front::{self, Front, standing_by};

type Socket = WebSocketStream<TcpStream>;

/// Far longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(60);

async fn open(front: &Front) -> Socket {
    let stream = TcpStream::connect(&front.address).await.unwrap();
    let opened = client_async("ws://any.name.example/socket", stream);
    let (socket, _) = tokio::time::timeout(PATIENCE, opened)
        .await
        .unwrap()
        .unwrap();
    socket
}

async fn next(socket: &mut Socket) -> Option<Result<Message, Error>> {
    tokio::time::timeout(PATIENCE, socket.next()).await.unwrap()
}

/// Sends words, and asserts that this leader echoes them.
async fn assert_echoed(socket: &mut Socket, words: &str, leader: &str) {
    socket.send(Message::text(words)).await.unwrap();
    let message = next(socket).await.unwrap().unwrap();
    assert_eq!(message.into_text().unwrap(), format!("{words} {leader}"));
}

/// Reads to the end. Returns true if the other side sent a close frame with a reason.
async fn ended(mut socket: Socket) -> Option<CloseCode> {
    loop {
        match next(&mut socket).await {
            Some(Ok(Message::Close(frame))) => return frame.map(|frame| frame.code),
            Some(Ok(_)) => {}
            Some(Err(_)) | None => return None,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_websocket_lives_long_and_ends_with_its_leader() {
    let place = Place::new();
    let flags = ["--lease", "2s"];
    let mut nodes = vec![front::node(&place, "a", &flags)];
    place.active("a");
    nodes.push(front::node(&place, "b", &flags));
    standing_by(&place, &["b"]);
    let front = front::gateway(&place, &[]);

    let mut socket = open(&front).await;
    for number in 0..2000 {
        assert_echoed(&mut socket, &format!("word {number}"), "holder=a epoch=1").await;
    }
    let large = vec![7; 3 << 20];
    socket.send(Message::binary(large.clone())).await.unwrap();
    let echoed = next(&mut socket).await.unwrap().unwrap();
    assert!(echoed.into_data() == large);

    // The old leader sends a close frame, and the client gets it.
    place.ask(&["resign", "--to", "b"]).assert_code(0);
    assert_eq!(ended(socket).await, Some(CloseCode::Away));
    let mut socket = open(&front).await;
    assert_echoed(&mut socket, "again", "holder=b epoch=2").await;

    // A killed leader sends nothing. The connection still ends at once.
    standing_by(&place, &["a"]);
    nodes[1].kill();
    assert_eq!(ended(socket).await, None);
    let mut socket = open(&front).await;
    assert_echoed(&mut socket, "and again", "holder=a epoch=3").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_websocket_to_a_leader_that_sleeps_ends_once_another_leads() {
    let place = Place::new();
    let flags = ["--lease", "1s"];
    let a = front::node(&place, "a", &flags);
    place.active("a");
    let _b = front::node(&place, "b", &flags);
    standing_by(&place, &["b"]);
    let front = front::gateway(&place, &[]);
    let mut socket = open(&front).await;
    assert_echoed(&mut socket, "first", "holder=a epoch=1").await;
    let server = place.started(1).pid;
    for pid in [a.pid(), crate::harness::parent(server), server] {
        stop(pid);
    }
    assert_eq!(ended(socket).await, None);
    let mut socket = open(&front).await;
    assert_echoed(&mut socket, "second", "holder=b epoch=2").await;
}
