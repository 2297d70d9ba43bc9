//! The one listener of a node.

use std::net::SocketAddr;

use incumbent_gateway::worker::{WorkerNonce, verify_same};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::harness::{Cluster, How, PATIENCE, Stream, id, record};

/// Sends these bytes, and reads what comes until the answer stops or the connection ends.
pub(super) async fn raw(to: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(to).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut answer = vec![0; 4096];
    let read = tokio::time::timeout(PATIENCE, stream.read(&mut answer)).await;
    answer.truncate(read.expect("an answer in time").unwrap_or(0));
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn a_process_that_is_connected_back_to_proves_that_it_is_the_one() {
    let cluster = Cluster::new();
    let nonce = WorkerNonce::random();
    let how = How {
        nonce: Some(nonce),
        ..How::default()
    };
    let (worker, other) = (cluster.node(how).await, cluster.node(How::default()).await);
    let verify = |node: &super::harness::Running| {
        verify_same(node.address, None, node.address.port(), nonce, PATIENCE)
    };
    assert!(verify(&worker).await.is_ok());
    assert!(verify(&other).await.is_err(), "it has no nonce");
    // The same listener speaks HTTP.
    assert_eq!(worker.get("/healthz").send().await.status, 200);
}

#[tokio::test]
async fn a_head_that_is_too_large_is_refused() {
    let cluster = Cluster::new();
    let node = cluster.node(How::default()).await;
    let long = "x".repeat(70 * 1024);
    let head = format!(
        "GET /healthz HTTP/1.1\r\nhost: {}\r\nx: {long}\r\n\r\n",
        node.address
    );
    let answer = raw(node.address, head.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
}

#[tokio::test]
async fn a_shutdown_ends_answers_that_have_no_end() {
    let cluster = Cluster::new();
    let node = cluster.node(How::default()).await;
    node.write(&record(id(1), 1, "127.0.0.1:1".parse().unwrap()))
        .await;
    let ask = node.get(&format!("/v1/jobs/{}/logs?follow", id(1)));
    let mut following = Stream::of(ask.header("accept", "text/event-stream")).await;
    node.stop().await;
    assert_eq!(following.until("event: end").await, None);
}
