//! What becomes of requests when the leader changes.

use std::sync::Arc;
use std::time::Duration;

use http::{Method, Response, StatusCode};
use http_body_util::BodyExt as _;
use tokio::sync::{Notify, Semaphore};

use crate::harness::{BoxError, Cluster, Front, Upstream, boxed, options, send, soon, until};

/// An upstream that takes requests and answers none, and says when it has one.
pub(crate) async fn silent() -> (Upstream, Arc<Semaphore>) {
    let asked = Arc::new(Semaphore::new(0));
    let says = Arc::clone(&asked);
    let upstream = Upstream::new(move |request| {
        let says = Arc::clone(&says);
        Box::pin(async move {
            // With its whole body, if it has an end.
            let _ = request.into_body().collect().await;
            says.add_permits(1);
            std::future::pending().await
        })
    });
    (upstream.await, asked)
}

pub(crate) fn in_background(
    front: &Front,
    method: Method,
    headers: &'static [(&'static str, &'static str)],
    body: &'static str,
) -> tokio::task::JoinHandle<crate::harness::Reply> {
    let address = front.address;
    tokio::spawn(async move { send(address, method, "/x", headers, body).await.unwrap() })
}

pub(crate) async fn asked(says: &Semaphore) {
    soon(says.acquire()).await.unwrap().forget();
}

pub(crate) async fn is_held(front: &Front, count: usize) {
    until("requests are held", || front.handle.status().held == count).await;
}

#[tokio::test]
async fn requests_follow_the_leader() {
    let (cluster, first) = (Cluster::new().await, Upstream::saying("first").await);
    let front = cluster.gateway().await;
    let leadership = cluster.lead_at(&first).await;
    assert_eq!(front.get("/").await.text(), "first");
    leadership.resign(None).await;
    let second = Upstream::saying("second").await;
    let _second = cluster.lead_at(&second).await;
    // The first one is still there and would answer, but does not lead.
    until("the gateway sees the new leader", || {
        front.handle.status().is_ready
    })
    .await;
    assert_eq!(front.get("/").await.text(), "second");
    assert_eq!(first.seen().len(), 1);
}

#[tokio::test]
async fn a_request_without_a_leader_is_held_for_the_next() {
    let cluster = Cluster::new().await;
    let front = cluster.gateway().await;
    let waiting = in_background(&front, Method::POST, &[], "body");
    is_held(&front, 1).await;
    let echo = Upstream::echoing().await;
    let _leadership = cluster.lead_at(&echo).await;
    let reply = soon(waiting).await.unwrap();
    assert_eq!((reply.status, reply.text()), (StatusCode::OK, "body"));
    is_held(&front, 0).await;
}

#[tokio::test]
async fn a_get_that_was_sent_and_not_answered_is_answered_by_the_next_leader() {
    let cluster = Cluster::new().await;
    let (first, says) = silent().await;
    let leadership = cluster.lead_at(&first).await;
    let front = cluster.gateway().await;
    let waiting = in_background(&front, Method::GET, &[], "");
    asked(&says).await;
    first.kill().await;
    is_held(&front, 1).await;
    leadership.resign(None).await;
    let second = Upstream::saying("second").await;
    let _second = cluster.lead_at(&second).await;
    let reply = soon(waiting).await.unwrap();
    assert_eq!((reply.status, reply.text()), (StatusCode::OK, "second"));
    assert_eq!(second.seen()[0].headers["incumbent-epoch"], "2");
}

#[tokio::test]
async fn a_put_is_repeated_with_its_whole_body() {
    let cluster = Cluster::new().await;
    let (first, says) = silent().await;
    let leadership = cluster.lead_at(&first).await;
    let front = cluster.gateway().await;
    let waiting = in_background(&front, Method::PUT, &[], "all of the body");
    asked(&says).await;
    first.kill().await;
    leadership.resign(None).await;
    let echo = Upstream::echoing().await;
    let _second = cluster.lead_at(&echo).await;
    assert_eq!(soon(waiting).await.unwrap().text(), "all of the body");
    assert_eq!(echo.seen()[0].headers["content-length"], "15");
}

