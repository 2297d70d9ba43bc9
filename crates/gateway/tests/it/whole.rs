//! Answers that break off: short ones are replaced, long ones are not taken for whole, and no
//! client finds its connection closed where it is owed an answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http::{Method, Response, StatusCode};
use http_body_util::BodyExt as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use crate::change::{asked, in_background, is_held, silent};
use crate::harness::{
    Cluster, Upstream, boxed, http2, options, raw, read, read_until, send, soon, until,
};

/// The head of an answer of ten bytes, and half of them.
const HALF: &str = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf-";
const WHOLE: &str = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf-whole";

/// A server that answers the requests that come with these bytes, one after the other, and closes
/// the connection each time; the last one again and again.
struct Scripted {
    address: String,
    asked: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Scripted {
    async fn new(answers: &'static [&'static str]) -> Self {
        let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap().to_string();
        let asked = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&asked);
        let task = tokio::spawn(async move {
            loop {
                let (mut stream, _) = socket.accept().await.unwrap();
                let count = Arc::clone(&count);
                tokio::spawn(async move {
                    let mut head = Vec::new();
                    while !head.windows(4).any(|four| four == b"\r\n\r\n") {
                        if stream.read_buf(&mut head).await.unwrap_or(0) == 0 {
                            return;
                        }
                    }
                    let number = count.fetch_add(1, Ordering::SeqCst);
                    let answer = answers[number.min(answers.len() - 1)];
                    stream.write_all(answer.as_bytes()).await.unwrap();
                });
            }
        });
        Self {
            address,
            asked,
            task,
        }
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

impl Drop for Scripted {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[tokio::test]
async fn a_short_answer_that_breaks_off_is_asked_for_again() {
    let (cluster, leader) = (Cluster::new().await, Scripted::new(&[HALF, WHOLE]).await);
    let _leadership = cluster.lead(&[("web", &leader.address)]).await;
    let front = cluster.gateway().await;
    assert_eq!(front.get("/").await.text(), "half-whole");
    assert_eq!(leader.asked(), 2);
}

#[tokio::test]
async fn clients_of_http2_get_short_answers_whole_too() {
    let (cluster, leader) = (Cluster::new().await, Scripted::new(&[HALF, WHOLE]).await);
    let _leadership = cluster.lead(&[("web", &leader.address)]).await;
    let front = cluster.gateway().await;
    let mut client = http2(front.address).await;
    let request = http::Request::get("http://h/").body(boxed("")).unwrap();
    let response = soon(client.send_request(request)).await.unwrap();
    assert_eq!(read(response).await.unwrap().text(), "half-whole");
}

#[tokio::test]
async fn a_post_whose_short_answer_breaks_off_gets_a_problem_and_is_not_repeated() {
    let (cluster, leader) = (Cluster::new().await, Scripted::new(&[HALF, WHOLE]).await);
    let _leadership = cluster.lead(&[("web", &leader.address)]).await;
    let front = cluster.gateway().await;
    let reply = front.send(Method::POST, "/", &[], "pay").await;
    reply.is_problem(502, "lost");
    assert!(reply.text().contains(r#""processed":"unknown""#));
    assert_eq!(leader.asked(), 1);
}

/// Its head has gone out, so all that is left is not to pretend that it is whole.
#[tokio::test]
async fn answers_that_are_too_long_to_be_read_whole_are_passed_on_and_break_off() {
    for (longest, room) in [(9, 1000), (1000, 9)] {
        let (cluster, leader) = (Cluster::new().await, Scripted::new(&[HALF, WHOLE]).await);
        let _leadership = cluster.lead(&[("web", &leader.address)]).await;
        let mut options = options();
        options.limits.whole_answer = longest;
        options.limits.whole_answers = room;
        let front = cluster.gateway_with(options).await;
        let text = raw(front.address, b"GET / HTTP/1.1\r\nHost: h\r\n\r\n").await;
        assert!(text.starts_with("HTTP/1.1 200 OK\r\n"), "{text}");
        assert!(text.ends_with("\r\n\r\nhalf-"), "{text}");
        assert_eq!(leader.asked(), 1);
    }
}

/// The client sees what came, and that it is not all. A connection that closes without a word looks
/// like a gateway that has died.
#[tokio::test]
async fn an_endless_answer_that_breaks_off_at_once_still_has_a_head() {
    const CHUNKED: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let (cluster, leader) = (Cluster::new().await, Scripted::new(&[CHUNKED]).await);
    let _leadership = cluster.lead(&[("web", &leader.address)]).await;
    let front = cluster.gateway().await;
    for _ in 0..20 {
        let text = raw(front.address, b"GET / HTTP/1.1\r\nHost: h\r\n\r\n").await;
        assert!(text.starts_with("HTTP/1.1 200 OK\r\n"), "{text:?}");
        assert!(text.ends_with("\r\n\r\n"), "and no last chunk: {text:?}");
    }
}

#[tokio::test]
async fn a_short_answer_that_stands_still_is_asked_of_the_next_leader() {
    let cluster = Cluster::new().await;
    let stuck = Upstream::new(|_| {
        Box::pin(async {
            let pieces = futures::stream::once(async {
                Ok::<_, crate::harness::BoxError>(http_body::Frame::data("half-".into()))
            });
            let pieces = futures::StreamExt::chain(pieces, futures::stream::pending());
            let body = http_body_util::StreamBody::new(pieces);
            let mut response = Response::new(body.boxed_unsync());
            response.headers_mut().insert("content-length", 10.into());
            response
        })
    });
    let stuck = stuck.await;
    let leadership = cluster.lead_at(&stuck).await;
    let mut options = options();
    options.times.overtaken = Duration::from_millis(10);
    let front = cluster.gateway_with(options).await;
    let waiting = in_background(&front, Method::GET, &[], "");
    until("it is asked", || stuck.seen().len() == 1).await;
    leadership.resign(None).await;
    let second = Upstream::saying("second").await;
    let _second = cluster.lead_at(&second).await;
    assert_eq!(soon(waiting).await.unwrap().text(), "second");
}

/// The detail of `lost` says that the request cannot be sent again, which would not be true here.
#[tokio::test]
async fn a_get_that_is_held_until_its_time_is_over_is_told_that_it_can_be_sent_again() {
    let cluster = Cluster::new().await;
    let (first, says) = silent().await;
    let leadership = cluster.lead_at(&first).await;
    let mut options = options();
    options.times.hold = Duration::from_millis(300);
    let front = cluster.gateway_with(options).await;
    let waiting = in_background(&front, Method::GET, &[], "");
    asked(&says).await;
    leadership.resign(None).await;
    first.kill().await;
    let reply = soon(waiting).await.unwrap();
    reply.is_problem(503, "out-of-time");
    let body: serde_json::Value = serde_json::from_slice(&reply.body).unwrap();
    assert!(body["processed"].is_null(), "{body}");
    assert!(
        reply
            .text()
            .contains("nothing was changed, and it can be sent again"),
        "{}",
        reply.text()
    );
}

#[tokio::test]
async fn what_is_sent_and_not_answered_when_a_shutdown_ends_is_told_so() {
    let cluster = Cluster::new().await;
    let (upstream, says) = silent().await;
    let _leadership = cluster.lead_at(&upstream).await;
    let mut options = options();
    options.times.drain = Duration::from_secs(4);
    let mut front = cluster.gateway_with(options).await;
    let waiting = in_background(&front, Method::POST, &[], "pay");
    let mut client = http2(front.address).await;
    let request = http::Request::get("http://h/").body(boxed("")).unwrap();
    let other = tokio::spawn(client.send_request(request));
    asked(&says).await;
    asked(&says).await;
    soon(front.stop()).await.unwrap();
    let reply = soon(waiting).await.unwrap();
    reply.is_problem(503, "closing");
    assert!(reply.text().contains(r#""processed":"unknown""#));
    let other = soon(other).await.unwrap().expect("an answer");
    read(other).await.unwrap().is_problem(503, "closing");
}

/// Its client could not know that the gateway ends.
#[tokio::test]
async fn a_request_that_comes_just_after_a_shutdown_began_is_answered() {
    let cluster = Cluster::new().await;
    let upstream = Upstream::saying("in").await;
    let _leadership = cluster.lead_at(&upstream).await;
    let mut options = options();
    options.times.drain = Duration::from_secs(20);
    let mut front = cluster.gateway_with(options).await;
    let mut stream = TcpStream::connect(front.address).await.unwrap();
    let get = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n";
    stream.write_all(get).await.unwrap();
    let first = read_until(&mut stream, "in").await;
    assert!(!first.contains("connection: close"), "{first}");
    let ended = front.stop();
    let address = front.address;
    until("nothing new is taken", || {
        std::net::TcpStream::connect(address).is_err()
    })
    .await;
    stream.write_all(get).await.unwrap();
    let second = read_until(&mut stream, "in").await;
    assert!(second.contains("connection: close"), "{second}");
    soon(ended).await.unwrap();
}

/// What comes on a closed connection is answered with a reset, which erases an answer that the
/// client has not read yet.
#[tokio::test]
async fn a_client_that_is_refused_while_it_sends_still_gets_its_answer() {
    const LENGTH: usize = 16 << 20;
    let cluster = Cluster::new().await;
    let upstream = Upstream::saying("in").await;
    let _leadership = cluster.lead_at(&upstream).await;
    let mut options = options();
    options.limits.body = Some(10);
    let front = cluster.gateway_with(options).await;
    for _ in 0..5 {
        let stream = TcpStream::connect(front.address).await.unwrap();
        let (mut reading, mut writing) = stream.into_split();
        let head = format!("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: {LENGTH}\r\n\r\n");
        writing.write_all(head.as_bytes()).await.unwrap();
        // It reads only when it has sent all, as simple clients do.
        let body = vec![b'x'; LENGTH];
        let _ = soon(writing.write_all(&body)).await;
        let mut answer = Vec::new();
        let _ = soon(reading.read_to_end(&mut answer)).await;
        let answer = String::from_utf8_lossy(&answer);
        assert!(answer.starts_with("HTTP/1.1 413 "), "{answer:?}");
    }
}

#[tokio::test]
async fn requests_that_were_held_come_a_few_at_a_time_to_a_leader_that_has_just_started() {
    const HELD: usize = 60;
    let cluster = Cluster::new().await;
    let front = cluster.gateway().await;
    let waiting: Vec<_> = (0..HELD)
        .map(|_| in_background(&front, Method::GET, &[], ""))
        .collect();
    is_held(&front, HELD).await;
    let (at_once, go_on) = (Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
    let (count, wait) = (Arc::clone(&at_once), Arc::clone(&go_on));
    let starting = Upstream::new(move |_| {
        let (count, wait) = (Arc::clone(&count), Arc::clone(&wait));
        Box::pin(async move {
            // The first four stand for a server that is still slow.
            if count.fetch_add(1, Ordering::SeqCst) < 4 {
                wait.notified().await;
            }
            Response::new(boxed("started"))
        })
    });
    let starting = starting.await;
    let _leadership = cluster.lead_at(&starting).await;
    until("the first are asked", || {
        at_once.load(Ordering::SeqCst) == 4
    })
    .await;
    go_on.notify_waiters();
    let mut statuses = Vec::new();
    for reply in waiting {
        statuses.push(soon(reply).await.unwrap().status);
    }
    assert_eq!(statuses, [StatusCode::OK; HELD]);
    assert_eq!(
        send(front.address, Method::GET, "/", &[], "")
            .await
            .unwrap()
            .text(),
        "started"
    );
}
