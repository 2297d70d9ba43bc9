//! Clients of HTTP/2 that take nothing, or little, of what is there for them.

use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt as _;
use http::{Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::harness::{BoxError, Cluster, Upstream, boxed, http2, options, soon};

const SETTINGS: u8 = 4;
const HEADERS: u8 = 1;
const RESET: u8 = 3;

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = length[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// A `GET`, each field as a literal that is not indexed.
fn get(stream: u32) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in [
        (":method", "GET"),
        (":scheme", "http"),
        (":path", "/"),
        (":authority", "h"),
    ] {
        for text in [name, value] {
            if text == name {
                block.push(0);
            }
            block.push(u8::try_from(text.len()).unwrap());
            block.extend(text.as_bytes());
        }
    }
    let (ends_headers, ends_stream) = (4, 1);
    frame(HEADERS, ends_headers | ends_stream, stream, &block)
}

/// Reads frames until this one comes.
async fn read_frame(stream: &mut TcpStream, wanted: (u8, u32)) -> Vec<u8> {
    let reading = async {
        loop {
            let mut head = [0; 9];
            stream.read_exact(&mut head).await.unwrap();
            let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
            let mut payload = vec![0; length as usize];
            stream.read_exact(&mut payload).await.unwrap();
            let number = u32::from_be_bytes(head[5..].try_into().unwrap());
            if (head[3], number) == wanted {
                return payload;
            }
        }
    };
    soon(reading).await
}

#[tokio::test]
async fn an_answer_that_a_client_of_http2_gives_no_room_for_is_given_up() {
    let cluster = Cluster::new().await;
    let upstream = Upstream::new(|_| Box::pin(async { Response::new(boxed(vec![7; 300_000])) }));
    let upstream = upstream.await;
    let _leadership = cluster.lead_at(&upstream).await;
    let mut options = options();
    options.times.stall = Duration::from_millis(300);
    options.limits.requests = 2;
    let front = cluster.gateway_with(options).await;
    let mut stream = TcpStream::connect(front.address).await.unwrap();
    let mut asked = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    // A window of zero for each stream.
    asked.extend(frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 0]));
    asked.extend([get(1), get(3)].concat());
    stream.write_all(&asked).await.unwrap();
    for number in [1, 3] {
        read_frame(&mut stream, (HEADERS, number)).await;
    }
    front.get("/").await.is_problem(503, "too-busy");
    for number in [1, 3] {
        let reason = read_frame(&mut stream, (RESET, number)).await;
        assert_eq!(reason, [0, 0, 0, 8], "cancelled");
    }
    // Their shares are free, and the connection goes on.
    assert_eq!(front.get("/").await.body.len(), 300_000);
    stream.write_all(&get(5)).await.unwrap();
    read_frame(&mut stream, (HEADERS, 5)).await;
    assert_eq!(front.handle.status().connections, 1);
}

#[tokio::test]
async fn a_slow_client_of_http2_gets_its_answer_whole() {
    let cluster = Cluster::new().await;
    let whole: Bytes = (0..400_000_u32).map(|n| n as u8).collect();
    let body = whole.clone();
    let upstream = Upstream::new(move |_| {
        let body = body.clone();
        Box::pin(async move { Response::new(boxed(body)) })
    });
    let upstream = upstream.await;
    let _leadership = cluster.lead_at(&upstream).await;
    let mut options = options();
    options.times.stall = Duration::from_millis(500);
    let front = cluster.gateway_with(options).await;
    let stream = TcpStream::connect(front.address).await.unwrap();
    let (mut client, connection) = hyper::client::conn::http2::Builder::new(TokioExecutor::new())
        .initial_stream_window_size(16 * 1024)
        .handshake(TokioIo::new(stream))
        .await
        .unwrap();
    tokio::spawn(connection);
    let request = Request::get("http://h/").body(boxed("")).unwrap();
    let response = soon(client.send_request(request)).await.unwrap();
    assert_eq!(response.headers()["content-length"], "400000");
    let mut body = response.into_body();
    let mut got = Vec::new();
    // For more than a second in all.
    while let Some(frame) = soon(body.frame()).await {
        got.extend(frame.unwrap().into_data().unwrap());
        tokio::time::sleep(Duration::from_millis(40)).await;
    }
    assert!(got == whole, "{} bytes", got.len());
}

/// It is the leader who is waited for, not the client.
#[tokio::test]
async fn a_silent_answer_is_not_taken_for_a_client_that_takes_nothing() {
    let cluster = Cluster::new().await;
    let upstream = Upstream::new(|_| {
        let first = futures::stream::iter(["one"]);
        let last = futures::stream::once(async {
            tokio::time::sleep(Duration::from_millis(800)).await;
            "two"
        });
        let frames = first
            .chain(last)
            .map(|text| Ok::<_, BoxError>(Frame::data(text.into())));
        let body = StreamBody::new(frames).boxed_unsync();
        Box::pin(async move { Response::new(body) })
    });
    let upstream = upstream.await;
    let _leadership = cluster.lead_at(&upstream).await;
    let mut options = options();
    options.times.stall = Duration::from_millis(100);
    let front = cluster.gateway_with(options).await;
    let mut client = http2(front.address).await;
    let request = Request::get("http://h/").body(boxed("")).unwrap();
    let response = soon(client.send_request(request)).await.unwrap();
    let reply = soon(crate::harness::read(response)).await.unwrap();
    assert_eq!(reply.text(), "onetwo");
}