#[tokio::test]
async fn a_post_that_was_sent_and_not_answered_is_refused_once_and_not_repeated() {
    let cluster = Cluster::new().await;
    let (first, says) = silent().await;
    let leadership = cluster.lead_at(&first).await;
    let front = cluster.gateway().await;
    let waiting = in_background(&front, Method::POST, &[], "pay");
    asked(&says).await;
    first.kill().await;
    let reply = soon(waiting).await.unwrap();
    reply.is_problem(502, "lost");
    let body: serde_json::Value = serde_json::from_slice(&reply.body).unwrap();
    assert_eq!(body["processed"], "unknown");
    leadership.resign(None).await;
    let second = Upstream::saying("second").await;
    let _second = cluster.lead_at(&second).await;
    assert_eq!(front.get("/after").await.text(), "second");
    assert_eq!(second.seen().len(), 1, "only what came after");
}

#[tokio::test]
async fn a_post_with_an_idempotency_key_is_repeated() {
    let cluster = Cluster::new().await;
    let (first, says) = silent().await;
    let leadership = cluster.lead_at(&first).await;
    let front = cluster.gateway().await;
    let waiting = in_background(&front, Method::POST, &[("idempotency-key", "k1")], "pay");
    asked(&says).await;
    first.kill().await;
    leadership.resign(None).await;
    let echo = Upstream::echoing().await;
    let _second = cluster.lead_at(&echo).await;
    assert_eq!(soon(waiting).await.unwrap().text(), "pay");
    assert_eq!(echo.seen()[0].headers["idempotency-key"], "k1");
}

#[tokio::test]
async fn a_body_that_is_too_large_to_be_kept_is_not_repeated() {
    let cluster = Cluster::new().await;
    let (first, says) = silent().await;
    let _leadership = cluster.lead_at(&first).await;
    let mut options = options();
    options.limits.kept_body = 3;
    let front = cluster.gateway_with(options).await;
    let waiting = in_background(&front, Method::PUT, &[], "four");
    asked(&says).await;
    first.kill().await;
    soon(waiting).await.unwrap().is_problem(502, "lost");
}

#[tokio::test]
async fn a_leader_that_refuses_connections_is_waited_for_and_found_when_it_listens() {
    let cluster = Cluster::new().await;
    let address = Upstream::saying("gone").await.kill().await;
    let _leadership = cluster.lead(&[("web", &address.to_string())]).await;
    let front = cluster.gateway().await;
    let waiting = in_background(&front, Method::POST, &[], "body");
    is_held(&front, 1).await;
    assert_eq!(front.handle.status().leader, "unreachable");
    let socket = tokio::net::TcpListener::bind(address).await.unwrap();
    let back = Upstream::on(socket, |request| {
        Box::pin(async move {
            Response::new(request.into_body().map_err(BoxError::from).boxed_unsync())
        })
    });
    assert_eq!(soon(waiting).await.unwrap().text(), "body");
    assert_eq!(back.seen().len(), 1);
}

#[tokio::test]
async fn an_endpoint_that_is_published_later_is_waited_for() {
    let cluster = Cluster::new().await;
    let leadership = cluster.lead(&[("other", "127.0.0.1:1")]).await;
    let front = cluster.gateway().await;
    let waiting = in_background(&front, Method::GET, &[], "");
    is_held(&front, 1).await;
    assert_eq!(front.handle.status().leader, "not published");
    let upstream = Upstream::saying("here").await;
    let address = format!("http://{}/ignored", upstream.address);
    leadership
        .publish(&"web".parse().unwrap(), &address)
        .await
        .unwrap();
    assert_eq!(soon(waiting).await.unwrap().text(), "here");
    assert_eq!(upstream.seen()[0].target, "/x");
}

