//! The command of the nodes: a server of HTTP/1.1, HTTP/2, WebSockets and gRPC that records what it
//! does.
//!
//! It is this test program, started again with [`ARGS`]. `BACKEND_LISTEN` has its address and its
//! kind.

use std::convert::Infallible;
use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::{SinkExt as _, StreamExt as _, stream};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use http_body::Frame;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role};

use super::grpc;

/// With these arguments this program is a backend.
pub(super) const ARGS: &str =
    "--exact gateway::backend::serves_until_it_is_told_to_end --ignored --nocapture";

/// The error type of bodies.
pub(super) type BoxError = Box<dyn std::error::Error + Send + Sync>;
/// Any body.
pub(super) type BoxBody = UnsyncBoxBody<Bytes, BoxError>;

/// When a backend is asked to end, it waits this long for clients to leave before it closes their
/// idle connections. Without the wait, a request on its way on such a connection would be lost.
const FAREWELL: Duration = Duration::from_millis(500);

#[test]
#[ignore = "no test: a process that other tests start"]
fn serves_until_it_is_told_to_end() {
    let listen = std::env::var("BACKEND_LISTEN").unwrap_or_default();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    match listen.split_once(' ') {
        Some(("http", address)) => runtime.block_on(serve(address)),
        Some(("record", address)) => runtime.block_on(record(address)),
        Some(("relay", rest)) => {
            let (address, to) = rest.split_once(' ').unwrap();
            runtime.block_on(relay(address, to));
        }
        _ => eprintln!("BACKEND_LISTEN says nothing: nobody has started this as a backend"),
    }
}

async fn serve(address: &str) {
    let listener = TcpListener::bind(address).await.unwrap();
    let tls = tls();
    let (stop, stopping) = watch::channel(false);
    let mut told = signal(SignalKind::terminate()).unwrap();
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = told.recv() => break,
        };
        let Ok((stream, _)) = accepted else { continue };
        let _ = stream.set_nodelay(true);
        let (tls, stopping) = (tls.clone(), stopping.clone());
        connections.spawn(async move {
            match tls {
                None => connection(stream, stopping).await,
                Some(tls) => {
                    if let Ok(stream) = tls.accept(stream).await {
                        connection(stream, stopping).await;
                    }
                }
            }
        });
    }
    if std::env::var_os("BACKEND_HASTY").is_some() {
        // The backend ends at once, even in the middle of a request.
        return;
    }
    drop((listener, stopping));
    let _ = stop.send(true);
    while connections.join_next().await.is_some() {}
    // Every WebSocket waits for this.
    stop.closed().await;
}

async fn connection(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    mut stopping: watch::Receiver<bool>,
) {
    let seen = stopping.clone();
    let service = service_fn(move |request| {
        let stopping = seen.clone();
        async move {
            let is_http1 = request_is_http1(&request);
            let mut response = answer(request, stopping.clone()).await;
            let switches = response.status() == StatusCode::SWITCHING_PROTOCOLS;
            if *stopping.borrow() && is_http1 && !switches {
                let close = HeaderValue::from_static("close");
                response
                    .headers_mut()
                    .insert(http::header::CONNECTION, close);
            }
            Ok::<_, Infallible>(response)
        }
    });
    let builder = auto::Builder::new(TokioExecutor::new());
    let connection = builder.serve_connection_with_upgrades(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        _ = connection.as_mut() => return,
        () = stopped(&mut stopping) => {}
    }
    if tokio::time::timeout(FAREWELL, connection.as_mut())
        .await
        .is_err()
    {
        connection.as_mut().graceful_shutdown();
        let _ = connection.await;
    }
}

async fn stopped(stopping: &mut watch::Receiver<bool>) {
    let _ = stopping.wait_for(|stopping| *stopping).await;
}

fn request_is_http1(request: &Request<Incoming>) -> bool {
    request.version() == http::Version::HTTP_11
}

