//! For use inside of a node: [`NodeLayer`] answers as the leader only while it is one, and passes on what it cannot answer.
//!
//! ```text
//!              ┌── meant for our term, and it lasts ──► the service ── the term still lasts? ──► answer
//!   request ───┼── meant for another term ──► 421                      └─ no ──► 421 or 503
//!              └── meant for nobody ──┬─ we lead ──► the service
//!                                     └─ we do not ──► the gateway ──► the leader
//! ```

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, PoisonError, RwLock};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response};
use http_body::{Body, Frame, SizeHint};
use incumbent::{Epoch, Guard};
use tower_layer::Layer;
use tower_service::Service;

use crate::answer::Answer;
use crate::gateway::Handle;
use crate::headers::{EPOCH, Peer};
use crate::problem::Problem;
use crate::tape::BoxError;

/// Whether this node leads, as far as its answers are concerned. Cheap to clone; all clones are one.
///
/// Say [`leads`](Self::leads) before the leadership is activated, so that the first request finds it so. Nothing has to be said
/// at the end: a guard knows when its term is over.
#[derive(Clone, Debug, Default)]
pub struct Role {
    guard: Arc<RwLock<Option<Guard>>>,
}

/// Makes a service answer only while this node leads.
///
/// - A request with `Incumbent-Epoch`, as gateways send it, is answered if that is the epoch of this node's present term; else
///   the answer is 421: nothing was done, ask the leader.
/// - A request without it is answered if this node leads. If it does not, the gateway passes it on; without one the answer is 421.
/// - If the term ends while the service works, its answer is not given. Instead it is 421 if the method is idempotent, so that
///   the gateway asks the next leader, else 503: the service may have done something. A body that has begun ends with an error.
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
    Own(B, Option<Guard>),
    /// Of the gateway.
    Other(Box<Answer>),
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

    /// Takes from a request's extensions where it comes from. By default a [`Peer`] among them says so; with axum it is
    /// `|extensions| Some(Peer::plain(extensions.get::<ConnectInfo<SocketAddr>>()?.0))`.
    #[must_use]
    pub fn peer(
        mut self,
        peer: impl Fn(&http::Extensions) -> Option<Peer> + Send + Sync + 'static,
    ) -> Self {
        self.peer = Arc::new(peer);
        self
    }

    /// Why this node does not answer itself: with another epoch than its own, or because it does not lead.
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
        let guard = layer.guard_for(meant);
        let method = request.method().clone();
        Box::pin(async move {
            let guard = match (guard, &layer.gateway) {
                (Ok(guard), _) => guard,
                (Err(Not::Ours), Some(gateway)) => {
                    let peer = (layer.peer)(request.extensions());
                    let peer = peer.unwrap_or_else(Peer::unknown);
                    let response = gateway.forward(request, &peer).await;
                    return Ok(response.map(|answer| NodeBody(Kind::Other(Box::new(answer)))));
                }
                (Err(Not::Ours | Not::This), _) => return Ok(not_leading(&layer.role)),
            };
            request.headers_mut().remove(EPOCH);
            let response = inner.call(request).await?;
            if guard.is_valid() {
                return Ok(response.map(|body| NodeBody(Kind::Own(body, Some(guard)))));
            }
            Ok(ended(&layer.role, &method))
        })
    }
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

fn ended<R>(role: &Role, method: &Method) -> Response<NodeBody<R>> {
    // Who is told 421 believes that nothing was done, and asks again whatever the method.
    if method.is_idempotent() {
        return not_leading(role);
    }
    let response = Answer::problem(Problem::TermEnded, None);
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
            Kind::Own(body, guard) => {
                let frame = ready!(Pin::new(body).poll_frame(cx));
                let is_valid = guard.as_ref().is_none_or(Guard::is_valid);
                match frame {
                    Some(Ok(_)) if !is_valid => Poll::Ready(Some(Err(TermEnded.into()))),
                    frame => Poll::Ready(frame.map(|frame| frame.map_err(Into::into))),
                }
            }
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

impl Peer {
    /// A client without TLS.
    pub fn plain(address: SocketAddr) -> Self {
        Self {
            address,
            tls: false,
            certificate: None,
        }
    }

    fn unknown() -> Self {
        Self::plain(SocketAddr::from(([0, 0, 0, 0], 0)))
    }
}
