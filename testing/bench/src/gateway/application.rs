//! The application behind the proxies: a tiny HTTP server, as the command of `incumbent run`.
//!
//! `__answer SOCKET ADDRESS MILLISECONDS [TLS_ADDRESS CERTIFICATE KEY]`: says at SOCKET that it
//! runs, and answers at ADDRESS, and with TLS at TLS_ADDRESS, each request after some milliseconds:
//! 1 MiB for `/large`, 8 KiB in two pieces for `/pieces`, else 100 bytes.

use std::convert::Infallible;
use std::ffi::OsString;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt as _;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::header::{CONTENT_LENGTH, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use crate::arrival;

/// The body that is asked for with this path is large, all others are small.
pub(crate) const LARGE: &str = "/large";

/// The body that is asked for with this path is sent in two pieces, the second a moment after the
/// head.
pub(crate) const PIECES: &str = "/pieces";

/// Their sizes in bytes.
pub(crate) const PIECES_BODY: usize = 8 << 10;
pub(crate) const LARGE_BODY: usize = 1 << 20;
pub(crate) const SMALL_BODY: usize = 100;

/// How it answers.
#[derive(Clone)]
struct Application {
    delay: Duration,
    large: Bytes,
    small: Bytes,
}

pub(crate) fn run(args: impl Iterator<Item = OsString>) -> io::Result<()> {
    let mut args = args.map(|arg| arg.into_string().unwrap_or_default());
    let mut next = || args.next().ok_or(io::ErrorKind::InvalidInput);
    let (arrivals, address, millis) = (PathBuf::from(next()?), next()?, next()?);
    let delay = Duration::from_millis(millis.parse().map_err(io::Error::other)?);
    let secure = match next() {
        Ok(address) => Some((address, acceptor(Path::new(&next()?), Path::new(&next()?))?)),
        Err(_) => None,
    };
    let application = Application {
        delay,
        large: vec![b'x'; LARGE_BODY].into(),
        small: vec![b'x'; SMALL_BODY].into(),
    };
    // One thread: it is to take as little as it can from those who are measured.
    let runtime = Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(application.serve(&arrivals, &address, secure))
}

fn acceptor(certificate: &Path, key: &Path) -> io::Result<TlsAcceptor> {
    let certificates = CertificateDer::pem_file_iter(certificate).map_err(io::Error::other)?;
    let certificates: Result<Vec<_>, _> = certificates.collect();
    let key = PrivateKeyDer::from_pem_file(key).map_err(io::Error::other)?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_no_client_auth()
        .with_single_cert(certificates.map_err(io::Error::other)?, key)
        .map_err(io::Error::other)?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

impl Application {
    /// Serves until it is asked to end, or nobody measures any more. What was asked before that is
    /// answered.
    async fn serve(
        self,
        arrivals: &Path,
        address: &str,
        secure: Option<(String, TlsAcceptor)>,
    ) -> io::Result<()> {
        let mut terminate = signal(SignalKind::terminate())?;
        let (stop, stopping) = watch::channel(false);
        let mut doors = JoinSet::new();
        let plain = bind(address).await?;
        doors.spawn(self.clone().accept(plain, None, stopping.clone()));
        if let Some((address, acceptor)) = secure {
            let secure = bind(&address).await?;
            doors.spawn(self.clone().accept(secure, Some(acceptor), stopping));
        }
        let bench = arrival::report(arrivals)?;
        bench.set_nonblocking(true)?;
        let mut bench = UnixStream::from_std(bench)?;
        let mut nothing = [0];
        tokio::select! {
            _ = terminate.recv() => {}
            _ = bench.read(&mut nothing) => {}
        }
        let _ = stop.send(true);
        while doors.join_next().await.is_some() {}
        Ok(())
    }

    async fn accept(
        self,
        listener: TcpListener,
        acceptor: Option<TlsAcceptor>,
        mut stopping: watch::Receiver<bool>,
    ) {
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                Ok((stream, _)) = listener.accept() => {
                    let own = self.clone();
                    connections.spawn(own.connection(stream, acceptor.clone(), stopping.clone()));
                }
                Some(_) = connections.join_next() => {}
                () = stopped(&mut stopping) => break,
            }
        }
        drop(listener);
        while connections.join_next().await.is_some() {}
    }

    async fn connection(
        self,
        stream: TcpStream,
        acceptor: Option<TlsAcceptor>,
        stopping: watch::Receiver<bool>,
    ) {
        let _ = stream.set_nodelay(true);
        match acceptor {
            None => self.answer(stream, stopping).await,
            Some(acceptor) => {
                // Who does not want to speak is no concern of this one.
                if let Ok(stream) = acceptor.accept(stream).await {
                    self.answer(stream, stopping).await;
                }
            }
        }
    }

    async fn answer(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin,
        mut stopping: watch::Receiver<bool>,
    ) {
        let service = service_fn(async |request: Request<Incoming>| {
            if !self.delay.is_zero() {
                tokio::time::sleep(self.delay).await;
            }
            let body = match request.uri().path() {
                LARGE => self.large.clone(),
                PIECES => {
                    let mut response = Response::new(in_pieces(&self.large));
                    let length = HeaderValue::from(PIECES_BODY);
                    response.headers_mut().insert(CONTENT_LENGTH, length);
                    return Ok(response);
                }
                _ => self.small.clone(),
            };
            Ok::<_, Infallible>(Response::new(Full::new(body).boxed_unsync()))
        });
        let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
        let mut connection = pin!(connection);
        tokio::select! {
            _ = connection.as_mut() => return,
            () = stopped(&mut stopping) => {}
        }
        connection.as_mut().graceful_shutdown();
        let _ = connection.await;
    }
}

fn in_pieces(data: &Bytes) -> UnsyncBoxBody<Bytes, Infallible> {
    let pieces = [
        data.slice(..PIECES_BODY / 2),
        data.slice(PIECES_BODY / 2..PIECES_BODY),
    ];
    let frames = futures::stream::iter(pieces).then(|piece| async {
        tokio::time::sleep(BETWEEN_PIECES).await;
        Ok(Frame::data(piece))
    });
    StreamBody::new(frames).boxed_unsync()
}

async fn stopped(stopping: &mut watch::Receiver<bool>) {
    // A sender that is gone means the same.
    let _ = stopping.wait_for(|stopping| *stopping).await;
}

/// A server that is started in the place of one just killed may have to wait for its port.
async fn bind(address: &str) -> io::Result<TcpListener> {
    let address: SocketAddr = address.parse().map_err(io::Error::other)?;
    let mut left = BIND_TRIES;
    loop {
        match TcpListener::bind(address).await {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && left > 0 => {
                left -= 1;
                tokio::time::sleep(BIND_PAUSE).await;
            }
            done => return done,
        }
    }
}

/// How long the second piece of an answer comes after the first.
const BETWEEN_PIECES: Duration = Duration::from_millis(1);

/// Two seconds in all.
const BIND_TRIES: u32 = 200;
const BIND_PAUSE: Duration = Duration::from_millis(10);
