//! [`Server`]: the one listener of a node, and everything that comes in there.
//!
//! ```text
//!   a connection ──► connection.rs ─┬─ "incumbent-worker …" ──► who am I? (verified by connecting back)
//!                    TLS, limits    └─ HTTP ─┬─ /v1       security/, then api/
//!                                            ├─ /, /ui    the pages, likewise
//!                                            ├─ /metrics, /healthz, /readyz   status.rs
//!                                            └─ /node/v1  other nodes only
//! ```
//!
//! # Limits
//!
//! | what | limit | when it is reached |
//! |---|---|---|
//! | connections | [`MOST_CONNECTIONS`] | more wait to be accepted |
//! | requests at a time on a connection of HTTP/2 | [`MOST_STREAMS`] | as HTTP/2 has it |
//! | head of a request | [`LARGEST_HEAD`], 100 fields | 431 |
//! | time for a head, and idle time | [`HEAD_TIME`] | closed |
//! | time for a handshake of TLS, or a challenge | [`GREETING_TIME`] | closed |
//! | bytes that a client does not take | [`UNREAD_TIME`] | closed |
//! | shutting down | [`DRAIN`] | what is left is cut |

mod connection;
mod status;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use incumbent_gateway::worker::WorkerNonce;
use incumbent_tls::{Identity, Reloading, ServerFiles, TlsError};
use metrics_exporter_prometheus::PrometheusHandle;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio_rustls::rustls::ServerConfig;

pub use connection::{
    GREETING_TIME, HEAD_TIME, LARGEST_HEAD, MOST_CONNECTIONS, MOST_STREAMS, UNREAD_TIME,
};

use status::MoreMetrics;
pub(crate) use status::TEXT as METRICS_TEXT;

use crate::security::{Access, NeedsToken, Token, TokenError, between_nodes};
use crate::wire::{Form, prove};
use crate::{Node, NodeOptions, NodeSecret};

/// How long requests may take to end when a node shuts down.
pub const DRAIN: Duration = Duration::from_secs(10);

/// How long not to accept after the system refused to: it has no more descriptors, and needs time
/// to get some back.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What is offered over TLS: HTTP/2 first.
const BOTH: &[&[u8]] = &[b"h2", b"http/1.1"];

/// Whether a process is ready, and a report for people.
pub type Readiness = Arc<dyn Fn() -> (bool, Value) + Send + Sync>;

/// What a process serves besides its routes.
pub struct ServerOptions {
    /// What it proves when it is connected back to, if it is a TaskManager.
    pub nonce: Option<WorkerNonce>,
    /// Its metrics. Their upkeep is done where the recorder was installed.
    pub metrics: PrometheusHandle,
    /// Whether it is ready.
    pub readiness: Readiness,
}