#[tokio::test]
async fn no_more_requests_are_held_than_may_be_and_the_rest_is_told_so() {
    let cluster = Cluster::new().await;
    let mut options = options();
    options.limits.held = 2;
    let front = cluster.gateway_with(options).await;
    let waiting: Vec<_> = (0..2)
        .map(|_| in_background(&front, Method::GET, &[], ""))
        .collect();
    is_held(&front, 2).await;
    front.get("/").await.is_problem(503, "too-many-held");
    let upstream = Upstream::saying("here").await;
    let _leadership = cluster.lead_at(&upstream).await;
    for waiting in waiting {
        assert_eq!(soon(waiting).await.unwrap().text(), "here");
    }
}

#[tokio::test]
async fn no_request_is_held_longer_than_it_may_be() {
    let cluster = Cluster::new().await;
    let mut options = options();
    options.times.hold = Duration::from_millis(50);
    let front = cluster.gateway_with(options).await;
    front.get("/").await.is_problem(503, "no-leader");
    let _leadership = cluster.lead(&[("other", "127.0.0.1:1")]).await;
    until("the leader is seen", || {
        front.handle.status().leader == "not published"
    })
    .await;
    front.get("/").await.is_problem(503, "not-published");
}

#[tokio::test]
async fn a_client_that_goes_away_gives_its_place_back() {
    let cluster = Cluster::new().await;
    let front = cluster.gateway().await;
    let waiting = in_background(&front, Method::GET, &[], "");
    is_held(&front, 1).await;
    waiting.abort();
    is_held(&front, 0).await;
}

