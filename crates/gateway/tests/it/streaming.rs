//! Bodies pass as they come, in both directions, and nothing piles up.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt as _;
use http::{Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};
use hyper_util::rt::TokioIo;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::sync::mpsc;

use crate::harness::{
    BoxBody, BoxError, Cluster, Front, Upstream, boxed, options, read_until, soon, until,
};

/// A body that is what is sent.
fn sent() -> (mpsc::Sender<Bytes>, BoxBody) {
    let (sender, receiver) = mpsc::channel::<Bytes>(1);
    let frames = futures::stream::unfold(receiver, async |mut receiver| {
        let piece = receiver.recv().await?;
        Some((Ok::<_, BoxError>(Frame::data(piece)), receiver))
    });
    (sender, StreamBody::new(frames).boxed_unsync())
}

/// A body of so many mebibytes, which counts what was taken.
pub(crate) fn large(mebibytes: u64, taken: &Arc<AtomicU64>) -> BoxBody {
    let taken = Arc::clone(taken);
    let piece = Bytes::from(vec![7; 64 * 1024]);
    let frames = futures::stream::iter(0..mebibytes * 16).map(move |_| {
        taken.fetch_add(piece.len() as u64, Ordering::SeqCst);
        Ok::<_, Infallible>(Frame::data(piece.clone()))
    });
    StreamBody::new(frames)
        .map_err(|never| match never {})
        .boxed_unsync()
}

async fn connect(front: &Front) -> hyper::client::conn::http1::SendRequest<BoxBody> {
    let stream = TcpStream::connect(front.address).await.unwrap();
    let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .unwrap();
    tokio::spawn(connection);
    sender
}

#[tokio::test]
async fn events_arrive_as_they_are_sent() {
    let cluster = Cluster::new().await;
    let (events, body) = sent();
    let body = std::sync::Mutex::new(Some(body));
    let upstream = Upstream::new(move |_| {
        let body = body.lock().unwrap().take().unwrap();
        Box::pin(async move {
            let mut response = Response::new(body);
            response
                .headers_mut()
                .insert("content-type", "text/event-stream".parse().unwrap());
            response
        })
    });
    let upstream = upstream.await;
    let _leadership = cluster.lead_at(&upstream).await;
    let front = cluster.gateway().await;
    let mut stream = TcpStream::connect(front.address).await.unwrap();
    stream
        .write_all(b"GET /events HTTP/1.1\r\nHost: h\r\n\r\n")
        .await
        .unwrap();
    for n in 1..=3 {
        let event = format!("data: {n}\n\n");
        events.send(event.clone().into()).await.unwrap();
        // The next one is not sent before this one has arrived.
        read_until(&mut stream, &event).await;
    }
}

/// A stream of events of a leader that does not lead any more is not the present.
#[tokio::test]
async fn an_event_stream_ends_some_time_after_its_leader_was_replaced() {
    let cluster = Cluster::new().await;
    let upstream = Upstream::new(|_| {
        let first = futures::stream::iter([Ok::<_, BoxError>(Frame::data(Bytes::from_static(
            b"data: 1\n\n",
        )))]);
        let body = StreamBody::new(first.chain(futures::stream::pending())).boxed_unsync();
        Box::pin(async move {
            let mut response = Response::new(body);
            response
                .headers_mut()
                .insert("content-type", "text/event-stream".parse().unwrap());
            response
        })
    });
    let upstream = upstream.await;
    let leadership = cluster.lead_at(&upstream).await;
    let mut options = options();
    options.times.outlived = Duration::from_millis(20);
    let front = cluster.gateway_with(options).await;
    let mut client = connect(&front).await;
    let request = Request::get("/")
        .header("host", "h")
        .body(boxed(""))
        .unwrap();
    let mut events = soon(client.send_request(request))
        .await
        .unwrap()
        .into_body();
    soon(events.frame()).await.unwrap().unwrap();
    leadership.resign(None).await;
    until("nobody leads", || {
        front.handle.status().leader == "no leader"
    })
    .await;
    // As long as nobody else leads, it may be that the same one goes on.
    let second = Upstream::saying("second").await;
    let _second = cluster.lead_at(&second).await;
    let last = soon(events.frame()).await.unwrap();
    assert!(last.is_err(), "{last:?}");
}

