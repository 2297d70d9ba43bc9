//! [`TcpGateway`] and [`TcpHandle`]: the public interface.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use incumbent::Group;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use super::options::TcpOptions;
use super::reach::Reach;
use super::server;
use super::shared::Shared;
use crate::decide::route::Sight;
use crate::leader::board::{self, Board, Looked};

/// Carries connections to the leader.
///
/// It follows the leader from its creation on. [`run`](Self::run) serves connections.
///
/// If there is no leader to connect to, a new connection is held. A connection ends in good order
/// only if both sides have ended it so. In all other cases - no leader to connect to in time,
/// another leader, silence, a shutdown, a kill - it is reset, so that no side takes a part for the
/// whole.
pub struct TcpGateway {
    shared: Arc<Shared>,
}

/// Reports the state of a [`TcpGateway`]. Cheap to clone.
#[derive(Clone)]
pub struct TcpHandle {
    shared: Arc<Shared>,
}

/// The state of a [`TcpGateway`].
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TcpStatus {
    /// Whether the gateway would try to connect at once.
    pub is_ready: bool,
    /// The reason if not, in a word: `no leader`, `unreadable`, `not published`, `unreachable`.
    /// Otherwise `ready`.
    pub leader: &'static str,
    /// How many connections are held.
    pub held: usize,
    /// How many connections there are, including held ones.
    pub connections: usize,
}

impl TcpGateway {
    /// A gateway to the leader of this group. Starts to follow the leader.
    ///
    /// Must be called inside a Tokio runtime.
    pub fn new(group: &Group, options: TcpOptions) -> Self {
        let board = Arc::new(Board::of(group.observe()));
        let looked = Looked {
            endpoints: options.endpoints.clone(),
            tls: false,
        };
        let views = board::observed(group);
        let follower = tokio::spawn(board::follow(Arc::clone(&board), views, looked));
        let times = (options.times.hold, options.times.connect);
        let most = options.limits.connections.min(Semaphore::MAX_PERMITS);
        let shared = Shared {
            reach: Reach::new(Arc::clone(&board), options.limits.held, times),
            permits: Arc::new(Semaphore::new(most)),
            connections: AtomicUsize::new(0),
            board,
            options,
            follower,
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// A handle that reports the state of the gateway.
    pub fn handle(&self) -> TcpHandle {
        TcpHandle {
            shared: Arc::clone(&self.shared),
        }
    }

    /// Serves these listeners until `shutdown` completes. Then it accepts no more connections, and
    /// returns when the remaining ones have ended, or at the latest after
    /// [`TcpTimes::drain`](crate::TcpTimes::drain).
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends all connections at once.
    pub async fn run(
        self,
        listeners: impl IntoIterator<Item = TcpListener>,
        shutdown: impl Future<Output = ()>,
    ) {
        server::run(self.shared, listeners.into_iter().collect(), shutdown).await;
    }
}

impl TcpHandle {
    /// The present state of the gateway.
    pub fn status(&self) -> TcpStatus {
        let shared = &self.shared;
        let leader = match shared.board.look().0 {
            Sight::Ready(seal) if shared.reach.is_away(seal) => "unreachable",
            Sight::Ready(_) | Sight::Starting(_) => "ready",
            Sight::Unpublished(_) => "not published",
            Sight::Unreadable => "unreadable",
            Sight::Nobody | Sight::Away(_) | Sight::Over(_) => "no leader",
        };
        let limits = &shared.options.limits;
        TcpStatus {
            is_ready: leader == "ready",
            leader,
            held: shared.reach.held(limits.held),
            connections: shared.connections.load(Ordering::SeqCst),
        }
    }
}

/// Describes the metrics of TCP mode. Call it once a recorder is installed.
pub fn describe_tcp_metrics() {
    use metrics::{describe_counter, describe_gauge, describe_histogram};
    describe_counter!(
        "incumbent_gateway_tcp_connections_total",
        "Connections that have ended, by outcome"
    );
    describe_counter!(
        "incumbent_gateway_tcp_bytes_total",
        "Bytes passed on, by direction: received from clients, or sent to them"
    );
    describe_gauge!(
        "incumbent_gateway_tcp_connections",
        "Connections of clients in TCP mode"
    );
    describe_gauge!(
        "incumbent_gateway_tcp_held",
        "Connections that are held now"
    );
    describe_histogram!(
        "incumbent_gateway_tcp_held_seconds",
        "How long connections were held, of those that were"
    );
}
