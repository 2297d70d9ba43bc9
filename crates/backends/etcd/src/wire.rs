//! One HTTP/2 connection, and gRPC requests over it.

use std::task::{Context, Poll};
use std::time::Duration;

use futures::future::BoxFuture;
use futures::future::FutureExt;
use futures::stream::{self, StreamExt};
use http::Uri;
use http::uri::PathAndQuery;
use hyper::body::Incoming;
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use incumbent_backend::BoxError;
use prost::Message;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::oneshot;
use tonic::body::Body;
use tonic::client::{Grpc, GrpcService};
use tonic::metadata::{Ascii, MetadataValue};
use tonic::{Request, Status, Streaming};
use tonic_prost::ProstCodec;

use crate::message::Method;

/// While an answer is pending, a server that has been silent this long gets a ping. Servers close
/// the connection of a client that pings more often than every five seconds
/// (`--grpc-keepalive-min-time`), or that pings with no request pending.
const PING: Duration = Duration::from_secs(10);

/// The time in which the server must answer the ping.
const PONG: Duration = Duration::from_secs(3);

/// The longest answer accepted. A body that another program wrote may be longer than ours, up to
/// the servers' request limit (1.5 MiB by default). A page of keys is 1 MiB at most.
const LONGEST_ANSWER: usize = 16 * 1024 * 1024;

/// Identifies the client to the servers.
pub(crate) type Token = MetadataValue<Ascii>;

/// A connection. Clones share it. When the last clone is dropped, the connection ends, and all its
/// pending requests with it.
#[derive(Clone)]
pub(crate) struct Wire {
    grpc: Grpc<Http>,
    http: Http,
}

/// A stream of answers. Dropping it makes the server end the request.
pub(crate) struct Answers<A> {
    answers: Streaming<A>,
    /// Dropping this ends the request body. The HTTP library keeps a request alive while its body
    /// has not ended, whether or not anything reads the answer.
    _open: oneshot::Sender<Never>,
}

enum Never {}

impl<A> Answers<A> {
    /// The next answer, or `None` if the server has ended the stream.
    pub(crate) async fn next(&mut self) -> Result<Option<A>, Status> {
        self.answers.message().await
    }
}

/// Why a connection gave no answer.
///
/// This layer knows whether a request was sent. A client library that reconnects by itself does
/// not, which is why this crate has its own thin layer on the HTTP library.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Lost {
    #[error("the connection is closed")]
    Unsent(#[source] BoxError),
    #[error("the connection was lost")]
    Broken(#[source] BoxError),
}

impl Wire {
    /// Starts HTTP/2 on a connection. The returned future drives the connection, and ends with it.
    pub(crate) async fn begin(
        io: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        origin: Uri,
    ) -> Result<(Self, BoxFuture<'static, hyper::Result<()>>), hyper::Error> {
        let (sender, connection) = http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .keep_alive_interval(PING)
            .keep_alive_timeout(PONG)
            .keep_alive_while_idle(false)
            .handshake(TokioIo::new(io))
            .await?;
        let http = Http(sender);
        let grpc = Grpc::with_origin(http.clone(), origin);
        let grpc = grpc.max_decoding_message_size(LONGEST_ANSWER);
        Ok((Self { grpc, http }, Box::pin(connection)))
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.http.0.is_closed()
    }

    /// Sends one request and waits for one answer.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future tells the server that the answer is no longer wanted. The server may
    /// still do what was asked.
    pub(crate) async fn ask<Q, A>(
        &self,
        method: Method,
        token: Option<Token>,
        question: Q,
    ) -> Result<A, Status>
    where
        Q: Message + 'static,
        A: Message + Default + 'static,
    {
        let mut grpc = self.ready().await?;
        let request = with_token(Request::new(question), token);
        let answer = grpc
            .unary(request, path(method), ProstCodec::<Q, A>::default())
            .await?;
        Ok(answer.into_inner())
    }

    /// Sends one request and returns a stream of answers, which the server or the caller ends.
    pub(crate) async fn follow<Q, A>(
        &self,
        method: Method,
        token: Option<Token>,
        question: Q,
    ) -> Result<Answers<A>, Status>
    where
        Q: Message + 'static,
        A: Message + Default + 'static,
    {
        let mut grpc = self.ready().await?;
        // If the stream of requests ended, the server would end the answers.
        let (open, ended) = oneshot::channel::<Never>();
        let no_more = ended.into_stream().filter_map(async |_| None);
        let questions = stream::iter([question]).chain(no_more);
        let mut request = with_token(Request::new(questions), token);
        // With this header, a server that is cut off from the others reports it and does not stay
        // silent.
        let wanted = MetadataValue::from_static("true");
        request.metadata_mut().insert("hasleader", wanted);
        let answers = grpc
            .streaming(request, path(method), ProstCodec::<Q, A>::default())
            .await?;
        Ok(Answers {
            answers: answers.into_inner(),
            _open: open,
        })
    }

    async fn ready(&self) -> Result<Grpc<Http>, Status> {
        let mut grpc = self.grpc.clone();
        let ready = grpc.ready().await;
        ready.map_err(|lost| Status::from_error(Box::new(lost)))?;
        Ok(grpc)
    }
}

fn path(method: Method) -> PathAndQuery {
    PathAndQuery::from_static(method.0)
}

fn with_token<T>(mut request: Request<T>, token: Option<Token>) -> Request<T> {
    if let Some(token) = token {
        request.metadata_mut().insert("token", token);
    }
    request
}

/// The connection in the form that the gRPC library takes.
#[derive(Clone)]
pub(crate) struct Http(SendRequest<Body>);

impl GrpcService<Body> for Http {
    type ResponseBody = Incoming;
    type Error = Lost;
    type Future = BoxFuture<'static, Result<http::Response<Incoming>, Lost>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Lost>> {
        let ready = self.0.poll_ready(context);
        ready.map_err(|closed| Lost::Unsent(closed.into()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let answer = self.0.try_send_request(request);
        Box::pin(async {
            answer
                .await
                .map_err(|mut failed| match failed.take_message() {
                    // The request came back unsent.
                    Some(_) => Lost::Unsent(failed.into_error().into()),
                    None => Lost::Broken(failed.into_error().into()),
                })
        })
    }
}