async fn answer(request: Request<Incoming>, stopping: watch::Receiver<bool>) -> Response<BoxBody> {
    let path = request.uri().path().to_owned();
    note("seen", &format!("{} {}", request.method(), request.uri()));
    match path.as_str() {
        "/who" => {
            tokio::time::sleep(Duration::from_millis(number(&request, "wait"))).await;
            text(who(&request))
        }
        "/headers" => text(lines(request.headers())),
        "/count" => count(request).await,
        "/drip" => drip(&request),
        "/redirect" => redirect(&request),
        "/socket" => socket(request, stopping),
        _ if path.starts_with("/echo.Echo/") => grpc::answer(request).await,
        _ => {
            let body = request.into_body().collect().await;
            let length = body.map(|body| body.to_bytes().len()).unwrap_or_default();
            text(format!("{path} {length}\n"))
        }
    }
}

/// The leader according to the environment of this command, followed by the request.
fn who(request: &Request<Incoming>) -> String {
    let number = value(request, "n").unwrap_or_default();
    let meant = request.headers().get("incumbent-epoch");
    let meant = meant.and_then(|meant| meant.to_str().ok()).unwrap_or("-");
    format!("n={number} {} meant={meant}\n", myself())
}

fn myself() -> String {
    let variable = |name| std::env::var(name).unwrap_or_default();
    let (holder, epoch) = (variable("INCUMBENT_HOLDER"), variable("INCUMBENT_EPOCH"));
    format!("holder={holder} epoch={epoch}")
}

fn lines(headers: &HeaderMap) -> String {
    headers
        .iter()
        .fold(String::new(), |mut lines, (name, value)| {
            let _ = writeln!(
                lines,
                "{name}: {}",
                String::from_utf8_lossy(value.as_bytes())
            );
            lines
        })
}

/// Records one act for each request, waits for a while, and then answers.
async fn count(request: Request<Incoming>) -> Response<BoxBody> {
    let wait = number(&request, "wait");
    let key = request.headers().get("idempotency-key").cloned();
    let Ok(body) = request.into_body().collect().await else {
        return text("the body broke off\n".into());
    };
    let body = String::from_utf8_lossy(&body.to_bytes()).into_owned();
    let key = key
        .as_ref()
        .and_then(|key| key.to_str().ok())
        .unwrap_or("-");
    note("counted", &format!("{body} {key} {}", myself()));
    tokio::time::sleep(Duration::from_millis(wait)).await;
    text(format!("counted {body} {}\n", myself()))
}

/// Sends numbered pieces slowly.
fn drip(request: &Request<Incoming>) -> Response<BoxBody> {
    let (pieces, every) = (number(request, "pieces"), number(request, "every"));
    let pieces = stream::iter(0..pieces).then(move |piece| async move {
        tokio::time::sleep(Duration::from_millis(every)).await;
        Ok::<_, BoxError>(Frame::data(Bytes::from(format!("piece {piece}\n"))))
    });
    Response::new(StreamBody::new(pieces).boxed_unsync())
}

fn redirect(request: &Request<Incoming>) -> Response<BoxBody> {
    let to = value(request, "to").unwrap_or_default();
    let mut response = text(String::new());
    *response.status_mut() = StatusCode::FOUND;
    let to = HeaderValue::from_str(to).unwrap();
    response.headers_mut().insert(http::header::LOCATION, to);
    response
}

/// Echoes messages. When the node is asked to end, it sends a close frame.
fn socket(
    mut request: Request<Incoming>,
    mut stopping: watch::Receiver<bool>,
) -> Response<BoxBody> {
    let key = request.headers().get("sec-websocket-key").cloned();
    let Some(key) = key else {
        return text("this is for WebSockets\n".into());
    };
    let upgrade = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        let Ok(stream) = upgrade.await else { return };
        let stream = TokioIo::new(stream);
        let mut socket = WebSocketStream::from_raw_socket(stream, Role::Server, None).await;
        loop {
            let message = tokio::select! {
                message = socket.next() => message,
                () = stopped(&mut stopping) => {
                    let away = CloseFrame { code: CloseCode::Away, reason: "the node ends".into() };
                    let _ = socket.close(Some(away)).await;
                    while let Some(Ok(_)) = socket.next().await {}
                    return;
                }
            };
            match message {
                Some(Ok(Message::Text(words))) => {
                    let words = format!("{words} {}", myself());
                    let _ = socket.send(Message::text(words)).await;
                }
                Some(Ok(Message::Binary(data))) => {
                    let _ = socket.send(Message::Binary(data)).await;
                }
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return,
            }
        }
    });
    let mut response = text(String::new());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let accept = derive_accept_key(key.as_bytes());
    for (name, value) in [
        ("connection", "upgrade"),
        ("upgrade", "websocket"),
        ("sec-websocket-accept", accept.as_str()),
    ] {
        response
            .headers_mut()
            .insert(name, HeaderValue::from_str(value).unwrap());
    }
    response
}