/// Why a node cannot serve. Each says what to do.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// Everybody could run programs.
    #[error(transparent)]
    NeedsToken(#[from] NeedsToken),
    /// The token cannot be used.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// The files of TLS cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The system does not say where the listener is bound.
    #[error("cannot listen")]
    Listen(#[from] io::Error),
}

/// A listener that is bound and does not answer yet: what is connected waits.
pub struct Server {
    socket: TcpListener,
    access: Access,
    tls: Option<Reloading<ServerConfig>>,
    secret: NodeSecret,
    options: ServerOptions,
    more_metrics: Option<MoreMetrics>,
}

/// Says when the node shuts down. It is among the extensions of each request, so that answers
/// without an end can end.
#[derive(Clone, Debug)]
pub struct Ending(watch::Receiver<bool>);

impl Server {
    /// Serves on this listener, once it [runs](Self::run), with the TLS and the token of the node.
    ///
    /// # Errors
    ///
    /// [`ServerError`].
    pub fn new(
        node: &Node,
        socket: TcpListener,
        options: ServerOptions,
    ) -> Result<Self, ServerError> {
        let NodeOptions { token, tls, .. } = node.options();
        let token = token.clone().map(Token::new).transpose()?;
        let access = Access::new(socket.local_addr()?, token)?.while_same_as_leaders(node);
        let tls = tls.as_ref().map(|tls| {
            let files = ServerFiles {
                identity: Identity {
                    certificate: tls.certificate.clone(),
                    key: tls.key.clone(),
                },
                client_ca: tls.client_ca.clone(),
            };
            files.reloading(BOTH)
        });
        Ok(Self {
            socket,
            access,
            tls: tls.transpose()?,
            secret: node.cluster().secret.clone(),
            options,
            more_metrics: None,
        })
    }

    /// Shows this text behind its own metrics. None of its names may be among those.
    #[must_use]
    pub fn showing(mut self, more: impl Fn() -> String + Send + Sync + 'static) -> Self {
        self.more_metrics = Some(Arc::new(more));
        self
    }

    /// Serves until `shutdown` is done; then takes no more connections and requests, and returns
    /// when those that there are have ended, after [`DRAIN`] in any case.
    ///
    /// `api` has the routes of `/v1`; each request has passed [`Access`] by then. `node` has those
    /// of `/node/v1`, which must ask for the proof of a node themselves
    /// ([`prove`]); that of its metrics is added here. Handlers find among the
    /// extensions of a request the [`Peer`](incumbent_gateway::Peer) that it came from, and
    /// [`Ending`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends all connections at once.
    pub async fn run(self, api: Router, node: Router, shutdown: impl Future<Output = ()>) {
        let ServerOptions {
            nonce,
            metrics,
            readiness,
        } = self.options;
        let metrics = status::Shown {
            own: metrics,
            more: self.more_metrics,
        };
        let node = node.merge(prove(
            status::of_nodes(metrics.clone()),
            &self.secret,
            Form::Whole,
        ));
        let status = status::routes(metrics, readiness);
        // Requests between nodes name a node by any address, and carry no token. What proves that
        // they come from a node is checked by those routes.
        let node = node.layer(axum::middleware::map_response(async |response| {
            between_nodes(response)
        }));
        let routes = self.access.protect(api.merge(status));
        let routes = incumbent_cluster_flink_rest::with_refusals(routes).merge(node);
        serve(self.socket, routes, nonce, self.tls, shutdown).await;
    }
}

/// Serves routes for people and programs that have passed [`Access`], and nothing else: without
/// TLS, and for no other node.
pub(crate) async fn serve_alone(
    socket: TcpListener,
    access: Access,
    routes: Router,
    shutdown: impl Future<Output = ()>,
) {
    serve(socket, access.protect(routes), None, None, shutdown).await;
}

async fn serve(
    socket: TcpListener,
    routes: Router,
    nonce: Option<WorkerNonce>,
    tls: Option<Reloading<ServerConfig>>,
    shutdown: impl Future<Output = ()>,
) {
    let (stop, stopping) = watch::channel(false);
    let shared = Arc::new(connection::Shared {
        routes,
        tls: tls.clone(),
        nonce,
        ending: Ending(stopping),
    });
    if let Some(tls) = &tls {
        tls.follow_in_background();
    }
    let mut connections = JoinSet::new();
    tokio::select! {
        () = shutdown => {}
        () = accept(&socket, &shared, &mut connections) => {}
    }
    drop(socket);
    let _ = stop.send(true);
    let drained = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(DRAIN, drained).await.is_err() {
        let left = connections.len();
        tracing::info!(
            left,
            "the time to shut down is over; cutting the connections that are left"
        );
    }
}

impl Ending {
    /// Whether the node shuts down.
    pub fn has_begun(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until the node shuts down.
    pub async fn begun(&mut self) {
        // A sender that is gone means the same.
        let _ = self.0.wait_for(|stopping| *stopping).await;
    }
}

/// Accepts for ever.
async fn accept(
    socket: &TcpListener,
    shared: &Arc<connection::Shared>,
    connections: &mut JoinSet<()>,
) {
    let doors = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    loop {
        // More wait in the queue of the system.
        let door = Arc::clone(&doors).acquire_owned();
        let door = door.await.expect("nobody closes it");
        let (stream, peer) = match socket.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::debug!(%error, "cannot accept a connection; retrying in 50 ms");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let shared = Arc::clone(shared);
        connections.spawn(async move {
            connection::serve(&shared, stream, peer).await;
            drop(door);
        });
        while connections.try_join_next().is_some() {}
    }
}
