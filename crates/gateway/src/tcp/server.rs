//! Accepts, carries and drains connections.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use rustix::net::sockopt::set_socket_linger;
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use super::pipe::{End, Pipe};
use super::proxy_v2;
use super::reach::{Reached, Refused};
use super::shared::Shared;
use crate::stream;

/// The target of the connection log: one event for each connection, when it has ended.
///
/// Fields: `client`, `outcome`, `received` and `sent` (bytes), `seconds`, `waited` (seconds until
/// the leader was connected), `epoch` and `upstream` (if the leader was connected).
pub const TCP_ACCESS: &str = "incumbent::access::tcp";

/// How long to pause after the system refused to accept: it has no more descriptors, and needs time
/// to free some.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Piped(End),
    /// Another node leads, and the grace is over.
    Outlived,
    Refused(Refused),
    /// The gateway ended it at shutdown.
    Cut,
}

/// The facts about one connection. Logged on drop.
struct Report {
    shared: Arc<Shared>,
    client: SocketAddr,
    began: Instant,
    waited: Option<Duration>,
    leader: Option<(u64, String)>,
    pipe: Pipe,
    outcome: Outcome,
}

pub(super) async fn run(
    shared: Arc<Shared>,
    listeners: Vec<TcpListener>,
    shutdown: impl Future<Output = ()>,
) {
    let (stop, stopping) = watch::channel(false);
    let mut doors = JoinSet::new();
    for listener in listeners {
        doors.spawn(accept(Arc::clone(&shared), listener, stopping.clone()));
    }
    shutdown.await;
    let _ = stop.send(true);
    let drained = async { while doors.join_next().await.is_some() {} };
    if timeout(shared.options.times.drain, drained).await.is_err() {
        tracing::info!("the time to shut down is over; cutting the connections that are left");
    }
    // Dropping these tasks ends their remaining connections.
    doors.shutdown().await;
}

/// Accepts connections until the gateway stops, then waits for the accepted ones.
async fn accept(shared: Arc<Shared>, listener: TcpListener, mut stopping: watch::Receiver<bool>) {
    let mut connections = JoinSet::new();
    loop {
        let next = async {
            let permit = Arc::clone(&shared.permits).acquire_owned().await;
            let permit = permit.expect("nobody closes it");
            loop {
                match listener.accept().await {
                    Ok((stream, client)) => return (stream, client, permit),
                    // If a client left before it was accepted, there is nothing to do. Other errors
                    // pass.
                    Err(error) => {
                        tracing::debug!(%error, "cannot accept");
                        sleep(ACCEPT_PAUSE).await;
                    }
                }
            }
        };
        tokio::select! {
            (stream, client, permit) = next => {
                connections.spawn(connection(Arc::clone(&shared), stream, client, permit));
            }
            Some(_) = connections.join_next() => {}
            // A dropped sender also means to stop.
            _ = stopping.wait_for(|stopping| *stopping) => break,
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

async fn connection(
    shared: Arc<Shared>,
    mut client: TcpStream,
    address: SocketAddr,
    _permit: OwnedSemaphorePermit,
) {
    let mut report = Report::begin(&shared, address);
    stream::prepare(&client);
    reset_when_closed(&client, true);
    let here = client
        .local_addr()
        .ok()
        .map(|here| SocketAddr::new(here.ip().to_canonical(), here.port()));
    let reached = shared.reach.reach(here).await;
    report.waited = Some(report.began.elapsed());
    let reached = match reached {
        Ok(reached) => reached,
        Err(refused) => {
            report.outcome = Outcome::Refused(refused);
            return;
        }
    };
    report.outcome = carry(&shared, (&mut client, here), reached, &mut report).await;
}

async fn carry(
    shared: &Shared,
    (client, here): (&mut TcpStream, Option<SocketAddr>),
    reached: Reached,
    report: &mut Report,
) -> Outcome {
    let Reached {
        stream: mut leader,
        seal,
        upstream,
    } = reached;
    report.leader = Some((seal.epoch.get(), upstream.to_string()));
    reset_when_closed(&leader, true);
    if let Some(here) = here.filter(|_| shared.options.proxy_protocol) {
        let header = proxy_v2::header(report.client, here);
        // The header is smaller than any send buffer, so this does not wait.
        if leader.write_all(&header).await.is_err() {
            return Outcome::Piped(End::Broken);
        }
    }
    let times = &shared.options.times;
    let patience = (times.idle, times.half_closed);
    let outlived = async {
        shared.board.overtaken(seal).await;
        sleep(times.outlived).await;
    };
    let end = tokio::select! {
        end = report.pipe.run(client, &mut leader, patience) => end,
        () = outlived => return Outcome::Outlived,
    };
    if end == End::Closed {
        reset_when_closed(client, false);
        reset_when_closed(&leader, false);
    }
    Outcome::Piped(end)
}

/// Sets whether closing a connection resets it instead of ending it in good order. This is set
/// before anything else, so that the connection is reset even if this process is killed.
fn reset_when_closed(stream: &TcpStream, is_so: bool) {
    // Without this option, a reset looks like an end in good order. That is no reason to refuse the
    // connection.
    let _ = set_socket_linger(stream, is_so.then_some(Duration::ZERO));
}

impl Outcome {
    fn name(self) -> &'static str {
        match self {
            Self::Piped(End::Closed) => "closed",
            Self::Piped(End::Broken) => "broken",
            Self::Piped(End::Idle) => "idle",
            Self::Outlived => "leader-changed",
            Self::Refused(Refused::NobodyLeads) => "no-leader",
            Self::Refused(Refused::Unreadable) => "unreadable",
            Self::Refused(Refused::Unpublished) => "not-published",
            Self::Refused(Refused::Unreachable) => "unreachable",
            Self::Refused(Refused::TooManyHeld) => "too-many-held",
            Self::Cut => "cut",
        }
    }
}

impl Report {
    fn begin(shared: &Arc<Shared>, client: SocketAddr) -> Self {
        shared.connections.fetch_add(1, Ordering::SeqCst);
        metrics::gauge!("incumbent_gateway_tcp_connections").increment(1);
        Self {
            shared: Arc::clone(shared),
            client,
            began: Instant::now(),
            waited: None,
            leader: None,
            pipe: Pipe::new(),
            outcome: Outcome::Cut,
        }
    }
}

impl Drop for Report {
    fn drop(&mut self) {
        self.shared.connections.fetch_sub(1, Ordering::SeqCst);
        metrics::gauge!("incumbent_gateway_tcp_connections").decrement(1);
        let outcome = self.outcome.name();
        metrics::counter!("incumbent_gateway_tcp_connections_total", "outcome" => outcome)
            .increment(1);
        let seconds = self.began.elapsed().as_secs_f64();
        tracing::info!(
            target: TCP_ACCESS,
            client = %self.client.ip().to_canonical(),
            outcome,
            received = self.pipe.received.bytes(),
            sent = self.pipe.sent.bytes(),
            seconds,
            waited = self.waited.map_or(seconds, |waited| waited.as_secs_f64()),
            epoch = self.leader.as_ref().map(|(epoch, _)| *epoch),
            upstream = self.leader.as_ref().map(|(_, upstream)| upstream.as_str()),
        );
    }
}