#[tokio::test]
async fn a_request_streams_up_while_its_answer_streams_down() {
    let cluster = Cluster::new().await;
    let upstream = Upstream::echoing().await;
    let _leadership = cluster.lead_at(&upstream).await;
    let front = cluster.gateway().await;
    let (pieces, body) = sent();
    let mut client = connect(&front).await;
    let request = Request::post("/").header("host", "h").body(body).unwrap();
    let answer = tokio::spawn(client.send_request(request));
    pieces.send("one".into()).await.unwrap();
    let mut answer = soon(answer).await.unwrap().unwrap().into_body();
    assert_eq!(
        soon(answer.frame())
            .await
            .unwrap()
            .unwrap()
            .into_data()
            .unwrap(),
        "one"
    );
    pieces.send("two".into()).await.unwrap();
    assert_eq!(
        soon(answer.frame())
            .await
            .unwrap()
            .unwrap()
            .into_data()
            .unwrap(),
        "two"
    );
    drop(pieces);
    assert!(soon(answer.frame()).await.is_none());
}

#[tokio::test]
async fn large_bodies_pass_both_ways_whole() {
    let cluster = Cluster::new().await;
    let upstream = Upstream::echoing().await;
    let _leadership = cluster.lead_at(&upstream).await;
    let front = cluster.gateway().await;
    let taken = Arc::default();
    let mut client = connect(&front).await;
    let request = Request::post("/")
        .header("host", "h")
        .body(large(64, &taken))
        .unwrap();
    let mut body = soon(client.send_request(request))
        .await
        .unwrap()
        .into_body();
    let mut received = 0;
    while let Some(frame) = soon(body.frame()).await {
        let data = frame.unwrap().into_data().unwrap();
        assert!(data.iter().all(|byte| *byte == 7));
        received += data.len();
    }
    assert_eq!(received, 64 << 20);
}

