//! A connection, with or without TLS, whose peer must keep reading: [`Stream`].

pub(crate) mod insertions;

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Buf as _;
use insertions::{Inserter, Insertions};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Sleep;
use tokio_rustls::TlsStream;

use crate::request::activity::Activity;

/// When TCP begins to probe a silent peer, and how often: a peer that is gone is noticed within a
/// minute.
const KEEP_ALIVE: Duration = Duration::from_secs(30);
const KEEP_ALIVE_EVERY: Duration = Duration::from_secs(10);
const KEEP_ALIVE_TIMES: u32 = 3;

/// How much is read and written at once on a connection to the leader, and the longest head of an
/// answer. A connection keeps its buffer once it has grown to this size: with 10,000 connections
/// that is 640 MB.
pub(crate) const BUFFER: usize = 64 * 1024;

/// Up to this many bytes are copied together and written as one: that costs less than a gathering
/// write.
const LITTLE: usize = 1024;

/// How long a client that was answered early may go on sending before its connection is closed.
const LINGER: Duration = Duration::from_secs(1);
/// How much of that is read and dropped at a time.
const DROPPED: usize = 4096;

/// A connection. Writing fails once the peer has taken nothing for some time.
pub(crate) struct Stream {
    transport: Transport,
    patience: Duration,
    stalled: Option<Pin<Box<Sleep>>>,
    inserter: Option<Inserter>,
    /// Set whenever something is read.
    heard: Option<Arc<AtomicBool>>,
    /// What the connection of a client is doing, which decides how it is closed.
    activity: Option<Arc<Activity>>,
    closing: Closing,
}

/// How far a connection is closed.
enum Closing {
    No,
    /// What the client still sends is read and dropped, until then.
    Lingering(Pin<Box<Sleep>>),
    Done,
}

enum Transport {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Stream {
    pub(crate) fn plain(stream: TcpStream, patience: Duration) -> Self {
        Self::new(Transport::Plain(stream), patience)
    }

    pub(crate) fn tls(stream: impl Into<TlsStream<TcpStream>>, patience: Duration) -> Self {
        Self::new(Transport::Tls(Box::new(stream.into())), patience)
    }

    fn new(transport: Transport, patience: Duration) -> Self {
        Self {
            transport,
            patience,
            stalled: None,
            inserter: None,
            heard: None,
            activity: None,
            closing: Closing::No,
        }
    }

    /// Reads on when it is closed, if the client may still be sending a request that was answered
    /// early. The system answers what comes on a closed connection with a reset, which can reach
    /// the client before the answer and erase it.
    #[must_use]
    pub(crate) fn lingering(mut self, activity: &Arc<Activity>) -> Self {
        self.activity = Some(Arc::clone(activity));
        self
    }

