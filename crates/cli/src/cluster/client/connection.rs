//! One connection to a node, for one request.

use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use incumbent_tls::{explain, server_name};
use rustls::ClientConfig;
use tokio::fs::File;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;

use super::url::NodeUrl;

/// How long connecting to a node may take, TLS included.
const CONNECT: Duration = Duration::from_secs(5);

/// How much of a file is read at a time.
const PIECE: usize = 64 * 1024;

/// Why a node did not answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failed {
    #[error("{0}")]
    Connect(io::Error),
    #[error("no connection in {CONNECT:?}")]
    Slow,
    #[error("{0}")]
    Tls(String),
    #[error("it ended the connection without an answer")]
    Broken(#[source] hyper::Error),
    #[error("no answer in {0:?}")]
    NoAnswer(Duration),
    #[error("the body cannot be read: {0}")]
    Body(io::Error),
    #[error("what answers there is no node of a cluster")]
    Strange,
    #[error("the request cannot be written")]
    Request(#[source] hyper::http::Error),
}

impl Failed {
    /// Whether the next moment will not change it.
    pub(super) fn is_final(&self) -> bool {
        match self {
            Self::Connect(_) | Self::Tls(_) | Self::Body(_) | Self::Request(_) | Self::Strange => {
                true
            }
            Self::Slow | Self::Broken(_) | Self::NoAnswer(_) => false,
        }
    }

    /// Whether the node was not even reached.
    pub(crate) fn is_unreached(&self) -> bool {
        matches!(self, Self::Connect(_) | Self::Slow)
    }
}

/// A connection. It ends when this is dropped.
#[derive(Debug)]
pub(super) struct Connection {
    sender: SendRequest<Sending>,
    driver: JoinHandle<()>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Connection {
    pub(super) async fn to(
        node: &NodeUrl,
        tls: Option<&Arc<ClientConfig>>,
    ) -> Result<Self, Failed> {
        let connect = async {
            let stream = TcpStream::connect(&node.authority)
                .await
                .map_err(Failed::Connect)?;
            // Requests are small, and somebody waits for their answers.
            let _ = stream.set_nodelay(true);
            match tls.filter(|_| node.is_tls) {
                None => Self::over(stream).await,
                Some(tls) => {
                    let name = server_name(node.host()).map_err(|e| Failed::Tls(e.to_string()))?;
                    let connector = TlsConnector::from(Arc::clone(tls));
                    let stream = connector.connect(name, stream).await;
                    Self::over(stream.map_err(|cause| Failed::Tls(in_words(&cause)))?).await
                }
            }
        };
        tokio::time::timeout(CONNECT, connect)
            .await
            .unwrap_or(Err(Failed::Slow))
    }

    async fn over(
        stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    ) -> Result<Self, Failed> {
        let (sender, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(Failed::Broken)?;
        let driver = tokio::spawn(async move {
            // The request reports what went wrong.
            let _ = connection.await;
        });
        Ok(Self { sender, driver })
    }

    /// Sends a request, and waits for the head of its answer.
    pub(super) async fn send(
        &mut self,
        request: Request<Sending>,
        patience: Option<Duration>,
    ) -> Result<Response<Incoming>, Failed> {
        let answer = self.sender.send_request(request);
        match patience {
            None => answer.await.map_err(Failed::Broken),
            Some(patience) => tokio::time::timeout(patience, answer)
                .await
                .map_err(|_| Failed::NoAnswer(patience))?
                .map_err(Failed::Broken),
        }
    }
}

fn in_words(cause: &io::Error) -> String {
    match explain(cause) {
        Some(why) => format!("{}; {}", why.reason, why.advice),
        None => cause.to_string(),
    }
}

/// The body of a request: it can be sent again.
#[derive(Clone, Debug)]
pub(crate) enum Upload {
    Nothing,
    Whole(Bytes),
    File {
        path: PathBuf,
        length: u64,
        /// How many bytes of it were sent.
        sent: Arc<AtomicU64>,
    },
}

impl Upload {
    pub(super) fn is_file(&self) -> bool {
        matches!(self, Self::File { .. })
    }

    pub(super) fn length(&self) -> Option<u64> {
        match self {
            Self::Nothing => None,
            Self::Whole(body) => Some(body.len() as u64),
            Self::File { length, .. } => Some(*length),
        }
    }

    /// The body from its beginning.
    pub(super) async fn begin(&self) -> io::Result<Sending> {
        Ok(match self {
            Self::Nothing => Sending::Whole(None),
            Self::Whole(body) => Sending::Whole(Some(body.clone())),
            Self::File { path, sent, .. } => {
                sent.store(0, Ordering::Relaxed);
                Sending::File {
                    file: File::open(path).await?,
                    sent: Arc::clone(sent),
                }
            }
        })
    }
}

/// A body on its way.
#[derive(Debug)]
pub(super) enum Sending {
    Whole(Option<Bytes>),
    File { file: File, sent: Arc<AtomicU64> },
}

impl Body for Sending {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        match self.get_mut() {
            Self::Whole(body) => Poll::Ready(body.take().map(|body| Ok(Frame::data(body)))),
            Self::File { file, sent } => {
                let mut piece = vec![0; PIECE];
                let mut buffer = ReadBuf::new(&mut piece);
                match Pin::new(file).poll_read(context, &mut buffer) {
                    Poll::Pending => Poll::Pending,
                    Poll::Ready(Err(cause)) => Poll::Ready(Some(Err(cause))),
                    Poll::Ready(Ok(())) => {
                        let length = buffer.filled().len();
                        sent.fetch_add(length as u64, Ordering::Relaxed);
                        piece.truncate(length);
                        let frame = (length > 0).then(|| Ok(Frame::data(piece.into())));
                        Poll::Ready(frame)
                    }
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Whole(None))
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(body) => SizeHint::with_exact(body.as_ref().map_or(0, |b| b.len() as u64)),
            Self::File { .. } => SizeHint::default(),
        }
    }
}