/// What nobody reads is not read from the other side: sockets and a few buffers fill, and that is
/// all.
#[tokio::test]
async fn an_answer_that_is_not_read_is_not_taken_from_the_leader() {
    let cluster = Cluster::new().await;
    let taken: Arc<AtomicU64> = Arc::default();
    let count = Arc::clone(&taken);
    let upstream = Upstream::new(move |_| {
        let body = large(1024, &count);
        Box::pin(async move { Response::new(body) })
    });
    let upstream = upstream.await;
    let _leadership = cluster.lead_at(&upstream).await;
    let front = cluster.gateway().await;
    let mut stream = TcpStream::connect(front.address).await.unwrap();
    stream
        .write_all(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        .await
        .unwrap();
    settles(&taken).await;
    assert!(taken.load(Ordering::SeqCst) < 64 << 20);
}

#[tokio::test]
async fn a_request_that_is_not_read_is_not_taken_from_the_client() {
    let cluster = Cluster::new().await;
    let upstream = Upstream::new(|request| {
        Box::pin(async move {
            let _unread = request;
            std::future::pending().await
        })
    });
    let upstream = upstream.await;
    let _leadership = cluster.lead_at(&upstream).await;
    let front = cluster.gateway().await;
    let taken = Arc::default();
    let mut client = connect(&front).await;
    let request = Request::post("/")
        .header("host", "h")
        .body(large(1024, &taken))
        .unwrap();
    let asked = tokio::spawn(client.send_request(request));
    settles(&taken).await;
    assert!(taken.load(Ordering::SeqCst) < 64 << 20);
    asked.abort();
}

/// Waits until a count does not rise any more.
async fn settles(count: &AtomicU64) {
    let mut last = (0, 0);
    until("it settles", || {
        let now = count.load(Ordering::SeqCst);
        last = if now == last.0 && now > 0 {
            (now, last.1 + 1)
        } else {
            (now, 0)
        };
        last.1 > 60
    })
    .await;
}

/// A held request costs its head: its body stays with the client until somebody leads.
#[tokio::test]
async fn a_client_that_expects_100_is_told_to_go_on_when_somebody_leads() {
    let cluster = Cluster::new().await;
    let front = cluster.gateway().await;
    let mut stream = TcpStream::connect(front.address).await.unwrap();
    let head = b"POST / HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n";
    stream.write_all(head).await.unwrap();
    until("it is held", || front.handle.status().held == 1).await;
    let mut byte = [0];
    let told = tokio::time::timeout(Duration::from_millis(50), stream.peek(&mut byte)).await;
    assert!(told.is_err(), "not told to go on yet");
    let upstream = Upstream::echoing().await;
    let _leadership = cluster.lead_at(&upstream).await;
    read_until(&mut stream, "HTTP/1.1 100 Continue\r\n\r\n").await;
    stream.write_all(b"body").await.unwrap();
    let answer = read_until(&mut stream, "body").await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(!upstream.seen()[0].headers.contains_key("expect"));
}

#[tokio::test]
async fn trailers_pass_in_http1_to_clients_that_take_them() {
    let cluster = Cluster::new().await;
    let upstream = Upstream::new(|request| {
        let te = request
            .headers()
            .get("te")
            .is_some_and(|te| te == "trailers");
        Box::pin(async move {
            let trailers = async move {
                let mut trailers = http::HeaderMap::new();
                trailers.insert("x-sum", "42".parse().unwrap());
                te.then_some(Ok(trailers))
            };
            let (sender, body) = sent();
            tokio::spawn(async move { sender.send("text".into()).await });
            let mut response = Response::new(body.with_trailers(trailers).boxed_unsync());
            response
                .headers_mut()
                .insert("trailer", "x-sum".parse().unwrap());
            response
        })
    });
    let upstream = upstream.await;
    let _leadership = cluster.lead_at(&upstream).await;
    let front = cluster.gateway().await;
    let headers = [("te", "trailers"), ("connection", "te")];
    let reply = front.send(http::Method::GET, "/", &headers, "").await;
    assert_eq!(reply.text(), "text");
    assert_eq!(reply.trailers.unwrap()["x-sum"], "42");
}

/// A leader that answers before it has read everything, with a refusal say.
#[tokio::test]
async fn an_early_answer_arrives() {
    let cluster = Cluster::new().await;
    let upstream = Upstream::new(|_| {
        Box::pin(async {
            let mut response = Response::new(boxed("too much"));
            *response.status_mut() = http::StatusCode::PAYLOAD_TOO_LARGE;
            response
        })
    });
    let upstream = upstream.await;
    let _leadership = cluster.lead_at(&upstream).await;
    let front = cluster.gateway().await;
    let (pieces, body) = sent();
    let mut client = connect(&front).await;
    let request = Request::post("/").header("host", "h").body(body).unwrap();
    let answer = tokio::spawn(client.send_request(request));
    pieces.send("the first of many".into()).await.unwrap();
    let answer = soon(answer).await.unwrap().unwrap();
    assert_eq!(answer.status(), 413);
}

/// Nobody works for a client that is gone.
#[tokio::test]
async fn a_client_that_goes_away_ends_its_request_at_the_leader() {
    struct Told(Arc<AtomicU64>);
    impl Drop for Told {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
    let cluster = Cluster::new().await;
    let ended: Arc<AtomicU64> = Arc::default();
    let tell = Arc::clone(&ended);
    let upstream = Upstream::new(move |_| {
        let told = Told(Arc::clone(&tell));
        Box::pin(async move {
            let _told = told;
            std::future::pending().await
        })
    });
    let upstream = upstream.await;
    let _leadership = cluster.lead_at(&upstream).await;
    let front = cluster.gateway().await;
    let mut stream = TcpStream::connect(front.address).await.unwrap();
    stream
        .write_all(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        .await
        .unwrap();
    until("it is asked", || upstream.seen().len() == 1).await;
    drop(stream);
    until("it is ended", || ended.load(Ordering::SeqCst) == 1).await;
    until("and forgotten", || front.handle.status().connections == 0).await;
}
