//! What the tests stand on: a group, leaders, upstream servers that do as they are told, clients.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode, Version};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use incumbent::{Leadership, Store};
use incumbent_gateway::{Gateway, Handle, Listener, Options};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, JoinSet};

/// How long to wait for what should come at once.
pub(crate) const SOON: Duration = Duration::from_secs(60);

pub(crate) type BoxError = Box<dyn std::error::Error + Send + Sync>;
pub(crate) type BoxBody = UnsyncBoxBody<Bytes, BoxError>;
pub(crate) type Answering = Pin<Box<dyn Future<Output = Response<BoxBody>> + Send>>;

pub(crate) async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(SOON, what).await.expect("in time")
}

/// Waits until something is true.
pub(crate) async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let waiting = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let in_time = tokio::time::timeout(SOON, waiting).await;
    assert!(in_time.is_ok(), "not in time: {what}");
}

/// A group in memory.
pub(crate) struct Cluster {
    store: Store,
}

impl Cluster {
    pub(crate) async fn new() -> Self {
        Self {
            store: incumbent::open("memory:").await.unwrap(),
        }
    }

    pub(crate) fn group(&self) -> incumbent::Group {
        self.store.group("demo").unwrap()
    }

    /// Leads, and publishes these endpoints.
    pub(crate) async fn lead(&self, endpoints: &[(&str, &str)]) -> Leadership {
        let leadership = self.campaign().await;
        for (name, address) in endpoints {
            leadership
                .publish(&name.parse().unwrap(), address)
                .await
                .unwrap();
        }
        leadership.activate().await.unwrap();
        leadership
    }

    pub(crate) async fn campaign(&self) -> Leadership {
        let candidate = self.group().candidate().unwrap();
        soon(candidate.campaign()).await
    }

    /// Leads with this upstream.
    pub(crate) async fn lead_at(&self, upstream: &Upstream) -> Leadership {
        self.lead(&[("web", &upstream.address.to_string())]).await
    }

    pub(crate) async fn gateway(&self) -> Front {
        self.gateway_with(options()).await
    }

    pub(crate) async fn gateway_with(&self, options: Options) -> Front {
        let gateway = Gateway::new(&self.group(), options).unwrap();
        let handle = gateway.handle();
        let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let serving = gateway.run([Listener::plain(socket)], async {
            let _ = stopped.await;
        });
        Front {
            address,
            handle,
            stop: Some(stop),
            task: Some(tokio::spawn(serving)),
        }
    }
}

/// The options of most tests.
pub(crate) fn options() -> Options {
    Options::to("web".parse().unwrap())
}

/// A gateway that runs.
pub(crate) struct Front {
    pub(crate) address: SocketAddr,
    pub(crate) handle: Handle,
    stop: Option<oneshot::Sender<()>>,
    task: Option<JoinHandle<()>>,
}

impl Front {
    /// Begins to shut it down; the task ends when it has.
    pub(crate) fn stop(&mut self) -> JoinHandle<()> {
        drop(self.stop.take());
        self.task.take().unwrap()
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.send(Method::GET, path, &[], "").await
    }

    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: &'static str,
    ) -> Reply {
        soon(send(self.address, method, path, headers, body))
            .await
            .unwrap()
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) trailers: Option<HeaderMap>,
}

impl Reply {
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    /// Asserts that it is this problem.
    #[track_caller]
    pub(crate) fn is_problem(&self, status: u16, name: &str) {
        assert_eq!(self.status.as_u16(), status, "{self:?}");
        assert_eq!(self.headers["content-type"], "application/problem+json");
        let body: serde_json::Value = serde_json::from_slice(&self.body).unwrap();
        assert_eq!(body["type"], format!("urn:incumbent:problem:{name}"));
        assert_eq!(body["status"], status);
        assert!(
            !self.text().contains("127.0.0.1"),
            "no internal address: {}",
            self.text()
        );
        let may_retry = matches!(status, 502 | 503);
        assert_eq!(self.headers.contains_key("retry-after"), may_retry);
    }
}

pub(crate) fn boxed(body: impl Into<Bytes>) -> BoxBody {
    Full::new(body.into())
        .map_err(|never| match never {})
        .boxed_unsync()
}

