//! The leader of one term, as it is connected to: [`Target`].

use std::io;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use incumbent::Seal;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};

use super::connection::{Connection, Http1, Missed, Sender, Wanted};
use super::dial::Connector;
use super::gate::Gate;
use super::idle::Idle;
use super::lines::Lines;
use super::secure::Secure;
use crate::decide::endpoint::Upstream;
use crate::stream::insertions::Insertions;
use crate::stream::{self, Stream};

/// How many connections are made at a time. When a leader comes, all that waited want one; a
/// server's queue is not for that.
const MOST_DIALLED: usize = 64;

/// The leader of one term.
pub(crate) struct Target {
    pub(crate) seal: Seal,
    pub(crate) addresses: Vec<Upstream>,
    /// The addresses as text.
    pub(crate) names: Vec<Arc<str>>,
    /// Lets a few requests through at first.
    pub(crate) gate: Gate,
    state: AtomicU8,
    /// Permits to make a connection of HTTP/1.1.
    dialling: Semaphore,
    /// Which address worked last. It is tried first.
    best: AtomicUsize,
    idle: Idle,
    pub(super) lines: Lines,
    /// How long each address took to answer. Kept, since looking them up costs as much as small
    /// requests do.
    timings: Vec<OnceLock<metrics::Histogram>>,
    /// Whether TLS works, for each address.
    secure: Vec<Secure>,
}

/// Whether it can be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Ready,
    /// No address took a connection, and somebody keeps trying.
    Away,
    /// It said that its term is over.
    Over,
}

impl Target {
    pub(crate) fn new(seal: Seal, addresses: Vec<Upstream>) -> Self {
        Self {
            seal,
            names: addresses.iter().map(|at| at.to_string().into()).collect(),
            timings: addresses.iter().map(|_| OnceLock::new()).collect(),
            secure: addresses.iter().map(|_| Secure::default()).collect(),
            addresses,
            gate: Gate::new(),
            state: AtomicU8::new(0),
            dialling: Semaphore::new(MOST_DIALLED),
            best: AtomicUsize::new(0),
            idle: Idle::default(),
            lines: Lines::default(),
        }
    }

    pub(crate) fn state(&self) -> State {
        match self.state.load(Ordering::SeqCst) {
            0 => State::Ready,
            1 => State::Away,
            _ => State::Over,
        }
    }

    /// Notes that it cannot be connected to. True if nobody noted it before: the caller then keeps
    /// trying.
    pub(crate) fn mark_away(&self) -> bool {
        let swapped = self
            .state
            .compare_exchange(0, 1, Ordering::SeqCst, Ordering::SeqCst);
        swapped.is_ok()
    }

    /// Notes that it can be connected to again.
    pub(crate) fn mark_back(&self) {
        self.gate.restart();
        // A leader that has said that its term is over stays over.
        let _ = self
            .state
            .compare_exchange(1, 0, Ordering::SeqCst, Ordering::SeqCst);
    }

    /// Notes that it said that its term is over. True if nobody noted it before.
    pub(crate) fn mark_over(&self) -> bool {
        self.state.swap(2, Ordering::SeqCst) != 2
    }

    /// Notes that it may be asked again after all.
    pub(crate) fn mark_ready(&self) {
        self.state.store(0, Ordering::SeqCst);
    }

    /// A connection that is there already.
    pub(crate) fn at_once(&self, http2: bool, wanted: Wanted) -> Option<Connection> {
        if http2 {
            return self.line_at_once(wanted);
        }
        let (connection, address) = self.idle.take(wanted)?;
        Some(Connection {
            sender: Sender::Http1(connection),
            address,
            reused: true,
            share: None,
        })
    }

    /// A connection for one request, waited for until `end`.
    ///
    /// # Errors
    ///
    /// [`Missed`], of all addresses.
    ///
    /// # Cancel safety
    ///
    /// Safe: connections of HTTP/1.1 are given up, those of HTTP/2 are kept for others.
    pub(crate) async fn connection(
        self: &Arc<Self>,
        connector: &Connector,
        http2: bool,
        wanted: Wanted,
        end: Instant,
    ) -> Result<Connection, Missed> {
        if http2 {
            return self.line(connector, wanted, end).await;
        }
        let dialled = timeout_at(end, self.dial_in_turn(connector, wanted)).await;
        dialled.unwrap_or(Err(Missed::Late))
    }