fn text(text: String) -> Response<BoxBody> {
    Response::new(
        Full::from(text)
            .map_err(|never| match never {})
            .boxed_unsync(),
    )
}

fn value<'a>(request: &'a Request<Incoming>, name: &str) -> Option<&'a str> {
    let mut pairs = request
        .uri()
        .query()?
        .split('&')
        .filter_map(|pair| pair.split_once('='));
    pairs
        .find(|(found, _)| *found == name)
        .map(|(_, value)| value)
}

fn number(request: &Request<Incoming>, name: &str) -> u64 {
    value(request, name)
        .and_then(|text| text.parse().ok())
        .unwrap_or(0)
}

/// Adds a line to a file of notes, in one write.
fn note(name: &str, line: &str) {
    let mut file = OpenOptions::new()
        .create(true)
        .append(true)
        .open(name)
        .unwrap();
    file.write_all(format!("{line}\n").as_bytes()).unwrap();
}

/// `BACKEND_TLS` names a certificate and a key, and may name an authority that clients need.
fn tls() -> Option<TlsAcceptor> {
    let files = std::env::var("BACKEND_TLS").ok()?;
    let files: Vec<_> = files.split(' ').collect();
    let certificate = CertificateDer::from_pem_file(files[0]).unwrap();
    let key = PrivateKeyDer::from_pem_file(files[1]).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap();
    let builder = match files.get(2) {
        None => builder.with_no_client_auth(),
        Some(file) => {
            let mut roots = rustls::RootCertStore::empty();
            roots
                .add(CertificateDer::from_pem_file(file).unwrap())
                .unwrap();
            let verifier = rustls::server::WebPkiClientVerifier::builder_with_provider(
                Arc::new(roots),
                provider,
            );
            builder.with_client_cert_verifier(verifier.build().unwrap())
        }
    };
    let mut config = builder.with_single_cert(vec![certificate], key).unwrap();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Some(TlsAcceptor::from(Arc::new(config)))
}

/// Reads everything as one request. Notes the bytes of each connection, escaped, as one line, and
/// answers each with success.
async fn record(address: &str) {
    let listener = TcpListener::bind(address).await.unwrap();
    loop {
        let (mut stream, _) = listener.accept().await.unwrap();
        tokio::spawn(async move {
            let (mut data, mut buffer) = (Vec::new(), [0; 4096]);
            // The test sends everything at once: after this silence the request is over.
            while let Ok(Ok(1..)) = tokio::time::timeout(Duration::from_millis(200), async {
                let length = stream.read(&mut buffer).await?;
                data.extend_from_slice(&buffer[..length]);
                Ok::<_, std::io::Error>(length)
            })
            .await
            {}
            if !data.is_empty() {
                note("recorded", &data.escape_ascii().to_string());
            }
            let answer =
                b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\nconnection: close\r\n\r\nrecorded\n";
            let _ = stream.write_all(answer).await;
        });
    }
}

/// Forwards connections, as a mapped port does.
async fn relay(address: &str, to: &str) {
    let listener = TcpListener::bind(address).await.unwrap();
    loop {
        let (mut stream, _) = listener.accept().await.unwrap();
        let to = to.to_owned();
        tokio::spawn(async move {
            if let Ok(mut other) = TcpStream::connect(to).await {
                let _ = tokio::io::copy_bidirectional(&mut stream, &mut other).await;
            }
        });
    }
}