/// One request on a connection of its own.
pub(crate) async fn send(
    to: SocketAddr,
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
    body: &'static str,
) -> Result<Reply, BoxError> {
    let mut request = Request::builder().method(method).uri(path);
    if !headers.iter().any(|(name, _)| *name == "host") {
        request = request.header("host", "some.name");
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    exchange(to, request.body(boxed(body))?).await
}

pub(crate) async fn exchange(to: SocketAddr, request: Request<BoxBody>) -> Result<Reply, BoxError> {
    let stream = TcpStream::connect(to).await?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let connection = tokio::spawn(connection);
    let reply = read(sender.send_request(request).await?).await;
    drop(sender);
    connection.abort();
    reply
}

pub(crate) async fn read(response: Response<Incoming>) -> Result<Reply, BoxError> {
    let (parts, body) = response.into_parts();
    let all = body.collect().await?;
    let trailers = all.trailers().cloned();
    Ok(Reply {
        status: parts.status,
        headers: parts.headers,
        body: all.to_bytes(),
        trailers,
    })
}

/// A client of HTTP/2 that knows that it is spoken.
pub(crate) async fn http2(to: SocketAddr) -> hyper::client::conn::http2::SendRequest<BoxBody> {
    let stream = TcpStream::connect(to).await.unwrap();
    let (sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
            .await
            .unwrap();
    tokio::spawn(connection);
    sender
}

/// What an upstream was asked.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) method: Method,
    pub(crate) target: String,
    pub(crate) version: Version,
    pub(crate) headers: HeaderMap,
}

/// A server that answers as told.
pub(crate) struct Upstream {
    pub(crate) address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    task: JoinHandle<()>,
}

impl Upstream {
    /// Answers every request with this text.
    pub(crate) async fn saying(text: &'static str) -> Self {
        Self::new(move |_| Box::pin(async move { Response::new(boxed(text)) })).await
    }

    /// Answers with the body of the request.
    pub(crate) async fn echoing() -> Self {
        Self::new(|request| {
            Box::pin(async move {
                Response::new(request.into_body().map_err(BoxError::from).boxed_unsync())
            })
        })
        .await
    }

    pub(crate) async fn new(
        answer: impl Fn(Request<Incoming>) -> Answering + Send + Sync + 'static,
    ) -> Self {
        let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self::on(socket, answer)
    }

    pub(crate) fn on(
        socket: TcpListener,
        answer: impl Fn(Request<Incoming>) -> Answering + Send + Sync + 'static,
    ) -> Self {
        let address = socket.local_addr().unwrap();
        let seen: Arc<Mutex<Vec<Seen>>> = Arc::default();
        let task = tokio::spawn(serve(socket, Arc::new(answer), Arc::clone(&seen)));
        Self {
            address,
            seen,
            task,
        }
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// Ends it as a kill does: all connections break, and new ones are refused.
    pub(crate) async fn kill(self) -> SocketAddr {
        self.task.abort();
        let address = self.address;
        until("nobody listens any more", || {
            std::net::TcpStream::connect(address).is_err()
        })
        .await;
        address
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(
    socket: TcpListener,
    answer: Arc<impl Fn(Request<Incoming>) -> Answering + Send + Sync + 'static>,
    seen: Arc<Mutex<Vec<Seen>>>,
) {
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = socket.accept().await.unwrap();
        let (answer, seen) = (Arc::clone(&answer), Arc::clone(&seen));
        connections.spawn(async move {
            let service = service_fn(move |request: Request<Incoming>| {
                seen.lock().unwrap().push(Seen {
                    method: request.method().clone(),
                    target: request.uri().to_string(),
                    version: request.version(),
                    headers: request.headers().clone(),
                });
                let answering = answer(request);
                async move { Ok::<_, Infallible>(answering.await) }
            });
            let _ = auto::Builder::new(TokioExecutor::new())
                .serve_connection_with_upgrades(TokioIo::new(stream), service)
                .await;
        });
    }
}

/// Sends bytes, and gives back all that comes until the other side closes.
pub(crate) async fn raw(to: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(to).await.unwrap();
    // A server that refuses a request may close before all of it has come.
    let _ = stream.write_all(bytes).await;
    let mut answer = Vec::new();
    let _ = soon(stream.read_to_end(&mut answer)).await;
    String::from_utf8_lossy(&answer).into_owned()
}

/// Reads until `wanted` has come.
pub(crate) async fn read_until(stream: &mut TcpStream, wanted: &str) -> String {
    let mut all = Vec::new();
    let reading = async {
        while !String::from_utf8_lossy(&all).contains(wanted) {
            let mut buffer = [0; 4096];
            let count = stream.read(&mut buffer).await.unwrap();
            assert!(
                count > 0,
                "closed after {:?}",
                String::from_utf8_lossy(&all)
            );
            all.extend_from_slice(&buffer[..count]);
        }
    };
    soon(reading).await;
    String::from_utf8_lossy(&all).into_owned()
}

/// A server that shows what it got, byte for byte, and answers with fixed bytes to each read; then
/// it closes.
pub(crate) struct RawUpstream {
    pub(crate) address: SocketAddr,
    got: Arc<Mutex<Vec<Vec<u8>>>>,
    task: JoinHandle<()>,
}

impl RawUpstream {
    /// Answers what comes first on a connection with `answer`, and closes.
    pub(crate) async fn saying(answer: impl Into<String>) -> Self {
        Self::listening(Some(answer.into())).await
    }

    /// Answers `200 OK` as often as heads come, and keeps all that comes.
    pub(crate) async fn recording() -> Self {
        Self::listening(None).await
    }

    async fn listening(answer: Option<String>) -> Self {
        let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        let got: Arc<Mutex<Vec<Vec<u8>>>> = Arc::default();
        let all = Arc::clone(&got);
        let task = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (mut stream, _) = socket.accept().await.unwrap();
                let index = {
                    let mut all = all.lock().unwrap();
                    all.push(Vec::new());
                    all.len() - 1
                };
                let (all, answer) = (Arc::clone(&all), answer.clone());
                connections.spawn(async move {
                    let mut buffer = [0; 65536];
                    let mut heads = 0;
                    while let Ok(count) = stream.read(&mut buffer).await {
                        if count == 0 {
                            return;
                        }
                        let found = {
                            let mut all = all.lock().unwrap();
                            all[index].extend_from_slice(&buffer[..count]);
                            String::from_utf8_lossy(&all[index])
                                .matches("HTTP/1.1\r\n")
                                .count()
                        };
                        if let Some(answer) = &answer {
                            let _ = stream.write_all(answer.as_bytes()).await;
                            return;
                        }
                        for _ in heads..found {
                            let _ = stream
                                .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
                                .await;
                        }
                        heads = found;
                    }
                });
            }
        });
        Self { address, got, task }
    }

    /// What came, by connection; connections that were only tried are left out.
    pub(crate) fn requests(&self) -> Vec<String> {
        let got = self.got.lock().unwrap();
        let texts = got
            .iter()
            .map(|bytes| String::from_utf8_lossy(bytes).into_owned());
        texts.filter(|text| !text.is_empty()).collect()
    }
}

impl Drop for RawUpstream {
    fn drop(&mut self) {
        self.task.abort();
    }
}
