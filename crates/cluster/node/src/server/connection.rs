//! One connection: which protocol it speaks, and its requests.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use bytes::Bytes;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use incumbent_gateway::Peer;
use incumbent_gateway::worker::{self, WorkerNonce};
use incumbent_tls::Reloading;
use rustix::net::sockopt;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tower_service::Service as _;

use super::Ending;

/// Connections at a time. Each may follow a log; other nodes need some, too.
pub const MOST_CONNECTIONS: usize = 10_000;

/// Requests at a time on one connection of HTTP/2.
pub const MOST_STREAMS: u32 = 128;

/// The largest head of a request, in bytes.
pub const LARGEST_HEAD: usize = 64 * 1024;

/// How long the head of a request may take, and how long a connection of HTTP/1.1 may be idle.
pub const HEAD_TIME: Duration = Duration::from_secs(60);

/// How long a new connection may take to say what it speaks, to agree on TLS, or to challenge.
pub const GREETING_TIME: Duration = Duration::from_secs(10);

/// How long a client may leave bytes untaken that were sent to it. A client that follows a log and
/// reads nothing holds a connection to a TaskManager, too.
pub const UNREAD_TIME: Duration = Duration::from_secs(60);

/// How often a silent connection is asked whether it lives, and how long it may take to say so.
const PING: Duration = Duration::from_secs(20);

/// What the challenge of somebody who connects back begins with. No method of HTTP does, and no
/// handshake of TLS.
const CHALLENGE: u8 = b'i';

/// What all connections share.
pub(super) struct Shared {
    pub(super) routes: Router,
    pub(super) tls: Option<Reloading<ServerConfig>>,
    pub(super) nonce: Option<WorkerNonce>,
    pub(super) ending: Ending,
}

/// Serves a connection to its end.
pub(super) async fn serve(shared: &Shared, mut stream: TcpStream, address: SocketAddr) {
    prepare(&stream);
    let mut first = [0];
    let mut ending = shared.ending.clone();
    let read = tokio::select! {
        read = timeout(GREETING_TIME, stream.peek(&mut first)) => read,
        () = ending.begun() => return,
    };
    match read {
        Ok(Ok(1)) if first[0] == CHALLENGE => {
            return challenged(shared, &mut stream, address).await;
        }
        Ok(Ok(1)) => {}
        // It said nothing, or is gone.
        Ok(Ok(_) | Err(_)) | Err(_) => return,
    }
    let Some(tls) = &shared.tls else {
        return speak_http(shared, stream, Peer::plain(address)).await;
    };
    let accepted = TlsAcceptor::from(tls.now()).accept(stream);
    match timeout(GREETING_TIME, accepted).await {
        Ok(Ok(stream)) => {
            let shown = stream.get_ref().1.peer_certificates();
            let shown = shown.and_then(|chain| chain.first());
            let certificate = shown.map(|first| Bytes::copy_from_slice(first));
            let peer = Peer {
                address,
                tls: true,
                certificate,
            };
            // A connection with TLS is several times as large as one without.
            Box::pin(speak_http(shared, stream, peer)).await;
        }
        Ok(Err(error)) => {
            tracing::debug!(%address, %error, "a client did not agree on TLS; its connection is closed");
        }
        Err(_) => {
            tracing::debug!(%address, "a client took too long to agree on TLS; its connection is closed")
        }
    }
}

/// What the system is told. If it refuses, clients that are gone are noticed later.
fn prepare(stream: &TcpStream) {
    // Answers are small and wanted at once.
    let _ = stream.set_nodelay(true);
    let unread = u32::try_from(UNREAD_TIME.as_millis()).unwrap_or(u32::MAX);
    let _ = sockopt::set_tcp_user_timeout(stream, unread);
    // Somebody who follows a silent log is sent nothing.
    let _ = sockopt::set_socket_keepalive(stream, true);
    let _ = sockopt::set_tcp_keepidle(stream, PING);
    let _ = sockopt::set_tcp_keepintvl(stream, PING);
}

/// Somebody wants to know whether this is the process that it heard of.
async fn challenged(shared: &Shared, stream: &mut TcpStream, address: SocketAddr) {
    // Without a nonce it is closed, which says: somebody else.
    let Some(nonce) = shared.nonce else { return };
    match timeout(GREETING_TIME, worker::answer(stream, nonce)).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%address, %error, "a challenge was not answered"),
        Err(_) => tracing::debug!(%address, "a challenge did not arrive in time"),
    }
}

async fn speak_http(
    shared: &Shared,
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    peer: Peer,
) {
    let service = service_fn(|request: Request<Incoming>| {
        let mut routes = shared.routes.clone();
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(peer.clone());
        request.extensions_mut().insert(shared.ending.clone());
        async move {
            Ok::<_, Infallible>(
                routes
                    .call(request)
                    .await
                    .unwrap_or_else(|never| match never {}),
            )
        }
    });
    let builder = builder();
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
    let mut ending = shared.ending.clone();
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = ending.begun() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(address = %peer.address, %error, "a connection ended early");
    }
}

fn builder() -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME)
        .max_buf_size(LARGEST_HEAD);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(MOST_STREAMS)
        .max_header_list_size(u32::try_from(LARGEST_HEAD).unwrap_or(u32::MAX))
        .keep_alive_interval(PING)
        .keep_alive_timeout(PING);
    builder
}