    /// Takes a connection back whose answer was read to its end.
    pub(crate) fn give_back(&self, connection: Http1, address: usize) {
        self.idle.keep(connection, address);
    }

    /// Closes what has been idle for long.
    pub(crate) fn tidy(&self) {
        self.idle.tidy();
        self.lines.tidy();
    }

    /// Tries all addresses once. What was connected is kept for the next request.
    pub(crate) async fn try_once(
        self: &Arc<Self>,
        connector: &Connector,
        http2: bool,
    ) -> Result<(), Missed> {
        if http2 {
            return self.line_once(connector).await;
        }
        let (connection, address) = self.dial_http1(connector).await?;
        self.give_back(connection, address);
        Ok(())
    }

    /// Notes how long an address took to begin its answer.
    pub(crate) fn took(&self, address: usize, time: Duration) {
        let timing = self.timings[address].get_or_init(|| {
            let upstream = Arc::clone(&self.names[address]);
            metrics::histogram!("incumbent_gateway_upstream_seconds", "upstream" => upstream)
        });
        timing.record(time);
        if self.addresses[address].tls {
            self.secure[address].worked(&self.names[address], self.seal.epoch);
        }
    }

    /// Notes that a connection to an address failed, which may be for a reason of TLS.
    pub(crate) fn broke(&self, address: usize, error: &(dyn std::error::Error + 'static)) {
        if self.addresses[address].tls {
            self.secure[address].failed(&self.names[address], self.seal.epoch, error);
        }
    }

    async fn dial_in_turn(
        &self,
        connector: &Connector,
        wanted: Wanted,
    ) -> Result<Connection, Missed> {
        let permit = self.dialling.acquire().await;
        let _permit = permit.expect("nobody closes it");
        if self.state() != State::Ready {
            return Err(Missed::NotReady);
        }
        if let Some(found) = self.at_once(false, wanted) {
            return Ok(found);
        }
        let (connection, address) = self.dial_http1(connector).await?;
        Ok(Connection {
            sender: Sender::Http1(connection),
            address,
            reused: false,
            share: None,
        })
    }

    async fn dial_http1(&self, connector: &Connector) -> Result<(Http1, usize), Missed> {
        let mut said = Missed::NotReady;
        for index in self.in_order() {
            let greeted = match connector.connect(&self.addresses[index], false).await {
                Ok(stream) => greet(stream).await,
                Err(missed) => Err(missed),
            };
            match greeted {
                Ok(connection) => return Ok((connection, self.worked(index))),
                Err(missed) => self.failed(index, missed, &mut said),
            }
        }
        Err(said)
    }

    /// All addresses, the one that worked last first.
    pub(super) fn in_order(&self) -> impl Iterator<Item = usize> + use<> {
        let count = self.addresses.len();
        let first = self.best.load(Ordering::Relaxed);
        (0..count).map(move |n| (first + n) % count)
    }

    pub(super) fn worked(&self, index: usize) -> usize {
        self.best.store(index, Ordering::Relaxed);
        index
    }

    pub(super) fn failed(&self, index: usize, missed: Missed, said: &mut Missed) {
        tracing::debug!(upstream = %self.addresses[index], error = %missed, "cannot connect to this address of the leader; trying the next one");
        if let Missed::Unclear(error) = &missed {
            self.broke(index, &**error);
        }
        if missed.rank() >= said.rank() {
            *said = missed;
        }
    }
}

async fn greet(stream: Stream) -> Result<Http1, Missed> {
    let insertions = Insertions::default();
    let stream = stream.with_insertions(insertions.clone());
    let (sender, connection) = http1::Builder::new()
        .max_buf_size(stream::BUFFER)
        .max_header_size(stream::BUFFER)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(|error| Missed::unclear(io::Error::other(error)))?;
    tokio::spawn(async move {
        // A request on it learns why it ended.
        let _ = connection.with_upgrades().await;
    });
    Ok(Http1 { sender, insertions })
}
