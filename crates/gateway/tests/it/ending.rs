//! Answers that have begun when another leader comes.

use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt as _;
use futures::stream::BoxStream;
use http::{Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};
use hyper_util::rt::TokioIo;
use incumbent::Leadership;
use tokio::net::TcpStream;

use crate::harness::{BoxError, Cluster, Front, Upstream, boxed, options, soon, until};

/// A leader whose answers are these pieces, of this length if there is one.
async fn answering(
    length: Option<u64>,
    pieces: impl Fn() -> BoxStream<'static, &'static str> + Send + Sync + 'static,
) -> Upstream {
    Upstream::new(move |_| {
        let frames = pieces().map(|piece| Ok::<_, BoxError>(Frame::data(piece.into())));
        let mut response = Response::new(StreamBody::new(frames).boxed_unsync());
        if let Some(length) = length {
            let headers = response.headers_mut();
            headers.insert("content-length", length.into());
        }
        Box::pin(async move { response })
    })
    .await
}

/// The body of an answer of which something has come.
async fn begun(front: &Front) -> hyper::body::Incoming {
    let stream = TcpStream::connect(front.address).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .unwrap();
    tokio::spawn(connection);
    let request = Request::get("/").header("host", "h");
    let request = request.body(boxed("")).unwrap();
    let response = soon(sender.send_request(request)).await.unwrap();
    let mut body = response.into_body();
    assert_eq!(next(&mut body).await.unwrap(), "begun");
    // It is needed as long as the answer goes on.
    tokio::spawn(async move {
        std::future::pending::<()>().await;
        drop(sender);
    });
    body
}

async fn next(body: &mut hyper::body::Incoming) -> Result<Bytes, hyper::Error> {
    let frame = soon(body.frame()).await.expect("it is not its end");
    Ok(frame?.into_data().unwrap())
}

async fn hand_over(cluster: &Cluster, front: &Front, first: Leadership) -> (Leadership, Upstream) {
    first.resign(None).await;
    until("nobody leads", || {
        front.handle.status().leader == "no leader"
    })
    .await;
    let second = Upstream::saying("second").await;
    (cluster.lead_at(&second).await, second)
}

/// Whatever it is: nothing says where it ends, and it is not the present.
#[tokio::test]
async fn an_answer_without_a_length_ends_some_time_after_its_leader_was_replaced() {
    let tick = |()| async {
        tokio::time::sleep(Duration::from_millis(5)).await;
        Some(("old", ()))
    };
    let ticking = move || futures::stream::unfold((), tick);
    let silent = || futures::stream::pending::<&str>();
    let begins = || futures::stream::iter(["begun"]);
    for is_silent in [false, true] {
        let cluster = Cluster::new().await;
        let upstream = answering(None, move || match is_silent {
            true => begins().chain(silent()).boxed(),
            false => begins().chain(ticking()).boxed(),
        });
        let upstream = upstream.await;
        let first = cluster.lead_at(&upstream).await;
        let mut options = options();
        options.times.outlived = Duration::from_millis(50);
        let front = cluster.gateway_with(options).await;
        let mut body = begun(&front).await;
        let _second = hand_over(&cluster, &front, first).await;
        let ending = async { while next(&mut body).await.is_ok() {} };
        soon(ending).await;
    }
}

#[tokio::test]
async fn an_answer_with_a_length_comes_to_its_end_whoever_leads() {
    let cluster = Cluster::new().await;
    let upstream = answering(Some(5 + 200 * 4), || {
        let slow = futures::stream::iter(0..200).then(|_| async {
            tokio::time::sleep(Duration::from_millis(5)).await;
            "more"
        });
        futures::stream::iter(["begun"]).chain(slow).boxed()
    });
    let upstream = upstream.await;
    let first = cluster.lead_at(&upstream).await;
    let mut options = options();
    options.limits.whole_answer = 4;
    options.times.outlived = Duration::from_millis(1);
    options.times.stall = Duration::from_millis(500);
    let front = cluster.gateway_with(options).await;
    let body = begun(&front).await;
    let _second = hand_over(&cluster, &front, first).await;
    let rest = soon(body.collect()).await.unwrap().to_bytes();
    assert_eq!(rest.len(), 200 * 4);
}

/// A leader that was stopped in the middle of it, say.
#[tokio::test]
async fn an_answer_with_a_length_that_stands_still_is_not_waited_for_when_another_leads() {
    let cluster = Cluster::new().await;
    let upstream = answering(Some(10), || {
        let first = futures::stream::iter(["begun"]);
        first.chain(futures::stream::pending()).boxed()
    });
    let upstream = upstream.await;
    let first = cluster.lead_at(&upstream).await;
    let mut options = options();
    options.limits.whole_answer = 4;
    options.times.stall = Duration::from_millis(100);
    let front = cluster.gateway_with(options).await;
    let mut body = begun(&front).await;
    // As long as nobody else leads, it is waited for.
    let waited = tokio::time::timeout(Duration::from_millis(300), body.frame()).await;
    assert!(waited.is_err(), "{waited:?}");
    let _second = hand_over(&cluster, &front, first).await;
    assert!(next(&mut body).await.is_err());
}
