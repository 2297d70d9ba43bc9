//! What becomes of requests when a leader misbehaves: it says 421, closes, breaks off, is overtaken
//! or cannot be reached.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::StreamExt as _;
use http::{Method, Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use incumbent_gateway::{Gateway, Peer};

use crate::harness::{Cluster, RawUpstream, Upstream, boxed, exchange, options, send, soon, until};

use crate::change::{asked, in_background, is_held, silent};

#[tokio::test]
async fn who_says_421_is_hardly_asked_again_and_the_request_waits_for_the_next_leader() {
    let cluster = Cluster::new().await;
    let deposed = Upstream::new(|request| {
        Box::pin(async move {
            let _ = request.into_body().collect().await;
            let mut response = Response::new(boxed("not me"));
            *response.status_mut() = StatusCode::MISDIRECTED_REQUEST;
            response.headers_mut().insert("incumbent-epoch", 1.into());
            response
        })
    });
    let deposed = deposed.await;
    let leadership = cluster.lead_at(&deposed).await;
    let front = cluster.gateway().await;
    let first = in_background(&front, Method::POST, &[], "one");
    is_held(&front, 1).await;
    let second = in_background(&front, Method::POST, &[], "two");
    is_held(&front, 2).await;
    assert_eq!(deposed.seen()[0].headers["incumbent-epoch"], "1");
    leadership.resign(None).await;
    let echo = Upstream::echoing().await;
    let _second = cluster.lead_at(&echo).await;
    assert_eq!(soon(first).await.unwrap().text(), "one");
    assert_eq!(soon(second).await.unwrap().text(), "two");
    // The pauses double: two requests in the twenty seconds that all this may take.
    assert!(deposed.seen().len() < 20, "{}", deposed.seen().len());
}

/// Servers say 421 for a `Host` that they do not serve: that is an answer like any other.
#[tokio::test]
async fn a_421_of_an_application_is_passed_on_and_holds_nobody_up() {
    let cluster = Cluster::new().await;
    let picky = Upstream::new(|request| {
        let is_odd = request.headers()["host"] == "odd";
        Box::pin(async move {
            let mut response = Response::new(boxed("well"));
            if is_odd {
                *response.status_mut() = StatusCode::MISDIRECTED_REQUEST;
                *response.body_mut() = boxed("no such host");
            }
            response
        })
    });
    let picky = picky.await;
    let _leadership = cluster.lead_at(&picky).await;
    let front = cluster.gateway().await;
    for method in [Method::GET, Method::POST] {
        let odd = front.send(method, "/", &[("host", "odd")], "").await;
        assert_eq!(odd.status, StatusCode::MISDIRECTED_REQUEST);
        assert_eq!(odd.text(), "no such host");
    }
    assert_eq!(front.get("/").await.text(), "well");
    assert_eq!(picky.seen().len(), 3);
}

#[tokio::test]
async fn a_body_that_is_gone_when_421_comes_is_refused_and_said_not_to_be_processed() {
    let cluster = Cluster::new().await;
    let deposed = Upstream::new(|request| {
        Box::pin(async move {
            let _ = request.into_body().collect().await;
            let mut response = Response::new(boxed(""));
            *response.status_mut() = StatusCode::MISDIRECTED_REQUEST;
            response.headers_mut().insert("incumbent-epoch", 1.into());
            response
        })
    });
    let deposed = deposed.await;
    let _leadership = cluster.lead_at(&deposed).await;
    let mut options = options();
    options.limits.kept_body = 3;
    let front = cluster.gateway_with(options).await;
    let reply = front.send(Method::POST, "/", &[], "four").await;
    reply.is_problem(503, "not-kept");
    assert!(reply.text().contains(r#""processed":"no""#));
}

/// A paused or cut-off leader does not keep requests that others could answer.
#[tokio::test]
async fn a_leader_that_was_overtaken_loses_what_can_be_repeated() {
    let cluster = Cluster::new().await;
    let (first, says) = silent().await;
    let leadership = cluster.lead_at(&first).await;
    let mut options = options();
    options.times.overtaken = Duration::from_millis(10);
    options.times.first_byte = Duration::from_secs(2);
    let front = cluster.gateway_with(options).await;
    let safe = in_background(&front, Method::GET, &[], "");
    let once = in_background(&front, Method::POST, &[], "pay");
    asked(&says).await;
    asked(&says).await;
    leadership.resign(None).await;
    let second = Upstream::saying("second").await;
    let _second = cluster.lead_at(&second).await;
    assert_eq!(soon(safe).await.unwrap().text(), "second");
    let reply = soon(once).await.unwrap();
    assert_eq!(reply.status, StatusCode::GATEWAY_TIMEOUT);
    assert_eq!(second.seen().len(), 1);
}

#[tokio::test]
async fn the_next_address_is_tried_when_one_refuses() {
    let cluster = Cluster::new().await;
    let gone = Upstream::saying("gone").await.kill().await;
    let upstream = Upstream::saying("here").await;
    let both = format!("{gone},{}", upstream.address);
    let _leadership = cluster.lead(&[("web", &both)]).await;
    let front = cluster.gateway().await;
    assert_eq!(front.get("/").await.text(), "here");

    let external = format!("http://{}", upstream.address);
    let other = Cluster::new().await;
    let _leadership = other
        .lead(&[
            ("web", &gone.to_string()),
            ("web-external", &external),
            ("z", "z:1"),
        ])
        .await;
    let mut options = options();
    options.endpoints.push("web-external".parse().unwrap());
    let front = other.gateway_with(options).await;
    assert_eq!(front.get("/").await.text(), "here");
}

/// Servers close idle connections at any time, also just when a request comes.
#[tokio::test]
async fn a_connection_that_was_closed_while_idle_fails_no_get() {
    let cluster = Cluster::new().await;
    let socket = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap().to_string();
    // Answers one request as if the connection went on, and breaks it when the second has come.
    let rude = tokio::spawn(async move {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        loop {
            let (mut stream, _) = socket.accept().await.unwrap();
            tokio::spawn(async move {
                let mut buffer = [0; 4096];
                let _ = stream.read(&mut buffer).await;
                let _ = stream
                    .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
                    .await;
                let _ = stream.read(&mut buffer).await;
            });
        }
    });
    let _leadership = cluster.lead(&[("web", &address)]).await;
    let front = cluster.gateway().await;
    for _ in 0..5 {
        assert_eq!(front.get("/").await.text(), "ok");
    }
    rude.abort();
}

#[tokio::test]
async fn a_get_that_breaks_every_leader_is_given_up() {
    let cluster = Cluster::new().await;
    let socket = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap().to_string();
    let breaking = tokio::spawn(async move {
        use tokio::io::AsyncReadExt as _;
        let mut count = 0;
        loop {
            let (mut stream, _) = socket.accept().await.unwrap();
            let mut buffer = [0; 4096];
            let _ = stream.read(&mut buffer).await;
            count += 1;
            assert!(count <= incumbent_gateway::MOST_SENT);
        }
    });
    let _leadership = cluster.lead(&[("web", &address)]).await;
    let front = cluster.gateway().await;
    front.get("/").await.is_problem(502, "too-often");
    breaking.abort();
}

/// An answer that has begun is not begun again: the client sees that it broke.
#[tokio::test]
async fn an_answer_that_breaks_off_is_not_taken_for_a_whole_one() {
    for head in [
        "Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
        "Content-Length: 8\r\n\r\nhalf",
    ] {
        let cluster = Cluster::new().await;
        let half = RawUpstream::saying(format!("HTTP/1.1 200 OK\r\n{head}")).await;
        let _leadership = cluster.lead(&[("web", &half.address.to_string())]).await;
        let mut options = options();
        options.limits.whole_answer = 4;
        let front = cluster.gateway_with(options).await;
        let request = Request::get("/")
            .header("host", "h")
            .body(boxed(""))
            .unwrap();
        let read = soon(exchange(front.address, request)).await;
        assert!(read.is_err(), "{read:?}");
        assert_eq!(half.requests().len(), 1);
    }
}

/// A leader that is late with a renewal says 421 for a moment, and goes on to lead.
#[tokio::test]
async fn a_leader_that_said_421_and_still_leads_is_asked_again_later() {
    let cluster = Cluster::new().await;
    let is_late = Arc::new(std::sync::atomic::AtomicBool::new(true));
    let says_so = Arc::clone(&is_late);
    let upstream = Upstream::new(move |_| {
        let is_late = says_so.load(std::sync::atomic::Ordering::SeqCst);
        Box::pin(async move {
            let mut response = Response::new(boxed("here"));
            if is_late {
                *response.status_mut() = StatusCode::MISDIRECTED_REQUEST;
                response.headers_mut().insert("incumbent-epoch", 1.into());
            }
            response
        })
    });
    let upstream = upstream.await;
    let _leadership = cluster.lead_at(&upstream).await;
    let front = cluster.gateway().await;
    let unlucky = in_background(&front, Method::GET, &[], "");
    until("it is left alone", || {
        front.handle.status().leader == "misdirected"
    })
    .await;
    is_late.store(false, std::sync::atomic::Ordering::SeqCst);
    assert_eq!(front.get("/").await.text(), "here");
    assert_eq!(soon(unlucky).await.unwrap().text(), "here");
}

#[tokio::test]
async fn requests_that_waited_go_on_in_the_order_in_which_they_came() {
    let cluster = Cluster::new().await;
    let front = cluster.gateway().await;
    let mut waiting = Vec::new();
    for number in 0..10 {
        let (address, path) = (front.address, format!("/{number}"));
        waiting.push(tokio::spawn(async move {
            send(address, Method::GET, &path, &[], "").await.unwrap()
        }));
        is_held(&front, number + 1).await;
    }
    let upstream = Upstream::saying("here").await;
    let _leadership = cluster.lead_at(&upstream).await;
    for waiting in waiting {
        assert_eq!(soon(waiting).await.unwrap().text(), "here");
    }
    let mut order: Vec<String> = upstream
        .seen()
        .into_iter()
        .map(|seen| seen.target)
        .collect();
    // The first four go at the same time, on connections that are opened one after the other. Later
    // ones share connections that become free, so only their own order of leaving is certain; the
    // tests of `leader/gate.rs` look at that.
    order[4..].sort();
    let expected: Vec<String> = (0..10).map(|number| format!("/{number}")).collect();
    assert_eq!(order, expected);
}

#[tokio::test]
async fn what_happens_is_counted() {
    let recorder = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
    let counted = recorder.handle();
    let _guard = metrics::set_default_local_recorder(&recorder);
    incumbent_gateway::describe_metrics();
    let cluster = Cluster::new().await;
    let (first, says) = silent().await;
    let leadership = cluster.lead_at(&first).await;
    let front = cluster.gateway().await;
    let waiting = in_background(&front, Method::GET, &[], "");
    asked(&says).await;
    first.kill().await;
    is_held(&front, 1).await;
    assert!(counted.render().contains("incumbent_gateway_held 1"));
    leadership.resign(None).await;
    let second = Upstream::saying("second").await;
    let _second = cluster.lead_at(&second).await;
    soon(waiting).await.unwrap();
    front.send(Method::CONNECT, "h:1", &[], "").await;
    let upstream = format!(
        "incumbent_gateway_upstream_seconds_count{{upstream=\"{}\"}} 1",
        second.address
    );
    for line in [
        "incumbent_gateway_held 0",
        "incumbent_gateway_held_seconds_count 1",
        "incumbent_gateway_repeated_total 1",
        "incumbent_gateway_failed_total{reason=\"broken\"} 1",
        "incumbent_gateway_requests_total{status=\"2xx\",outcome=\"passed\"} 1",
        "incumbent_gateway_requests_total{status=\"4xx\",outcome=\"no-tunnels\"} 1",
        &upstream,
    ] {
        until(line, || counted.render().contains(line)).await;
    }
}

/// As a port mapping does with nothing behind it.
#[tokio::test]
async fn whoever_closes_connections_at_once_is_not_asked_in_a_hot_loop() {
    let cluster = Cluster::new().await;
    let socket = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap().to_string();
    let count = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let counting = Arc::clone(&count);
    let closing = tokio::spawn(async move {
        loop {
            drop(socket.accept().await.unwrap());
            counting.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        }
    });
    let _leadership = cluster.lead(&[("web", &address)]).await;
    let mut options = options();
    options.times.hold = Duration::from_millis(500);
    let front = cluster.gateway_with(options).await;
    let reply = front.get("/").await;
    assert!(matches!(reply.status.as_u16(), 502 | 503), "{reply:?}");
    assert!(count.load(std::sync::atomic::Ordering::SeqCst) < 100);
    closing.abort();
}

#[tokio::test]
async fn an_endpoint_that_was_withdrawn_and_comes_back_is_used_again() {
    let cluster = Cluster::new().await;
    let upstream = Upstream::saying("here").await;
    let leadership = cluster.lead_at(&upstream).await;
    let front = cluster.gateway().await;
    assert_eq!(front.get("/").await.text(), "here");
    let web = "web".parse().unwrap();
    leadership.withdraw(&web).await.unwrap();
    until("it is seen", || {
        front.handle.status().leader == "not published"
    })
    .await;
    let waiting = in_background(&front, Method::GET, &[], "");
    is_held(&front, 1).await;
    leadership
        .publish(&web, &upstream.address.to_string())
        .await
        .unwrap();
    assert_eq!(soon(waiting).await.unwrap().text(), "here");
}

/// A stream may panic if it is polled again after its end.
#[tokio::test]
async fn when_the_views_end_nobody_leads() {
    let cluster = Cluster::new().await;
    let upstream = Upstream::saying("here").await;
    let _leadership = cluster.lead_at(&upstream).await;
    let mut observer = cluster.group().observe();
    let view = soon(observer.wait_for(|view| view.active().is_some())).await;
    let (end, ended) = tokio::sync::oneshot::channel::<()>();
    let views = futures::stream::unfold((Some(view), ended), async |(view, ended)| match view {
        Some(view) => Some((view, (None, ended))),
        None => {
            let _ = ended.await;
            None
        }
    });
    let (mut views, mut is_over) = (views.boxed(), false);
    let is_asked_again = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let notes = Arc::clone(&is_asked_again);
    let views = futures::stream::poll_fn(move |context| {
        notes.fetch_or(is_over, std::sync::atomic::Ordering::SeqCst);
        let next = views.poll_next_unpin(context);
        is_over |= matches!(next, std::task::Poll::Ready(None));
        next
    });
    let mut options = options();
    options.times.hold = Duration::from_millis(50);
    let gateway = Gateway::following(views.boxed(), options).unwrap();
    let handle = gateway.handle();
    soon(handle.ready()).await;
    drop(end);
    until("nobody leads", || handle.status().leader == "no leader").await;
    let request = Request::get("/")
        .header("host", "h")
        .body(boxed(""))
        .unwrap();
    let reply = handle
        .forward(request, &Peer::plain(upstream.address))
        .await;
    assert_eq!(reply.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(upstream.seen().is_empty());
    assert!(!is_asked_again.load(std::sync::atomic::Ordering::SeqCst));
}

#[tokio::test]
async fn a_503_is_waited_out_if_that_is_wanted_and_safe() {
    let cluster = Cluster::new().await;
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&asked);
    let starting = Upstream::new(move |request| {
        let number = counted.fetch_add(1, Ordering::SeqCst);
        let is_ready = number >= 3 && request.method() != Method::POST;
        Box::pin(async move {
            let mut response = Response::new(boxed(if is_ready { "ready" } else { "starting" }));
            if !is_ready {
                *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
            }
            response
        })
    });
    let starting = starting.await;
    let _leadership = cluster.lead_at(&starting).await;

    let plain = cluster.gateway().await;
    assert_eq!(
        plain.get("/").await.text(),
        "starting",
        "it may mean something else"
    );

    let mut options = options();
    options.waits_until_ready = true;
    let front = cluster.gateway_with(options).await;
    let once = front.send(Method::POST, "/", &[], "pay").await;
    assert_eq!((once.status.as_u16(), once.text()), (503, "starting"));
    assert_eq!(asked.load(Ordering::SeqCst), 2);
    let get = front.get("/").await;
    assert_eq!((get.status.as_u16(), get.text()), (200, "ready"));
    assert_eq!(asked.load(Ordering::SeqCst), 4);
}
