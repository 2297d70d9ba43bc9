//! HTTP/2 towards the leader: which leaders speak it, how requests share connections, and which
//! requests were certainly not processed.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http::{Method, Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::{JoinHandle, JoinSet};

use crate::change::{in_background, is_held};
use crate::harness::{
    BoxBody, Cluster, Front, RawUpstream, Reply, boxed, http2, options, read, soon, until,
};
use crate::streaming::large;

/// A leader that speaks only HTTP/2 and counts connections and requests.
struct Leader {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
    requests: Arc<AtomicUsize>,
    /// Requests to `/wait` are answered when there are permits.
    go_on: Arc<Semaphore>,
    task: JoinHandle<()>,
}

impl Leader {
    /// A leader that takes this number of requests at a time on a connection.
    async fn taking(streams: u32) -> Self {
        Self::on(
            TcpListener::bind("127.0.0.1:0").await.unwrap(),
            streams,
            None,
        )
    }

    /// A leader that refuses the request on its first connection with this frame.
    async fn refusing_first(frame: &'static [u8]) -> Self {
        Self::on(
            TcpListener::bind("127.0.0.1:0").await.unwrap(),
            100,
            Some(frame),
        )
    }

    fn on(socket: TcpListener, streams: u32, refusal: Option<&'static [u8]>) -> Self {
        let address = socket.local_addr().unwrap();
        let (connections, requests) = (Arc::<AtomicUsize>::default(), Arc::default());
        let go_on = Arc::new(Semaphore::new(0));
        let (counted, asked, wait) = (
            Arc::clone(&connections),
            Arc::clone(&requests),
            Arc::clone(&go_on),
        );
        let task = tokio::spawn(async move {
            let mut serving = JoinSet::new();
            loop {
                let (stream, _) = socket.accept().await.unwrap();
                let number = counted.fetch_add(1, Ordering::SeqCst);
                match refusal.filter(|_| number == 0) {
                    Some(frame) => serving.spawn(refuse(stream, frame)),
                    None => serving.spawn(serve(
                        stream,
                        streams,
                        Arc::clone(&asked),
                        Arc::clone(&wait),
                    )),
                };
            }
        });
        Self {
            address,
            connections,
            requests,
            go_on,
            task,
        }
    }