/// The leader resigns while it answers: what is under way is finished by it, what comes is held,
/// nothing fails.
#[tokio::test]
async fn a_planned_hand_over_loses_nothing() {
    let cluster = Cluster::new().await;
    let (go_on, says) = (Arc::new(Notify::new()), Arc::new(Semaphore::new(0)));
    let (wait, say) = (Arc::clone(&go_on), Arc::clone(&says));
    let first = Upstream::new(move |_| {
        let (wait, say) = (Arc::clone(&wait), Arc::clone(&say));
        Box::pin(async move {
            say.add_permits(1);
            wait.notified().await;
            Response::new(boxed("first"))
        })
    });
    let first = first.await;
    let leadership = cluster.lead_at(&first).await;
    let front = cluster.gateway().await;
    let under_way = in_background(&front, Method::POST, &[], "pay");
    asked(&says).await;
    leadership.resign(None).await;
    until("nobody leads", || {
        front.handle.status().leader == "no leader"
    })
    .await;
    let came_between = in_background(&front, Method::POST, &[], "pay");
    is_held(&front, 1).await;
    go_on.notify_one();
    assert_eq!(soon(under_way).await.unwrap().text(), "first");
    let second = Upstream::saying("second").await;
    let _second = cluster.lead_at(&second).await;
    assert_eq!(soon(came_between).await.unwrap().text(), "second");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_hand_overs_under_load_fail_no_request() {
    let cluster = Cluster::new().await;
    let front = cluster.gateway().await;
    let address = front.address;
    let (stop, stopping) = tokio::sync::watch::channel(false);
    let clients: Vec<_> = (0..8)
        .map(|_| {
            let stopping = stopping.clone();
            tokio::spawn(async move {
                let mut count = 0;
                while !*stopping.borrow() {
                    let reply = send(address, Method::POST, "/", &[], "tick").await.unwrap();
                    assert_eq!(
                        (reply.status, reply.text()),
                        (StatusCode::OK, "tick"),
                        "{reply:?}"
                    );
                    count += 1;
                }
                count
            })
        })
        .collect();
    for _ in 0..20 {
        let upstream = Upstream::echoing().await;
        let leadership = cluster.lead_at(&upstream).await;
        until("it is asked", || upstream.seen().len() >= 8).await;
        leadership.resign(None).await;
        // It stays until nobody uses it: the hand-over is planned.
        until("nobody uses it", || front.handle.status().held == 8).await;
    }
    let last = Upstream::echoing().await;
    let _last = cluster.lead_at(&last).await;
    stop.send(true).unwrap();
    for client in clients {
        assert!(soon(client).await.unwrap() > 20);
    }
}

/// Killed in the middle of requests, each time: idempotent ones do not notice. Each client gets an
/// answer of each leader; else a request could be unlucky more often than it is repeated.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_kills_under_load_fail_no_get() {
    use std::sync::atomic::{AtomicUsize, Ordering};

    let cluster = Cluster::new().await;
    let front = cluster.gateway().await;
    let address = front.address;
    let (stop, stopping) = tokio::sync::watch::channel(false);
    let counts: Arc<[AtomicUsize; 8]> = Arc::default();
    let clients: Vec<_> = (0..8)
        .map(|index| {
            let (stopping, counts) = (stopping.clone(), Arc::clone(&counts));
            tokio::spawn(async move {
                while !*stopping.borrow() {
                    let reply = send(address, Method::GET, "/", &[], "").await.unwrap();
                    assert_eq!((reply.status, reply.text()), (StatusCode::OK, "tick"));
                    counts[index].fetch_add(1, Ordering::SeqCst);
                }
            })
        })
        .collect();
    for _ in 0..20 {
        let upstream = Upstream::new(|_| {
            Box::pin(async {
                // Some are always under way.
                tokio::time::sleep(Duration::from_millis(2)).await;
                Response::new(boxed("tick"))
            })
        });
        let upstream = upstream.await;
        let before: Vec<usize> = counts
            .iter()
            .map(|count| count.load(Ordering::SeqCst))
            .collect();
        let leadership = cluster.lead_at(&upstream).await;
        until("each has an answer", || {
            let mut both = counts.iter().zip(&before);
            both.all(|(count, before)| count.load(Ordering::SeqCst) > *before)
        })
        .await;
        upstream.kill().await;
        leadership.resign(None).await;
    }
    let last = Upstream::saying("tick").await;
    let _last = cluster.lead_at(&last).await;
    until("the last one is asked", || last.seen().len() >= 8).await;
    stop.send(true).unwrap();
    for client in clients {
        soon(client).await.unwrap();
    }
}

/// What is kept for one request makes room for others as soon as its answer has begun.
#[tokio::test]
async fn what_was_kept_of_a_body_is_let_go_when_its_answer_begins() {
    let cluster = Cluster::new().await;
    let (first, says) = silent().await;
    let endless = Upstream::new(|request| {
        Box::pin(async move {
            let _ = request.into_body().collect().await;
            let body = http_body_util::StreamBody::new(futures::stream::pending::<
                Result<http_body::Frame<bytes::Bytes>, BoxError>,
            >());
            Response::new(body.boxed_unsync())
        })
    });
    let endless = endless.await;
    let mut options = options();
    options.limits.kept_bodies = 4;
    let front = cluster.gateway_with(options).await;
    let leadership = cluster.lead_at(&endless).await;
    let mut stream = tokio::net::TcpStream::connect(front.address).await.unwrap();
    let request = b"PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nkeep";
    tokio::io::AsyncWriteExt::write_all(&mut stream, request)
        .await
        .unwrap();
    crate::harness::read_until(&mut stream, "200 OK").await;
    leadership.resign(None).await;
    let leadership = cluster.lead_at(&first).await;
    let waiting = in_background(&front, Method::PUT, &[], "too!");
    asked(&says).await;
    first.kill().await;
    leadership.resign(None).await;
    let echo = Upstream::echoing().await;
    let _last = cluster.lead_at(&echo).await;
    assert_eq!(soon(waiting).await.unwrap().text(), "too!");
}
