//! Connections to other nodes: TCP, or TLS on top of it.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::TokioIo;
use incumbent_gateway::UpstreamTls;
use incumbent_tls::{ClientFiles, Identity, Reloading, TlsError, Trust, server_name};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tower_service::Service;

/// How long TCP may take, and TLS as long again. A node that is gone, without a word, costs this.
const CONNECT: Duration = Duration::from_secs(2);

const ALPN: &[&[u8]] = &[b"http/1.1"];

/// Makes connections. Cheap to clone.
#[derive(Clone)]
pub(super) struct Connector {
    tls: Option<Tls>,
    /// The address that others are to see, if there is one.
    from: Option<IpAddr>,
}

#[derive(Clone)]
struct Tls {
    config: Reloading<ClientConfig>,
    name: Option<ServerName<'static>>,
}

/// A connection.
pub(super) enum Wire {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Connector {
    /// Over TLS if there are options for it. Must be called inside a Tokio runtime.
    pub(super) fn new(tls: Option<&UpstreamTls>, from: Option<IpAddr>) -> Result<Self, TlsError> {
        let Some(options) = tls else {
            return Ok(Self { tls: None, from });
        };
        let identity = options.identity.clone();
        let files = ClientFiles {
            trust: options.ca.clone().map_or(Trust::System, Trust::File),
            identity: identity.map(|(certificate, key)| Identity { certificate, key }),
        };
        let config = files.reloading(ALPN)?;
        config.follow_in_background();
        let name = options.name.as_deref().map(server_name).transpose()?;
        Ok(Self {
            tls: Some(Tls { config, name }),
            from,
        })
    }

    async fn connect(self, to: Uri) -> io::Result<TokioIo<Wire>> {
        let host = to.host().ok_or(io::ErrorKind::InvalidInput)?;
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let port = to.port_u16().ok_or(io::ErrorKind::InvalidInput)?;
        let stream = in_time(tcp(host, port, self.from)).await?;
        stream.set_nodelay(true)?;
        let Some(tls) = self.tls else {
            return Ok(TokioIo::new(Wire::Plain(stream)));
        };
        let name = match tls.name {
            Some(name) => name,
            None => server_name(host).map_err(io::Error::other)?,
        };
        let connector = TlsConnector::from(Arc::clone(&tls.config.now()));
        let stream = in_time(connector.connect(name, stream)).await?;
        Ok(TokioIo::new(Wire::Tls(Box::new(stream))))
    }
}

/// Connects, from this address where that is possible.
async fn tcp(host: &str, port: u16, from: Option<IpAddr>) -> io::Result<TcpStream> {
    let Some(from) = from else {
        return TcpStream::connect((host, port)).await;
    };
    let mut failed = None;
    for to in tokio::net::lookup_host((host, port)).await? {
        match tcp_from(from, to).await {
            Ok(stream) => return Ok(stream),
            Err(error) => failed = Some(error),
        }
    }
    Err(failed.unwrap_or_else(|| io::ErrorKind::NotFound.into()))
}

async fn tcp_from(from: IpAddr, to: SocketAddr) -> io::Result<TcpStream> {
    // Loopback reaches nobody else.
    let is_alike = from.is_ipv4() == to.is_ipv4() && from.is_loopback() == to.ip().is_loopback();
    let socket = match to {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    if is_alike {
        // If it is this host's no more, the connection may do without.
        let _ = socket.bind(SocketAddr::new(from, 0));
    }
    socket.connect(to).await
}

async fn in_time<T>(connecting: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    let late = |_| io::Error::new(io::ErrorKind::TimedOut, format!("not within {CONNECT:?}"));
    tokio::time::timeout(CONNECT, connecting)
        .await
        .map_err(late)?
}

impl Service<Uri> for Connector {
    type Response = TokioIo<Wire>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<TokioIo<Wire>>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, to: Uri) -> Self::Future {
        Box::pin(self.clone().connect(to))
    }
}

impl Connection for Wire {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
