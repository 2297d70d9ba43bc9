//! [`Gateway`] and [`Handle`]: the public face.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use futures::stream::BoxStream;
use http::{Request, Response};
use http_body::Body;
use http_body_util::BodyExt as _;
use incumbent::{Group, Seal, View};
use tokio::net::TcpListener;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::answer::Answer;
use crate::board::{self, Board, Looked};
use crate::client::Client;
use crate::forward::forward;
use crate::headers::Peer;
use crate::lanes::Lanes;
use crate::options::Options;
use crate::problem::Problem;
use crate::route::Sight;
use crate::server;
use crate::tape::{Allowance, BoxError, Source};
use crate::target::Connector;
use crate::tls::{Back, Front, TlsError};
use crate::tunnel::Tunnels;

/// A reverse proxy to whoever leads.
///
/// It follows the leader from when it is made. [`run`](Self::run) serves connections; a [`Handle`]
/// passes on single requests, inside of a node that serves connections itself.
pub struct Gateway {
    shared: Arc<Shared>,
    lanes: Option<Lanes>,
}

/// Passes on single requests. Cheap to clone.
#[derive(Clone)]
pub struct Handle {
    shared: Arc<Shared>,
}

/// Where connections come in.
pub struct Listener {
    pub(crate) socket: TcpListener,
    pub(crate) tls: bool,
}

/// How a gateway is.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// Whether a request would be sent on at once.
    pub is_ready: bool,
    /// Why not, in a word: `no leader`, `not published`, `unreachable`, `misdirected`; `ready` if
    /// it is.
    pub leader: &'static str,
    /// How many requests are held.
    pub held: usize,
    /// How many connections of clients there are.
    pub connections: usize,
}

pub(crate) struct Shared {
    pub(crate) options: Options,
    pub(crate) board: Arc<Board>,
    pub(crate) connector: Connector,
    pub(crate) allowance: Allowance,
    /// The name of this gateway in `Via`.
    pub(crate) name: String,
    pub(crate) front: Option<Front>,
    pub(crate) places: Arc<Semaphore>,
    pub(crate) requests: Arc<Semaphore>,
    /// Permits to accept one more connection.
    pub(crate) doors: Arc<Semaphore>,
    /// The connections that there are.
    pub(crate) connections: AtomicUsize,
    /// Whether nothing is held any longer.
    closing: watch::Sender<bool>,
    follower: JoinHandle<()>,
}

/// A request that is held, while this exists.
pub(crate) struct Place {
    _permit: OwnedSemaphorePermit,
    since: Instant,
}

impl Gateway {
    /// A gateway to the leader of this group. Reads the files of TLS, and begins to follow the
    /// leader.
    ///
    /// Must be called inside a Tokio runtime.
    ///
    /// # Errors
    ///
    /// [`TlsError`].
    pub fn new(group: &Group, options: Options) -> Result<Self, TlsError> {
        Self::following(board::observed(group), options)
    }

    /// A gateway to whoever these views say, first now and then whenever that changes: for leaders
    /// that were not elected here. The terms of two leaders must differ in their nonce, and each
    /// must publish what [`Options::endpoints`] names.
    ///
    /// When the stream ends nobody leads any more: what comes is held and then refused, until the
    /// gateway is dropped. A stream that is to survive the loss of its source has to connect again
    /// by itself.
    ///
    /// Must be called inside a Tokio runtime.
    ///
    /// # Errors
    ///
    /// [`TlsError`].
    pub fn following(views: BoxStream<'static, View>, options: Options) -> Result<Self, TlsError> {
        let front = options.tls.as_ref().map(Front::new).transpose()?;
        let board = Arc::new(Board::default());
        let looked = Looked {
            endpoints: options.endpoints.clone(),
            tls: options.upstream_tls.by_default,
        };
        let connector = Connector {
            tls: Back::new(&options.upstream_tls)?,
            patience: options.times.connect,
            stall: options.times.stall,
        };
        let limits = &options.limits;
        let semaphore =
            |permits: usize| Arc::new(Semaphore::new(permits.min(Semaphore::MAX_PERMITS)));
        let allowance = Allowance {
            kept: limits.kept_body,
            room: semaphore(limits.kept_bodies),
            longest: limits.body,
            stall: options.times.stall,
        };
        let follower = tokio::spawn(board::follow(Arc::clone(&board), views, looked));
        let shared = Shared {
            places: semaphore(limits.held),
            requests: semaphore(limits.requests),
            doors: semaphore(limits.connections),
            connections: AtomicUsize::new(0),
            closing: watch::Sender::new(false),
            name: format!("incumbent-{:016x}", rand::random::<u64>()),
            options,
            board,
            connector,
            allowance,
            front,
            follower,
        };
        Ok(Self {
            shared: Arc::new(shared),
            lanes: None,
        })
    }

