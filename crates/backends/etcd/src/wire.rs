//! One connection by HTTP/2, and what is asked over it by gRPC.

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

/// While an answer is awaited, a server that is silent for so long is asked whether it lives.
/// Servers close the connection of a client that asks more often than every five seconds
/// (`--grpc-keepalive-min-time`), or while nothing is awaited.
const PING: Duration = Duration::from_secs(10);

/// And then it has so long to say so.
const PONG: Duration = Duration::from_secs(3);

/// The longest answer that is taken. A body that somebody else wrote may be longer than ours, and
/// as long as the servers take, which is 1.5 MiB if they are not told otherwise; a page of keys is
/// 1 MiB at most.
const LONGEST_ANSWER: usize = 16 * 1024 * 1024;

/// Shows who asks.
pub(crate) type Token = MetadataValue<Ascii>;

/// A connection. Clones share it. It ends when the last one is gone, and whatever is asked over it.
#[derive(Clone)]
pub(crate) struct Wire {
    grpc: Grpc<Http>,
    http: Http,
}

/// Answers as they come. The server ends what it does for them when this is dropped.
pub(crate) struct Answers<A> {
    answers: Streaming<A>,
    /// Its end is the end of the questions. The HTTP library goes on with a request whose body has
    /// not ended, whether the answer is read or not.
    _open: oneshot::Sender<Never>,
}

enum Never {}

impl<A> Answers<A> {
    /// The next one, or `None` if the server has ended it.
    pub(crate) async fn next(&mut self) -> Result<Option<A>, Status> {
        self.answers.message().await
    }
}

/// Why a connection gave no answer.
///
/// That it knows whether a request was sent is why this is our own thin layer on the HTTP library,
/// and no client that connects again by itself.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Lost {
    #[error("the connection is closed")]
    Unsent(#[source] BoxError),
    #[error("the connection was lost")]
    Broken(#[source] BoxError),
}

impl Wire {
    /// Begins to speak on a connection. The future that comes with it does the work, and ends with
    /// the connection.
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

    /// One question, one answer.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future tells the server that the answer is not wanted any more. It may do what
    /// was asked.
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

    /// One question, and answers until the server or the caller ends it.
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
        // A stream of questions that ends would end the answers.
        let (open, ended) = oneshot::channel::<Never>();
        let no_more = ended.into_stream().filter_map(async |_| None);
        let questions = stream::iter([question]).chain(no_more);
        let mut request = with_token(Request::new(questions), token);
        // A server that is cut off from the others shall say so, and not be silent.
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

/// The connection as the gRPC library takes it.
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
                    // It comes back as it was.
                    Some(_) => Lost::Unsent(failed.into_error().into()),
                    None => Lost::Broken(failed.into_error().into()),
                })
        })
    }
}
