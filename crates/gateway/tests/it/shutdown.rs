//! A gateway that is shut down.

use std::sync::Arc;
use std::time::Duration;

use http::{Method, Response};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Notify;

use crate::harness::{
    Cluster, Upstream, boxed, http2, options, read, read_until, send, soon, until,
};

#[tokio::test]
async fn what_is_under_way_is_answered_and_nothing_new_is_taken() {
    let cluster = Cluster::new().await;
    let go_on = Arc::new(Notify::new());
    let wait = Arc::clone(&go_on);
    let upstream = Upstream::new(move |_| {
        let wait = Arc::clone(&wait);
        Box::pin(async move {
            wait.notified().await;
            Response::new(boxed("answered"))
        })
    });
    let upstream = upstream.await;
    let _leadership = cluster.lead_at(&upstream).await;
    let mut front = cluster.gateway().await;
    let address = front.address;
    let mut idle = TcpStream::connect(address).await.unwrap();
    let waiting = tokio::spawn(async move { send(address, Method::GET, "/", &[], "").await });
    until("it is asked", || upstream.seen().len() == 1).await;
    until("both are there", || front.handle.status().connections == 2).await;
    let ended = front.stop();
    until("nothing new is taken", || {
        std::net::TcpStream::connect(address).is_err()
    })
    .await;
    // An idle connection is closed soon.
    let mut end = Vec::new();
    soon(idle.read_to_end(&mut end)).await.unwrap();
    go_on.notify_one();
    assert_eq!(soon(waiting).await.unwrap().unwrap().text(), "answered");
    soon(ended).await.unwrap();
}

#[tokio::test]
async fn what_is_held_when_a_shutdown_begins_goes_to_the_next_leader() {
    let cluster = Cluster::new().await;
    let mut front = cluster.gateway().await;
    let address = front.address;
    let waiting = tokio::spawn(async move { send(address, Method::POST, "/", &[], "pay").await });
    until("it is held", || front.handle.status().held == 1).await;
    let ended = front.stop();
    until("nothing new is taken", || {
        std::net::TcpStream::connect(address).is_err()
    })
    .await;
    let upstream = Upstream::echoing().await;
    let _leadership = cluster.lead_at(&upstream).await;
    assert_eq!(soon(waiting).await.unwrap().unwrap().text(), "pay");
    soon(ended).await.unwrap();
}

#[tokio::test]
async fn what_is_still_held_when_a_shutdown_ends_is_told_to_try_again() {
    let cluster = Cluster::new().await;
    let mut options = options();
    options.times.drain = Duration::from_secs(3);
    let mut front = cluster.gateway_with(options).await;
    let address = front.address;
    let waiting = tokio::spawn(async move { send(address, Method::POST, "/", &[], "pay").await });
    let mut client = http2(address).await;
    let request = http::Request::get("http://h/").body(boxed("")).unwrap();
    let other = tokio::spawn(client.send_request(request));
    until("both are held", || front.handle.status().held == 2).await;
    soon(front.stop()).await.unwrap();
    let reply = soon(waiting).await.unwrap().expect("an answer");
    reply.is_problem(503, "no-leader");
    let other = soon(other).await.unwrap().expect("an answer");
    read(other).await.unwrap().is_problem(503, "no-leader");
}

#[tokio::test]
async fn what_does_not_end_in_time_is_cut() {
    let cluster = Cluster::new().await;
    let upstream = Upstream::new(|_| Box::pin(std::future::pending()));
    let upstream = upstream.await;
    let _leadership = cluster.lead_at(&upstream).await;
    let mut options = options();
    options.times.drain = Duration::from_millis(50);
    let mut front = cluster.gateway_with(options).await;
    let mut stream = TcpStream::connect(front.address).await.unwrap();
    stream
        .write_all(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        .await
        .unwrap();
    until("it is asked", || upstream.seen().len() == 1).await;
    soon(front.stop()).await.unwrap();
    let mut end = Vec::new();
    let _ = soon(stream.read_to_end(&mut end)).await;
    assert!(end.is_empty());
}

#[tokio::test]
async fn a_connection_that_was_kept_alive_is_closed_after_its_answer() {
    let cluster = Cluster::new().await;
    let upstream = Upstream::saying("in").await;
    let _leadership = cluster.lead_at(&upstream).await;
    let mut front = cluster.gateway().await;
    let mut stream = TcpStream::connect(front.address).await.unwrap();
    stream
        .write_all(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        .await
        .unwrap();
    read_until(&mut stream, "in").await;
    soon(front.stop()).await.unwrap();
    let mut end = Vec::new();
    soon(stream.read_to_end(&mut end)).await.unwrap();
}