    /// Serves connections on these threads, and not on the runtime that [`run`](Self::run) is
    /// called in.
    #[must_use]
    pub fn on(mut self, lanes: Lanes) -> Self {
        self.lanes = Some(lanes);
        self
    }

    /// Passes on single requests, and tells how the gateway is.
    pub fn handle(&self) -> Handle {
        Handle {
            shared: Arc::clone(&self.shared),
        }
    }

    /// Serves these listeners until `shutdown` is done; then takes no more connections and
    /// requests, and returns when those that there are have ended, after
    /// [`Times::drain`](crate::Times::drain) in any case. Shortly before that, what is still held
    /// is answered with the problem that it is held for.
    ///
    /// # Panics
    ///
    /// If a listener wants TLS and [`Options::tls`] has none.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends all connections at once.
    pub async fn run(
        self,
        listeners: impl IntoIterator<Item = Listener>,
        shutdown: impl Future<Output = ()>,
    ) {
        let listeners: Vec<Listener> = listeners.into_iter().collect();
        let wants_tls = listeners.iter().any(|listener| listener.tls);
        assert!(
            !wants_tls || self.shared.front.is_some(),
            "a listener with TLS has a certificate"
        );
        server::run(self.shared, self.lanes, listeners, shutdown).await;
    }
}

impl Listener {
    /// Connections without TLS: HTTP/1.1, and HTTP/2 of clients that know that it is spoken here.
    pub fn plain(socket: TcpListener) -> Self {
        Self { socket, tls: false }
    }

    /// Connections with the TLS of [`Options::tls`].
    pub fn tls(socket: TcpListener) -> Self {
        Self { socket, tls: true }
    }
}

impl From<TcpListener> for Listener {
    fn from(socket: TcpListener) -> Self {
        Self::plain(socket)
    }
}

impl Handle {
    /// Passes a request on to the leader, and its answer back. What goes wrong is an answer too: a
    /// [`Problem`].
    ///
    /// Of `peer` the leader learns who asked. Whoever serves the connection has to give up clients
    /// that do not take the answer. If the request opens a WebSocket, the connection that it came
    /// on must be served with upgrades.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future gives the request up; it may be processed all the same.
    pub async fn forward<B>(&self, request: Request<B>, peer: &Peer) -> Response<Answer>
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let request = request.map(source);
        let client = Client::new(peer.clone());
        Box::pin(forward(&self.shared, request, &client, Tunnels::Task)).await
    }

    /// How the gateway is.
    pub fn status(&self) -> Status {
        let (sight, _) = self.shared.board.look();
        let leader = match sight {
            Sight::Nobody => "no leader",
            Sight::Unpublished(_) => "not published",
            Sight::Away(_) => "unreachable",
            Sight::Over(_) => "misdirected",
            Sight::Ready(_) => "ready",
        };
        let limits = &self.shared.options.limits;
        Status {
            is_ready: matches!(sight, Sight::Ready(_)),
            leader,
            held: limits
                .held
                .saturating_sub(self.shared.places.available_permits()),
            connections: self.shared.connections.load(Ordering::SeqCst),
        }
    }

    /// Waits until a request would be sent on at once.
    pub async fn ready(&self) {
        let board = &self.shared.board;
        loop {
            let mut changed = std::pin::pin!(board.changed());
            changed.as_mut().enable();
            if self.status().is_ready {
                return;
            }
            changed.await;
        }
    }
}

impl Shared {
    /// A place to wait.
    pub(crate) fn hold(&self) -> Result<Place, Problem> {
        let permit = Arc::clone(&self.places)
            .try_acquire_owned()
            .map_err(|_| Problem::TooManyHeld)?;
        metrics::gauge!("incumbent_gateway_held").increment(1);
        Ok(Place {
            _permit: permit,
            since: Instant::now(),
        })
    }

    /// Lets go of all that is held, and holds nothing from now on.
    pub(crate) fn hold_no_longer(&self) {
        self.closing.send_replace(true);
    }

    pub(crate) fn is_closing(&self) -> bool {
        *self.closing.borrow()
    }

    /// Waits until nothing is held any longer.
    pub(crate) async fn closing(&self) {
        // The sender is here, so there is one.
        let _ = self.closing.subscribe().wait_for(|closing| *closing).await;
    }

    pub(crate) fn pass_certificate(&self) -> bool {
        self.front.as_ref().is_some_and(Front::pass_certificate)
    }

    /// Waits until an endless answer of the leader of this term should end, as somebody else has
    /// led for some time.
    pub(crate) async fn outlived(&self, term: Seal) {
        self.board.overtaken(term).await;
        tokio::time::sleep(self.options.times.outlived).await;
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.follower.abort();
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        metrics::gauge!("incumbent_gateway_held").decrement(1);
        metrics::histogram!("incumbent_gateway_held_seconds").record(self.since.elapsed());
    }
}

/// Any body as the one that requests have here.
pub(crate) fn source<B>(body: B) -> Source
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    body.map_err(Into::into).boxed_unsync()
}
