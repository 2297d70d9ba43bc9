//! For use inside a node: [`NodeLayer`] answers as the leader only while it is one, and passes
//! on what it cannot answer.
//!
//! ```text
//!              ┌── meant for our term, and it lasts ──► the service ── the term still lasts? ──► answer
//!   request ───┼── meant for another term ──► 421                      └─ no ──► the gateway, or 503
//!              └── meant for nobody ──┬─ we lead ──► the service
//!                                     └─ we do not ──► the gateway ──► the leader
//! ```

use std::pin::Pin;
use std::sync::{Arc, PoisonError, RwLock};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::header::UPGRADE;
use http::request::Parts;
use http::{HeaderValue, Request, Response};
use http_body::{Body, Frame, SizeHint};
use http_body_util::Empty;
use incumbent::{Epoch, Guard};
use tower_layer::Layer;
use tower_service::Service;

use crate::answer::body::Answer;
use crate::decide::problem::Problem;
use crate::decide::repeat;
use crate::gateway::Handle;
use crate::headers::fields::{EPOCH, TERM_ENDED};
use crate::request::client::Peer;
use crate::request::tape::BoxError;

/// Whether this node leads, as far as its answers are concerned. Cheap to clone; all clones are
/// one.
///
/// Say [`leads`](Self::leads) before the leadership is activated, so that the first request finds
/// it so. Nothing has to be said at the end: a guard knows when its term is over.
#[derive(Clone, Debug, Default)]
pub struct Role {
    guard: Arc<RwLock<Option<Guard>>>,
}

/// Makes a service answer only while this node leads.
///
/// - A request with `Incumbent-Epoch`, as gateways send it, is answered if that is the epoch of
///   this node's present term; else the answer is 421: nothing was done, ask the leader.
/// - A request without it is answered if this node leads. If it does not, the gateway passes it on;
///   without one the answer is 421.
/// - If the term ends while the service works, the service is dropped, as when a client goes away,
///   and its answer is not given. Instead it is 503 with [`TERM_ENDED`]: the service may have done
///   something. A gateway then asks the next leader if that does no harm. So does this node itself
///   with what came without an epoch, if it may be repeated and has no body.
/// - A body that has begun ends with an error then, also if it is silent.
///
/// What it cannot take back: bytes that were handed to the connection before the end of the term,
/// and may still be on their way; and a connection that was upgraded, as to a WebSocket, which is
/// the service's own from then on. End those by [`Guard::ended`].
#[derive(Clone)]
pub struct NodeLayer {
    role: Role,
    gateway: Option<Handle>,
    peer: PeerOf,
}

/// The service of a [`NodeLayer`].
#[derive(Clone)]
pub struct Node<S> {
    inner: S,
    layer: NodeLayer,
}

/// Tells where a request comes from.
type PeerOf = Arc<dyn Fn(&http::Extensions) -> Option<Peer> + Send + Sync>;

/// The body of what a node answers.
pub struct NodeBody<B>(Kind<B>);

enum Kind<B> {
    /// Of the service, for as long as the term lasts.
    Own(B, Term),
    /// Of the gateway.
    Other(Box<Answer>),
}

/// The term in which a request is answered.
struct Term {
    guard: Guard,
    ended: Pin<Box<dyn Future<Output = ()> + Send>>,
}

#[derive(Debug, thiserror::Error)]
#[error("the term of this node has ended")]
struct TermEnded;

impl Role {
    /// From now on this node answers as the leader of this term.
    pub fn leads(&self, guard: Guard) {
        *self.guard.write().unwrap_or_else(PoisonError::into_inner) = Some(guard);
    }

    /// The guard of the present term.
    pub fn guard(&self) -> Option<Guard> {
        self.last().filter(Guard::is_valid)
    }

    fn last(&self) -> Option<Guard> {
        let guard = self.guard.read().unwrap_or_else(PoisonError::into_inner);
        guard.clone()
    }
}

impl NodeLayer {
    /// Answers as this role says, and passes nothing on.
    pub fn new(role: Role) -> Self {
        Self {
            role,
            gateway: None,
            peer: Arc::new(|extensions| extensions.get::<Peer>().cloned()),
        }
    }

    /// Passes on through this gateway what this node cannot answer.
    #[must_use]
    pub fn pass_on(mut self, gateway: Handle) -> Self {
        self.gateway = Some(gateway);
        self
    }

    /// Takes from a request's extensions where it comes from. By default a [`Peer`] among them says
    /// so; with axum it is `|extensions|
    /// Some(Peer::plain(extensions.get::<ConnectInfo<SocketAddr>>()?.0))`.
    #[must_use]
    pub fn peer(
        mut self,
        peer: impl Fn(&http::Extensions) -> Option<Peer> + Send + Sync + 'static,
    ) -> Self {
        self.peer = Arc::new(peer);
        self
    }

    async fn passed_on<B, R>(&self, gateway: &Handle, request: Request<B>) -> Response<NodeBody<R>>
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let peer = (self.peer)(request.extensions());
        let peer = peer.unwrap_or_else(Peer::unknown);
        let response = gateway.forward(request, &peer).await;
        response.map(|answer| NodeBody(Kind::Other(Box::new(answer))))
    }

    /// Why this node does not answer itself: with another epoch than its own, or because it does
    /// not lead.
    fn guard_for(&self, epoch: Option<Option<Epoch>>) -> Result<Guard, Not> {
        match (epoch, self.role.guard()) {
            (None, Some(guard)) => Ok(guard),
            (None, None) => Err(Not::Ours),
            (Some(meant), Some(guard)) if meant == Some(guard.epoch()) => Ok(guard),
            (Some(_), _) => Err(Not::This),
        }
    }
}

