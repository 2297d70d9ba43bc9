//! Clients that take what they can get: each is stopped at a limit, and nobody else notices.

use std::time::Duration;

use http::{Method, Response};
use http_body_util::BodyExt as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::harness::{Cluster, Upstream, boxed, http2, options, raw, read_until, soon, until};

#[tokio::test]
async fn heads_that_are_too_large_are_refused() {
    let cluster = Cluster::new().await;
    let upstream = Upstream::saying("in").await;
    let _leadership = cluster.lead_at(&upstream).await;
    let mut options = options();
    options.limits.head = 8 * 1024;
    options.limits.fields = 20;
    let front = cluster.gateway_with(options).await;
    let long = format!(
        "GET / HTTP/1.1\r\nHost: h\r\nX-A: {}\r\n\r\n",
        "a".repeat(9000)
    );
    let answer = raw(front.address, long.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
    let many = format!(
        "GET / HTTP/1.1\r\nHost: h\r\n{}\r\n",
        "X-A: 1\r\n".repeat(30)
    );
    let answer = raw(front.address, many.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
    assert!(upstream.seen().is_empty());
}

/// What a connection to the leader is read with is bounded, too.
#[tokio::test]
async fn the_head_of_an_answer_has_a_limit() {
    let cluster = Cluster::new().await;
    let upstream = Upstream::new(|request| {
        let length = if request.uri().path() == "/long" {
            90
        } else {
            50
        };
        let mut response = Response::new(boxed("in"));
        let value = "a".repeat(length * 1024).parse().unwrap();
        response.headers_mut().insert("x-a", value);
        Box::pin(async move { response })
    });
    let upstream = upstream.await;
    let _leadership = cluster.lead_at(&upstream).await;
    let front = cluster.gateway().await;
    assert_eq!(front.get("/").await.text(), "in");
    front.get("/long").await.is_problem(502, "answer-too-large");
    assert_eq!(front.get("/").await.text(), "in");
}

#[tokio::test]
async fn bodies_that_are_too_large_are_refused_with_and_without_a_length() {
    let cluster = Cluster::new().await;
    let upstream = Upstream::echoing().await;
    let _leadership = cluster.lead_at(&upstream).await;
    let mut options = options();
    options.limits.body = Some(4);
    let front = cluster.gateway_with(options).await;
    assert_eq!(
        front.send(Method::POST, "/", &[], "four").await.text(),
        "four"
    );
    front
        .send(Method::POST, "/", &[], "fives")
        .await
        .is_problem(413, "too-large");
    assert_eq!(
        upstream.seen().len(),
        1,
        "who says it beforehand gets nowhere"
    );
}

#[tokio::test]
async fn a_body_without_a_length_is_cut_off_at_the_limit() {
    let cluster = Cluster::new().await;
    let upstream = Upstream::new(|request| {
        Box::pin(async move {
            let whole = request.into_body().collect().await;
            Response::new(boxed(if whole.is_ok() { "whole" } else { "cut" }))
        })
    });
    let upstream = upstream.await;
    let _leadership = cluster.lead_at(&upstream).await;
    let mut options = options();
    options.limits.body = Some(4);
    let front = cluster.gateway_with(options).await;
    let chunked = "POST / HTTP/1.1\r\nHost: h\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfives\r\n0\r\n\r\n";
    let answer = raw(front.address, chunked.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
}

/// Heads that drip, connections that say nothing, bodies that never come: closed in time, and
/// others are served meanwhile.
#[tokio::test]
async fn slow_clients_hold_nobody_up_and_are_closed() {
    let cluster = Cluster::new().await;
    let upstream = Upstream::new(|request| {
        Box::pin(async move {
            let whole = request
                .into_body()
                .collect()
                .await
                .map(|all| all.to_bytes());
            Response::new(boxed(whole.unwrap_or_default()))
        })
    });
    let upstream = upstream.await;
    let _leadership = cluster.lead_at(&upstream).await;
    let mut options = options();
    options.times.head = Duration::from_millis(300);
    options.times.stall = Duration::from_millis(300);
    let front = cluster.gateway_with(options).await;
    let mut slow = Vec::new();
    for beginning in [
        "",
        "G",
        "PRI",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: h\r\nX-A:",
        "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\npart",
        "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n9\r\npart",
    ] {
        for _ in 0..20 {
            let mut stream = TcpStream::connect(front.address).await.unwrap();
            stream.write_all(beginning.as_bytes()).await.unwrap();
            slow.push((beginning, stream));
        }
    }
    assert_eq!(
        front.send(Method::POST, "/", &[], "quick").await.text(),
        "quick"
    );
    for (beginning, mut stream) in slow {
        let mut answer = Vec::new();
        let _ = soon(stream.read_to_end(&mut answer)).await;
        if beginning.ends_with("part") {
            let answer = String::from_utf8_lossy(&answer);
            assert!(
                answer.starts_with("HTTP/1.1 408"),
                "{beginning:?}: {answer}"
            );
        }
    }
    until("nobody is left", || front.handle.status().connections == 0).await;
}

/// One byte now and then is no head either.
#[tokio::test]
async fn a_head_that_drips_is_not_waited_for() {
    let cluster = Cluster::new().await;
    let mut options = options();
    options.times.head = Duration::from_millis(200);
    let front = cluster.gateway_with(options).await;
    let stream = TcpStream::connect(front.address).await.unwrap();
    let (mut reading, mut writing) = stream.into_split();
    let dripping = tokio::spawn(async move {
        let _ = writing.write_all(b"GET / HTTP/1.1\r\nHost: h\r\nX: ").await;
        while writing.write_all(b"a").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    let mut answer = Vec::new();
    let _ = soon(reading.read_to_end(&mut answer)).await;
    dripping.abort();
}

#[tokio::test]
async fn a_client_that_reads_nothing_is_given_up() {
    let cluster = Cluster::new().await;
    let upstream = Upstream::new(|_| Box::pin(async { Response::new(boxed(vec![0; 64 << 20])) }));
    let upstream = upstream.await;
    let _leadership = cluster.lead_at(&upstream).await;
    let mut options = options();
    options.times.stall = Duration::from_millis(300);
    let front = cluster.gateway_with(options).await;
    let mut stream = TcpStream::connect(front.address).await.unwrap();
    stream
        .write_all(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        .await
        .unwrap();
    until("it is served", || front.handle.status().connections == 1).await;
    until("it is given up", || front.handle.status().connections == 0).await;
}

#[tokio::test]
async fn more_connections_than_may_be_wait_for_one_to_end() {
    let cluster = Cluster::new().await;
    let upstream = Upstream::saying("in").await;
    let _leadership = cluster.lead_at(&upstream).await;
    let mut options = options();
    options.limits.connections = 1;
    let front = cluster.gateway_with(options).await;
    let mut first = TcpStream::connect(front.address).await.unwrap();
    first
        .write_all(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        .await
        .unwrap();
    read_until(&mut first, "in").await;
    let mut second = TcpStream::connect(front.address).await.unwrap();
    second
        .write_all(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        .await
        .unwrap();
    assert_eq!(front.handle.status().connections, 1);
    drop(first);
    read_until(&mut second, "in").await;
}

/// An idle connection is closed in time, one with a request on it is not.
#[tokio::test]
async fn idle_connections_are_closed_and_busy_ones_are_not() {
    let cluster = Cluster::new().await;
    let upstream = Upstream::new(|_| {
        Box::pin(async {
            tokio::time::sleep(Duration::from_millis(900)).await;
            Response::new(boxed("late"))
        })
    });
    let upstream = upstream.await;
    let _leadership = cluster.lead_at(&upstream).await;
    let mut options = options();
    options.times.head = Duration::from_millis(200);
    let front = cluster.gateway_with(options).await;
    assert_eq!(front.get("/").await.text(), "late");
    let mut client = http2(front.address).await;
    let request = http::Request::get("http://h/").body(boxed("")).unwrap();
    let reply = crate::harness::read(soon(client.send_request(request)).await.unwrap()).await;
    assert_eq!(reply.unwrap().text(), "late");
    until("idle ones are closed", || client.is_closed()).await;
}

#[tokio::test]
async fn a_leader_that_takes_too_long_is_a_gateway_timeout_and_asked_once() {
    let cluster = Cluster::new().await;
    let upstream = Upstream::new(|_| Box::pin(std::future::pending()));
    let upstream = upstream.await;
    let _leadership = cluster.lead_at(&upstream).await;
    let mut options = options();
    options.times.first_byte = Duration::from_millis(100);
    let front = cluster.gateway_with(options).await;
    let reply = front.get("/").await;
    reply.is_problem(504, "slow");
    assert!(reply.text().contains("nothing was changed"), "{reply:?}");
    assert_eq!(upstream.seen().len(), 1);
    let reply = front.send(Method::POST, "/", &[], "pay").await;
    reply.is_problem(504, "slow");
    assert!(reply.text().contains("may be carried out yet"), "{reply:?}");
}

#[tokio::test]
async fn a_silent_answer_and_one_that_takes_too_long_in_all_are_cut_off() {
    use futures::StreamExt as _;
    use http_body::Frame;
    use http_body_util::StreamBody;

    for total in [false, true] {
        let cluster = Cluster::new().await;
        let upstream = Upstream::new(|_| {
            let begun =
                futures::stream::iter([Ok::<_, crate::harness::BoxError>(Frame::data("x".into()))]);
            let body = StreamBody::new(begun.chain(futures::stream::pending())).boxed_unsync();
            Box::pin(async move { Response::new(body) })
        });
        let upstream = upstream.await;
        let _leadership = cluster.lead_at(&upstream).await;
        let mut options = options();
        let limit = Some(Duration::from_millis(100));
        match total {
            true => options.times.total = limit,
            false => options.times.silence = limit,
        }
        let front = cluster.gateway_with(options).await;
        let asked = crate::harness::send(front.address, Method::GET, "/", &[], "");
        assert!(soon(asked).await.is_err());
    }
}

#[tokio::test]
async fn no_more_requests_at_a_time_than_may_be() {
    let cluster = Cluster::new().await;
    let mut options = options();
    options.limits.requests = 1;
    let front = cluster.gateway_with(options).await;
    let address = front.address;
    let first = tokio::spawn(async move {
        crate::harness::send(address, Method::GET, "/", &[], "")
            .await
            .unwrap()
    });
    until("it is held", || front.handle.status().held == 1).await;
    front.get("/").await.is_problem(503, "too-busy");
    let upstream = Upstream::saying("in").await;
    let _leadership = cluster.lead_at(&upstream).await;
    assert_eq!(soon(first).await.unwrap().text(), "in");
    until("its share is free", || {
        front.handle.status().connections == 0
    })
    .await;
    assert_eq!(front.get("/").await.text(), "in");
}
