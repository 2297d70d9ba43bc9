//! [`Gateway`] and [`Handle`]: the public face.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use futures::stream::BoxStream;
use http::{Request, Response};
use http_body::Body;
use incumbent::{Group, View};

use crate::answer::body::Answer;
use crate::answer::tunnel::Tunnels;
use crate::client::listener::Listener;
use crate::client::server;
use crate::decide::route::Sight;
use crate::forward::forward;
use crate::lanes::Lanes;
use crate::leader::board::{self, Board};
use crate::options::Options;
use crate::request::client::{Client, Peer};
use crate::request::tape::{self, BoxError};
use crate::shared::Shared;
use incumbent_tls::TlsError;

/// A reverse proxy to the leader.
///
/// It follows the leader from when it is made. [`run`](Self::run) serves connections; a [`Handle`]
/// passes on single requests, inside a node that serves connections itself.
pub struct Gateway {
    shared: Arc<Shared>,
    lanes: Option<Lanes>,
}

/// Passes on single requests. Cheap to clone.
#[derive(Clone)]
pub struct Handle {
    shared: Arc<Shared>,
}

/// How a gateway is.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// Whether a request would be sent on at once.
    pub is_ready: bool,
    /// Why not, in a word: `no leader`, `unreadable`, `not published`, `unreachable`,
    /// `misdirected`; `ready` if it is.
    pub leader: &'static str,
    /// How many requests are held.
    pub held: usize,
    /// How many connections of clients there are.
    pub connections: usize,
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
        let board = Board::of(group.observe());
        Self::on_board(board, board::observed(group), options)
    }

    /// A gateway to the leader that these views name, now and whenever that changes: for leaders
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
        Self::on_board(Board::default(), views, options)
    }

    fn on_board(
        board: Board,
        views: BoxStream<'static, View>,
        options: Options,
    ) -> Result<Self, TlsError> {
        let shared = Shared::new(board, views, options)?;
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

impl Handle {
    /// Passes a request on to the leader, and its answer back. What goes wrong is an answer too: a
    /// [`Problem`](crate::Problem).
    ///
    /// Of `peer` the leader learns who asked. If you serve the connection, give up clients that do
    /// not read the answer. If the request opens a WebSocket, the connection that it came on must
    /// be served with upgrades.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future gives the request up; it may be processed all the same.
    pub async fn forward<B>(&self, request: Request<B>, peer: &Peer) -> Response<Answer>
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let request = request.map(tape::source);
        let client = Client::new(peer.clone());
        Box::pin(forward(&self.shared, request, &client, Tunnels::Task)).await
    }

    /// How the gateway is.
    pub fn status(&self) -> Status {
        let (sight, _) = self.shared.board.look();
        let leader = match sight {
            Sight::Nobody => "no leader",
            Sight::Unreadable => "unreadable",
            Sight::Unpublished(_) => "not published",
            Sight::Away(_) => "unreachable",
            Sight::Over(_) => "misdirected",
            Sight::Starting(_) | Sight::Ready(_) => "ready",
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