/// Why a node does not answer itself.
enum Not {
    /// It does not lead; somebody else may.
    Ours,
    /// It is not the leader that was meant.
    This,
}

impl<S> Layer<S> for NodeLayer {
    type Service = Node<S>;

    fn layer(&self, inner: S) -> Node<S> {
        Node {
            inner,
            layer: self.clone(),
        }
    }
}

impl<S, B, R> Service<Request<B>> for Node<S>
where
    S: Service<Request<B>, Response = Response<R>> + Clone + Send + 'static,
    S::Future: Send,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Response = Response<NodeBody<R>>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        // The one that is ready is used, and another left in its place.
        let next = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, next);
        let layer = self.layer.clone();
        let meant = request.headers().get(EPOCH).map(read);
        let is_meant = meant.is_some();
        let guard = layer.guard_for(meant);
        Box::pin(async move {
            let guard = match (guard, &layer.gateway) {
                (Ok(guard), _) => guard,
                (Err(Not::Ours), Some(gateway)) => {
                    return Ok(layer.passed_on(gateway, request).await);
                }
                (Err(Not::Ours | Not::This), _) => return Ok(not_leading(&layer.role)),
            };
            request.headers_mut().remove(EPOCH);
            // A gateway that sent the request here sends it on itself.
            let gateway = layer.gateway.as_ref().filter(|_| !is_meant);
            let again = gateway.and_then(|gateway| Some((gateway, kept(&request)?)));
            let mut term = Term {
                ended: Box::pin(guard.ended()),
                guard,
            };
            {
                let response = tokio::select! {
                    biased;
                    response = inner.call(request) => Some(response?),
                    () = &mut term.ended => None,
                };
                if let Some(response) = response.filter(|_| term.guard.is_valid()) {
                    return Ok(response.map(|body| NodeBody(Kind::Own(body, term))));
                }
            }
            match again {
                Some((gateway, head)) => {
                    let request = Request::from_parts(head, Empty::<Bytes>::new());
                    Ok(layer.passed_on(gateway, request).await)
                }
                None => Ok(term_ended(&term.guard)),
            }
        })
    }
}

/// The head of a request that is nothing else and can be sent again without harm. One that opens a
/// WebSocket is more: the service may have taken its connection.
fn kept<B: Body>(request: &Request<B>) -> Option<Parts> {
    let is_safe = repeat::is_safe(request.method(), request.headers());
    let is_all = request.body().is_end_stream() && !request.headers().contains_key(UPGRADE);
    if !(is_safe && is_all) {
        return None;
    }
    let mut head = Request::new(());
    *head.method_mut() = request.method().clone();
    *head.uri_mut() = request.uri().clone();
    *head.version_mut() = request.version();
    *head.headers_mut() = request.headers().clone();
    *head.extensions_mut() = request.extensions().clone();
    Some(head.into_parts().0)
}

fn read(value: &HeaderValue) -> Option<Epoch> {
    value.to_str().ok()?.parse().ok().map(Epoch::new)
}

fn not_leading<R>(role: &Role) -> Response<NodeBody<R>> {
    let mut response = Answer::problem(Problem::NotLeading, None);
    // Zero if it never led: without the field it would be an answer of the application.
    let seen = role.last().map_or(0, |guard| guard.epoch().get());
    let headers = response.headers_mut();
    headers.insert(EPOCH, HeaderValue::from(seen));
    response.map(|answer| NodeBody(Kind::Other(Box::new(answer))))
}

/// Not 421: who is told that believes that nothing was done, and asks again whatever the method.
fn term_ended<R>(guard: &Guard) -> Response<NodeBody<R>> {
    let mut response = Answer::problem(Problem::TermEnded, None);
    let epoch = HeaderValue::from(guard.epoch().get());
    response.headers_mut().insert(TERM_ENDED, epoch);
    response.map(|answer| NodeBody(Kind::Other(Box::new(answer))))
}

impl<B> Body for NodeBody<B>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match &mut self.get_mut().0 {
            Kind::Other(answer) => Pin::new(&mut **answer).poll_frame(cx),
            Kind::Own(body, term) => match Pin::new(body).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) if term.guard.is_valid() => {
                    Poll::Ready(Some(Ok(frame)))
                }
                Poll::Ready(Some(Ok(_))) => Poll::Ready(Some(Err(TermEnded.into()))),
                Poll::Ready(end) => Poll::Ready(end.map(|end| end.map_err(Into::into))),
                Poll::Pending => {
                    // Once it is over it is not waited for again.
                    if term.guard.is_valid() {
                        ready!(term.ended.as_mut().poll(cx));
                    }
                    Poll::Ready(Some(Err(TermEnded.into())))
                }
            },
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Kind::Own(body, _) => body.is_end_stream(),
            Kind::Other(answer) => answer.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Kind::Own(body, _) => body.size_hint(),
            Kind::Other(answer) => answer.size_hint(),
        }
    }
}