    fn poll_linger(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut dropped = [0; DROPPED];
        loop {
            let Closing::Lingering(until) = &mut self.closing else {
                return Poll::Ready(());
            };
            if until.as_mut().poll(cx).is_ready() {
                return Poll::Ready(());
            }
            let mut dropped = ReadBuf::new(&mut dropped);
            match self.inner().poll_read(cx, &mut dropped) {
                Poll::Ready(Ok(())) if !dropped.filled().is_empty() => {}
                Poll::Ready(Ok(()) | Err(_)) => return Poll::Ready(()),
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    /// Notes there whenever something is read.
    #[must_use]
    pub(crate) fn noting(mut self, heard: Arc<AtomicBool>) -> Self {
        self.heard = Some(heard);
        self
    }

    /// Takes insertions into the HTTP/1.1 that is spoken on this connection.
    #[must_use]
    pub(crate) fn with_insertions(mut self, insertions: Insertions) -> Self {
        self.inserter = Some(Inserter::new(insertions));
        self
    }

    fn inner(&mut self) -> Pin<&mut (dyn ReadWrite + Send + '_)> {
        match &mut self.transport {
            Transport::Plain(stream) => Pin::new(stream),
            Transport::Tls(stream) => Pin::new(&mut **stream),
        }
    }

    /// Writes these parts, or what is inserted instead of them.
    fn write(
        &mut self,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        ready!(self.write_insertions(cx))?;
        if let Some(inserter) = &mut self.inserter {
            let replaces = inserter.before_write();
            ready!(self.write_insertions(cx))?;
            if replaces && let Some(inserter) = &mut self.inserter {
                let taken = inserter.replace(parts.iter().map(|part| &**part));
                // What is not written now is written before anything else.
                return match self.write_insertions(cx) {
                    Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
                    Poll::Ready(Ok(())) | Poll::Pending => Poll::Ready(Ok(taken)),
                };
            }
        }
        let length = parts.iter().map(|part| part.len()).sum();
        if let [part] = parts {
            let outcome = self.inner().poll_write(cx, part);
            return self.watch(cx, outcome);
        }
        let mut together = [0; LITTLE];
        if length <= LITTLE {
            let mut rest = &mut together[..];
            for part in parts {
                let (place, left) = rest.split_at_mut(part.len());
                place.copy_from_slice(part);
                rest = left;
            }
            let outcome = self.inner().poll_write(cx, &together[..length]);
            return self.watch(cx, outcome);
        }
        let outcome = self.inner().poll_write_vectored(cx, parts);
        self.watch(cx, outcome)
    }

    /// Writes what waits to be inserted.
    fn write_insertions(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let has_none = |inserter: &mut Inserter| inserter.out().is_empty();
        if self.inserter.as_mut().is_none_or(has_none) {
            return Poll::Ready(Ok(()));
        }
        let mut inserter = self.inserter.take().expect("something is inserted by it");
        let out = inserter.out();
        let written = loop {
            if out.is_empty() {
                break Poll::Ready(Ok(()));
            }
            let outcome = self.inner().poll_write(cx, out);
            match self.watch(cx, outcome) {
                Poll::Ready(Ok(0)) => break Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(count)) => out.advance(count),
                Poll::Ready(Err(error)) => break Poll::Ready(Err(error)),
                Poll::Pending => break Poll::Pending,
            }
        };
        self.inserter = Some(inserter);
        written
    }

    /// Returns the outcome of a write, or an error once the write has been pending for too long.
    fn watch<T>(
        &mut self,
        cx: &mut Context<'_>,
        outcome: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if outcome.is_ready() {
            self.stalled = None;
            return outcome;
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
        let this = self.get_mut();
        let before = buffer.filled().len();
        let outcome = this.inner().poll_read(cx, buffer);
        if let Some(heard) = &this.heard
            && buffer.filled().len() > before
        {
            heard.store(true, Ordering::Relaxed);
        }
        outcome
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.get_mut().write(cx, &[io::IoSlice::new(data)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.get_mut().write(cx, data)
    }

    fn is_write_vectored(&self) -> bool {
        match &self.transport {
            Transport::Plain(stream) => stream.is_write_vectored(),
            Transport::Tls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.write_insertions(cx))?;
        if let Some(inserter) = &mut this.inserter {
            inserter.at_flush();
            ready!(this.write_insertions(cx))?;
        }
        let outcome = this.inner().poll_flush(cx);
        this.watch(cx, outcome)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if matches!(this.closing, Closing::No) {
            ready!(this.write_insertions(cx))?;
            let outcome = this.inner().poll_shutdown(cx);
            ready!(this.watch(cx, outcome))?;
            let lingers = this.activity.as_ref().is_some_and(|it| it.has_left_over());
            this.closing = if lingers {
                Closing::Lingering(Box::pin(tokio::time::sleep(LINGER)))
            } else {
                Closing::Done
            };
        }
        ready!(this.poll_linger(cx));
        this.closing = Closing::Done;
        Poll::Ready(Ok(()))
    }
}

/// Sets what every connection needs. A connection works without an option that the system does not
/// know.
pub(crate) fn prepare(stream: &TcpStream) {
    use rustix::net::sockopt;
    let _ = stream.set_nodelay(true);
    let _ = sockopt::set_socket_keepalive(stream, true);
    let _ = sockopt::set_tcp_keepidle(stream, KEEP_ALIVE);
    let _ = sockopt::set_tcp_keepintvl(stream, KEEP_ALIVE_EVERY);
    let _ = sockopt::set_tcp_keepcnt(stream, KEEP_ALIVE_TIMES);
}