    fn url(&self) -> String {
        format!("h2c://{}", self.address)
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

impl Drop for Leader {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(stream: TcpStream, streams: u32, requests: Arc<AtomicUsize>, go_on: Arc<Semaphore>) {
    let service = hyper::service::service_fn(|request: Request<Incoming>| {
        requests.fetch_add(1, Ordering::SeqCst);
        let go_on = Arc::clone(&go_on);
        async move {
            let path = request.uri().path().to_owned();
            let body: BoxBody = match path.as_str() {
                "/x" => {
                    go_on.acquire().await.unwrap().forget();
                    boxed("waited")
                }
                "/large" => large(256, &Arc::default()),
                "/unread" => {
                    let _unread = request;
                    std::future::pending().await
                }
                _ => request.into_body().map_err(Into::into).boxed_unsync(),
            };
            Ok::<_, Infallible>(Response::new(body))
        }
    });
    let _ = hyper::server::conn::http2::Builder::new(TokioExecutor::new())
        .max_concurrent_streams(streams)
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

/// Speaks just enough HTTP/2 to get a request and to answer it with this frame.
async fn refuse(mut stream: TcpStream, frame: &'static [u8]) {
    const SETTINGS: [u8; 9] = [0, 0, 0, 4, 0, 0, 0, 0, 0];
    const HEADERS: u8 = 1;
    let _ = stream.write_all(&SETTINGS).await;
    let mut preface = [0; 24];
    let _ = stream.read_exact(&mut preface).await;
    let mut head = [0; 9];
    while stream.read_exact(&mut head).await.is_ok() {
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; length as usize];
        let _ = stream.read_exact(&mut payload).await;
        if head[3] == HEADERS {
            let _ = stream.write_all(frame).await;
        }
    }
}

async fn grpc(front: &Front) -> Reply {
    let mut client = http2(front.address).await;
    let request = Request::post("http://some.name/service/method")
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(boxed("call"))
        .unwrap();
    read(soon(client.send_request(request)).await.unwrap())
        .await
        .unwrap()
}

#[tokio::test]
async fn a_leader_without_http2_is_there_for_all_who_do_not_need_it() {
    let cluster = Cluster::new().await;
    let old = RawUpstream::saying("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await;
    let _leadership = cluster.lead(&[("web", &old.address.to_string())]).await;
    let front = cluster.gateway().await;
    assert_eq!(front.get("/").await.text(), "ok");
    for _ in 0..3 {
        let reply = grpc(&front).await;
        reply.is_problem(502, "no-http2");
        assert!(reply.text().contains(r#""processed":"no""#));
        assert_eq!(front.handle.status().leader, "ready");
        assert_eq!(front.get("/").await.text(), "ok");
    }
}

/// A leader that says nothing at all may be starting. Requests that need it wait.
#[tokio::test]
async fn a_leader_that_does_not_greet_in_http2_is_away_for_nobody_else() {
    let cluster = Cluster::new().await;
    let silent = RawUpstream::recording().await;
    let _leadership = cluster.lead(&[("web", &silent.address.to_string())]).await;
    let mut options = options();
    options.times.connect = Duration::from_millis(100);
    options.times.hold = Duration::from_millis(500);
    let front = cluster.gateway_with(options).await;
    assert_eq!(front.get("/").await.text(), "ok");
    let calling = grpc(&front);
    let asking = async {
        for _ in 0..20 {
            assert_eq!(front.get("/").await.text(), "ok");
            assert_eq!(front.handle.status().leader, "ready");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let (reply, ()) = tokio::join!(calling, asking);
    reply.is_problem(503, "unreachable");
}

#[tokio::test]
async fn clients_that_do_not_read_stop_nobody_else() {
    let (cluster, leader) = (Cluster::new().await, Leader::taking(100).await);
    let _leadership = cluster.lead(&[("web", &leader.url())]).await;
    let front = cluster.gateway().await;
    let mut slow = Vec::new();
    for _ in 0..12 {
        let mut stream = TcpStream::connect(front.address).await.unwrap();
        let request = b"GET /large HTTP/1.1\r\nHost: h\r\n\r\n";
        stream.write_all(request).await.unwrap();
        crate::harness::read_until(&mut stream, "200 OK").await;
        slow.push(stream);
    }
    // Until all windows and buffers are full.
    tokio::time::sleep(Duration::from_millis(500)).await;
    let echoed = front.send(Method::POST, "/echo", &[], "small").await;
    assert_eq!(echoed.text(), "small");
    assert_eq!(leader.connections(), 1);
}

#[tokio::test]
async fn requests_beyond_what_one_connection_takes_go_on_another() {
    let (cluster, leader) = (Cluster::new().await, Leader::taking(2).await);
    let _leadership = cluster.lead(&[("web", &leader.url())]).await;
    let front = cluster.gateway().await;
    let waiting: Vec<_> = (0..7)
        .map(|_| in_background(&front, Method::POST, &[], ""))
        .collect();
    until("all are asked", || leader.requests() == 7).await;
    assert_eq!(leader.connections(), 4);
    leader.go_on.add_permits(7);
    for waiting in waiting {
        assert_eq!(soon(waiting).await.unwrap().text(), "waited");
    }
    assert_eq!(front.get("/echo").await.status, StatusCode::OK);
    assert_eq!(leader.connections(), 4, "places are given back");
}

#[tokio::test]
async fn requests_that_find_no_place_on_any_connection_wait_and_are_not_sent() {
    let (cluster, leader) = (Cluster::new().await, Leader::taking(1).await);
    let _leadership = cluster.lead(&[("web", &leader.url())]).await;
    let mut options = options();
    options.times.hold = Duration::from_millis(1500);
    options.times.connect = Duration::from_millis(1500);
    let front = cluster.gateway_with(options).await;
    let taken: Vec<_> = (0..16)
        .map(|_| in_background(&front, Method::POST, &[], ""))
        .collect();
    until("all are asked", || leader.requests() == 16).await;
    assert_eq!(leader.connections(), 16);
    let reply = front.send(Method::POST, "/echo", &[], "late").await;
    reply.is_problem(503, "too-busy");
    assert!(reply.text().contains(r#""processed":"no""#));
    let address = front.address;
    let patient = tokio::spawn(async move {
        crate::harness::send(address, Method::POST, "/echo", &[], "next")
            .await
            .unwrap()
    });
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(leader.requests(), 16);
    leader.go_on.add_permits(16);
    assert_eq!(soon(patient).await.unwrap().text(), "next");
    for taken in taken {
        assert_eq!(soon(taken).await.unwrap().text(), "waited");
    }
    assert_eq!(leader.connections(), 16);
}

/// Far more requests than places: each gets a place in its turn, and gives it back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crowd_is_answered_through_few_places() {
    let (cluster, leader) = (Cluster::new().await, Leader::taking(2).await);
    let _leadership = cluster.lead(&[("web", &leader.url())]).await;
    let front = cluster.gateway().await;
    let mut calls = JoinSet::new();
    for _ in 0..4 {
        let client = http2(front.address).await;
        for _ in 0..100 {
            let mut client = client.clone();
            calls.spawn(async move {
                let request = Request::post("http://h/").body(boxed("call")).unwrap();
                let reply = client.send_request(request).await.unwrap();
                assert_eq!(read(reply).await.unwrap().text(), "call");
            });
        }
    }
    let all = async { while calls.join_next().await.transpose().unwrap().is_some() {} };
    soon(all).await;
    assert_eq!(leader.requests(), 400);
    assert!(leader.connections() <= 16);
}

/// RFC 9113, 8.7: the leader did nothing, whatever the method.
#[tokio::test]
async fn a_post_that_the_leader_refused_is_sent_again() {
    const GO_AWAY: &[u8] = &[0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    const REFUSED_STREAM: &[u8] = &[
        0, 0, 4, 3, 0, 0, 0, 0, 1, 0, 0, 0, 7, // and no more requests
        0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0,
    ];
    for refusal in [GO_AWAY, REFUSED_STREAM] {
        let (cluster, leader) = (Cluster::new().await, Leader::refusing_first(refusal).await);
        let _leadership = cluster.lead(&[("web", &leader.url())]).await;
        let front = cluster.gateway().await;
        let reply = front.send(Method::POST, "/echo", &[], "once").await;
        assert_eq!((reply.status, reply.text()), (StatusCode::OK, "once"));
        assert_eq!((leader.connections(), leader.requests()), (2, 1));
    }
}

/// GOAWAY that includes the stream, or a reset for another reason: it may have been processed.
#[tokio::test]
async fn a_post_that_the_leader_may_have_processed_is_not_sent_again() {
    const CANCEL: &[u8] = &[0, 0, 4, 3, 0, 0, 0, 0, 1, 0, 0, 0, 8];
    let (cluster, leader) = (Cluster::new().await, Leader::refusing_first(CANCEL).await);
    let _leadership = cluster.lead(&[("web", &leader.url())]).await;
    let front = cluster.gateway().await;
    let reply = front.send(Method::POST, "/echo", &[], "once").await;
    reply.is_problem(502, "lost");
    assert_eq!(leader.requests(), 0);
}

#[tokio::test]
async fn what_must_not_be_sent_twice_goes_on_a_connection_that_was_heard_of_late() {
    let (cluster, leader) = (Cluster::new().await, Leader::taking(100).await);
    let _leadership = cluster.lead(&[("web", &leader.url())]).await;
    let front = cluster.gateway().await;
    for _ in 0..3 {
        assert_eq!(front.send(Method::POST, "/", &[], "a").await.text(), "a");
    }
    assert_eq!(leader.connections(), 1);
    tokio::time::sleep(Duration::from_millis(1200)).await;
    assert_eq!(front.get("/").await.status, StatusCode::OK);
    assert_eq!(leader.connections(), 1);
    tokio::time::sleep(Duration::from_millis(1200)).await;
    assert_eq!(front.send(Method::POST, "/", &[], "b").await.text(), "b");
    assert_eq!(leader.connections(), 2);
}

#[tokio::test]
async fn an_upload_that_the_leader_does_not_read_ends() {
    let (cluster, leader) = (Cluster::new().await, Leader::taking(100).await);
    let _leadership = cluster.lead(&[("web", &leader.url())]).await;
    let mut options = options();
    options.times.first_byte = Duration::from_millis(500);
    let front = cluster.gateway_with(options).await;
    let mut client = http2(front.address).await;
    let request = Request::post("http://h/unread")
        .body(large(256, &Arc::default()))
        .unwrap();
    let reply = soon(client.send_request(request)).await.unwrap();
    read(reply).await.unwrap().is_problem(504, "slow");
    assert_eq!(leader.requests(), 1);
}

/// The time that a slow client needs is not counted against the leader.
#[tokio::test]
async fn an_upload_that_the_client_is_slow_with_goes_on() {
    let (cluster, leader) = (Cluster::new().await, Leader::taking(100).await);
    let _leadership = cluster.lead(&[("web", &leader.url())]).await;
    let mut options = options();
    options.times.first_byte = Duration::from_millis(300);
    let front = cluster.gateway_with(options).await;
    let mut stream = TcpStream::connect(front.address).await.unwrap();
    let head = b"POST /x HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 4\r\n\r\nha";
    stream.write_all(head).await.unwrap();
    until("it is asked", || leader.requests() == 1).await;
    tokio::time::sleep(Duration::from_millis(900)).await;
    stream.write_all(b"lf").await.unwrap();
    leader.go_on.add_permits(1);
    crate::harness::read_until(&mut stream, "200 OK").await;
}

/// All waiting requests share the outcome of one attempt.
#[tokio::test]
async fn one_attempt_to_connect_serves_all_who_wait() {
    let cluster = Cluster::new().await;
    let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("h2c://{}", socket.local_addr().unwrap());
    let count = Arc::new(AtomicUsize::new(0));
    let counting = Arc::clone(&count);
    let silent = tokio::spawn(async move {
        let mut kept = Vec::new();
        loop {
            kept.push(socket.accept().await.unwrap());
            counting.fetch_add(1, Ordering::SeqCst);
        }
    });
    let _leadership = cluster.lead(&[("web", &address)]).await;
    let mut options = options();
    options.times.connect = Duration::from_millis(300);
    let front = cluster.gateway_with(options).await;
    until("somebody leads", || front.handle.status().is_ready).await;
    let waiting: Vec<_> = (0..8)
        .map(|_| in_background(&front, Method::GET, &[], ""))
        .collect();
    is_held(&front, 8).await;
    assert!(count.load(Ordering::SeqCst) <= 2, "{count:?}");
    waiting.iter().for_each(JoinHandle::abort);
    silent.abort();
}
