//! A connection, with or without TLS, whose peer has to go on reading: [`Stream`].

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Sleep;
use tokio_rustls::TlsStream;

/// When TCP begins to ask a silent peer whether it is there, and how often: who is gone is noticed
/// within a minute.
const KEEP_ALIVE: Duration = Duration::from_secs(30);
const KEEP_ALIVE_EVERY: Duration = Duration::from_secs(10);
const KEEP_ALIVE_TIMES: u32 = 3;

/// How much is read and written at once on a connection to the leader, and the longest head of an
/// answer. As each connection keeps a buffer that has once grown so large, it is not larger: with
/// all connections that there may be, 640 MB.
pub(crate) const BUFFER: usize = 64 * 1024;

/// So little is copied together and written as one, which costs less than to have the system gather
/// it.
const LITTLE: usize = 1024;

/// A connection. Writing fails once the peer has taken nothing for some time.
pub(crate) struct Stream {
    kind: Kind,
    patience: Duration,
    stalled: Option<Pin<Box<Sleep>>>,
}

enum Kind {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Stream {
    pub(crate) fn plain(stream: TcpStream, patience: Duration) -> Self {
        let kind = Kind::Plain(stream);
        Self {
            kind,
            patience,
            stalled: None,
        }
    }

    pub(crate) fn tls(stream: impl Into<TlsStream<TcpStream>>, patience: Duration) -> Self {
        let kind = Kind::Tls(Box::new(stream.into()));
        Self {
            kind,
            patience,
            stalled: None,
        }
    }

    fn inner(&mut self) -> Pin<&mut (dyn ReadWrite + Send + '_)> {
        match &mut self.kind {
            Kind::Plain(stream) => Pin::new(stream),
            Kind::Tls(stream) => Pin::new(&mut **stream),
        }
    }

    /// Passes on what writing said, unless it has been pending for too long.
    fn watch<T>(&mut self, cx: &mut Context<'_>, said: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if said.is_ready() {
            self.stalled = None;
            return said;
        }
        let patience = self.patience;
        let stalled = self
            .stalled
            .get_or_insert_with(|| Box::pin(tokio::time::sleep(patience)));
        match stalled.as_mut().poll(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
        }
    }
}

trait ReadWrite: AsyncRead + AsyncWrite + Unpin {}
impl<T: AsyncRead + AsyncWrite + Unpin> ReadWrite for T {}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.get_mut().inner().poll_read(cx, buffer)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let said = this.inner().poll_write(cx, data);
        this.watch(cx, said)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let length = data.iter().map(|part| part.len()).sum();
        let mut together = [0; LITTLE];
        if length <= LITTLE {
            let mut rest = &mut together[..];
            for part in data {
                let (place, left) = rest.split_at_mut(part.len());
                place.copy_from_slice(part);
                rest = left;
            }
            let said = this.inner().poll_write(cx, &together[..length]);
            return this.watch(cx, said);
        }
        let said = this.inner().poll_write_vectored(cx, data);
        this.watch(cx, said)
    }

    fn is_write_vectored(&self) -> bool {
        match &self.kind {
            Kind::Plain(stream) => stream.is_write_vectored(),
            Kind::Tls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let said = this.inner().poll_flush(cx);
        this.watch(cx, said)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let said = this.inner().poll_shutdown(cx);
        this.watch(cx, said)
    }
}

/// Sets what every connection needs. An option that the system does not know is no reason to do
/// without the connection.
pub(crate) fn prepare(stream: &TcpStream) {
    use rustix::net::sockopt;
    let _ = stream.set_nodelay(true);
    let _ = sockopt::set_socket_keepalive(stream, true);
    let _ = sockopt::set_tcp_keepidle(stream, KEEP_ALIVE);
    let _ = sockopt::set_tcp_keepintvl(stream, KEEP_ALIVE_EVERY);
    let _ = sockopt::set_tcp_keepcnt(stream, KEEP_ALIVE_TIMES);
}
