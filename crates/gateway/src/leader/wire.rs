//! A connection of HTTP/2 that notes what comes from the leader: [`Wire`].

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::stream::Stream;

/// The type of the frame that a server of HTTP/2 sends first, its settings. It follows the length
/// of the frame.
const SETTINGS: u8 = 4;
const TYPE_AT: usize = 3;

/// A connection that notes when it was heard last.
pub(super) struct Wire {
    stream: Stream,
    heard: Arc<Heard>,
    /// Until the protocol is known: how many bytes came, and where to report it.
    first: Option<(usize, oneshot::Sender<io::Result<bool>>)>,
}

/// When a connection was heard last.
pub(super) struct Heard {
    since: Instant,
    /// Milliseconds after that.
    last: AtomicU64,
}

impl Wire {
    /// The connection, and whether the first bytes on it are HTTP/2; an error if none come.
    pub(super) fn new(stream: Stream) -> (Self, Arc<Heard>, oneshot::Receiver<io::Result<bool>>) {
        let heard = Arc::new(Heard {
            since: Instant::now(),
            last: AtomicU64::new(0),
        });
        let (tell, told) = oneshot::channel();
        let wire = Self {
            stream,
            heard: Arc::clone(&heard),
            first: Some((0, tell)),
        };
        (wire, heard, told)
    }

    fn note(&mut self, came: &[u8]) {
        if came.is_empty() {
            return;
        }
        self.heard.note();
        if let Some((before, tell)) = self.first.take() {
            match came.get(TYPE_AT - before) {
                // The receiver may have lost patience.
                Some(kind) => drop(tell.send(Ok(*kind == SETTINGS))),
                None => self.first = Some((before + came.len(), tell)),
            }
        }
    }
}

impl Heard {
    /// How long ago the connection was heard.
    pub(super) fn ago(&self) -> Duration {
        let last = Duration::from_millis(self.last.load(Ordering::Relaxed));
        self.since.elapsed().saturating_sub(last)
    }

    fn note(&self) {
        let at = u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last.store(at, Ordering::Relaxed);
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        let read = ready!(Pin::new(&mut this.stream).poll_read(cx, buffer));
        this.note(&buffer.filled()[before..]);
        if let Err(error) = &read
            && let Some((_, tell)) = this.first.take()
        {
            // The receiver may have lost patience.
            drop(tell.send(Err(copy(error))));
        }
        Poll::Ready(read)
    }
}

/// The same error, as far as it can be copied.
fn copy(error: &io::Error) -> io::Error {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
    match inner {
        Some(inner) => io::Error::new(error.kind(), rustls::Error::clone(inner)),
        None => error.kind().into(),
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(cx, data)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write_vectored(cx, data)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}
