//! The leader of one term, as it is connected to: [`Target`].

use std::io;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use incumbent::Seal;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};

use crate::endpoint::Upstream;
use crate::stream::{self, Stream};
use crate::tape::Playback;
use crate::tls::Back;

/// The most idle connections that are kept to one leader.
const MOST_IDLE: usize = 1024;
/// How long a connection is kept idle: less than most servers do, so that few are closed while a request is on its way.
const IDLE: Duration = Duration::from_secs(4);
/// How long it may have been idle for a request that must not be sent twice: hardly any server closes one so soon.
const RECENT: Duration = Duration::from_secs(1);
/// How many connections are made at a time. When a leader comes, all that waited want one; a server's queue is not for that.
const MOST_DIALLED: usize = 64;
/// How many idle connections are looked at for one that can be used at once.
const MOST_LOOKED_AT: usize = 8;
/// How often a connection of HTTP/2 is asked whether it lives, and how long it may take to say so.
const PING: Duration = Duration::from_secs(20);

/// The leader of one term.
pub(crate) struct Target {
    pub(crate) seal: Seal,
    pub(crate) addresses: Vec<Upstream>,
    /// The addresses as text.
    pub(crate) names: Vec<Arc<str>>,
    state: AtomicU8,
    /// Permits to make a connection.
    dialling: Semaphore,
    /// Which address worked last. It is tried first.
    best: AtomicUsize,
    idle: Mutex<Vec<Idle>>,
    /// All requests of HTTP/2 share one. Locked while it is being made, so that it is made once.
    shared: tokio::sync::Mutex<Option<(http2::SendRequest<Playback>, usize)>>,
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

/// Which connection will do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    Any,
    /// One that was used a moment ago, or a new one.
    Recent,
    New,
}

/// A connection that takes one request.
pub(crate) struct Connection {
    pub(crate) sender: Sender,
    /// Which of the addresses it leads to.
    pub(crate) address: usize,
    pub(crate) reused: bool,
}

pub(crate) enum Sender {
    Http1(http1::SendRequest<Playback>),
    Http2(http2::SendRequest<Playback>),
}

/// Makes connections.
#[derive(Clone)]
pub(crate) struct Connector {
    pub(crate) tls: Back,
    pub(crate) patience: Duration,
    pub(crate) stall: Duration,
}

struct Idle {
    sender: http1::SendRequest<Playback>,
    address: usize,
    since: Instant,
}

impl Target {
    pub(crate) fn new(seal: Seal, addresses: Vec<Upstream>) -> Self {
        Self {
            seal,
            names: addresses.iter().map(|at| at.to_string().into()).collect(),
            addresses,
            state: AtomicU8::new(0),
            dialling: Semaphore::new(MOST_DIALLED),
            best: AtomicUsize::new(0),
            idle: Mutex::default(),
            shared: tokio::sync::Mutex::default(),
        }
    }

    pub(crate) fn state(&self) -> State {
        match self.state.load(Ordering::SeqCst) {
            0 => State::Ready,
            1 => State::Away,
            _ => State::Over,
        }
    }

    /// Notes that it cannot be connected to. True for whoever noted it first: he keeps trying.
    pub(crate) fn is_away(&self) -> bool {
        let swapped = self
            .state
            .compare_exchange(0, 1, Ordering::SeqCst, Ordering::SeqCst);
        swapped.is_ok()
    }

    /// Notes that it can be connected to again.
    pub(crate) fn is_back(&self) {
        // Who has said that his term is over has said so for good.
        let _ = self
            .state
            .compare_exchange(1, 0, Ordering::SeqCst, Ordering::SeqCst);
    }

    /// Notes that it said that its term is over. True for whoever noted it first.
    pub(crate) fn is_over(&self) -> bool {
        self.state.swap(2, Ordering::SeqCst) != 2
    }

    /// Notes that it may be asked again after all.
    pub(crate) fn is_asked_again(&self) {
        self.state.store(0, Ordering::SeqCst);
    }

    /// A connection for one request.
    ///
    /// # Errors
    ///
    /// What the last address said: all were tried; or that somebody else found none to work.
    pub(crate) async fn connection(
        &self,
        connector: &Connector,
        http2: bool,
        wanted: Wanted,
    ) -> io::Result<Connection> {
        if http2 {
            return self.multiplexed(connector).await;
        }
        if let Some(found) = self.reuse(wanted) {
            return Ok(found);
        }
        let _permit = self.dialling.acquire().await.map_err(io::Error::other)?;
        if self.state() != State::Ready {
            return Err(io::ErrorKind::NotConnected.into());
        }
        if let Some(found) = self.reuse(wanted) {
            return Ok(found);
        }
        let (stream, address) = self.reach(connector, false).await?;
        let sender = handshake(stream).await?;
        Ok(Connection {
            sender: Sender::Http1(sender),
            address,
            reused: false,
        })
    }

    /// Takes a connection back whose answer was read to its end.
    pub(crate) fn give_back(&self, sender: http1::SendRequest<Playback>, address: usize) {
        if sender.is_closed() {
            return;
        }
        let mut idle = self.idle();
        let now = Instant::now();
        if idle.len() >= MOST_IDLE {
            idle.remove(0);
        }
        idle.push(Idle {
            sender,
            address,
            since: now,
        });
    }

    /// Closes what has been idle for long.
    pub(crate) fn tidy(&self) {
        let now = Instant::now();
        self.idle()
            .retain(|idle| !idle.sender.is_closed() && now.duration_since(idle.since) < IDLE);
    }

    /// Tries all addresses once. What was connected is kept for the next request.
    pub(crate) async fn try_once(&self, connector: &Connector, http2: bool) -> io::Result<()> {
        if http2 {
            return self.multiplexed(connector).await.map(drop);
        }
        let (stream, address) = self.reach(connector, false).await?;
        self.give_back(handshake(stream).await?, address);
        Ok(())
    }

    fn reuse(&self, wanted: Wanted) -> Option<Connection> {
        let longest = match wanted {
            Wanted::Any => IDLE,
            Wanted::Recent => RECENT,
            Wanted::New => return None,
        };
        let mut idle = self.idle();
        let now = Instant::now();
        // The newest first, so that the others grow old and are closed.
        let mut looked_at = 0;
        let mut index = idle.len();
        while index > 0 && looked_at < MOST_LOOKED_AT {
            index -= 1;
            let one = &idle[index];
            if one.sender.is_closed() || now.duration_since(one.since) >= IDLE {
                idle.remove(index);
            } else if now.duration_since(one.since) >= longest {
                // All others are older.
                return None;
            } else if one.sender.is_ready() {
                let Idle {
                    sender, address, ..
                } = idle.remove(index);
                return Some(Connection {
                    sender: Sender::Http1(sender),
                    address,
                    reused: true,
                });
            } else {
                // Its last answer was read a moment ago, or its request's body is still being sent.
                looked_at += 1;
            }
        }
        None
    }

    async fn multiplexed(&self, connector: &Connector) -> io::Result<Connection> {
        let mut shared = self.shared.lock().await;
        if let Some((sender, address)) = &*shared
            && !sender.is_closed()
        {
            return Ok(Connection {
                sender: Sender::Http2(sender.clone()),
                address: *address,
                reused: true,
            });
        }
        let (stream, address) = self.reach(connector, true).await?;
        let (sender, connection) = http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .keep_alive_interval(PING)
            .keep_alive_timeout(PING)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(io::Error::other)?;
        tokio::spawn(async move {
            // Whoever has a request on it learns why it ended.
            let _ = connection.await;
        });
        *shared = Some((sender.clone(), address));
        Ok(Connection {
            sender: Sender::Http2(sender),
            address,
            reused: false,
        })
    }

    async fn reach(&self, connector: &Connector, http2: bool) -> io::Result<(Stream, usize)> {
        let count = self.addresses.len();
        let first = self.best.load(Ordering::Relaxed);
        let mut said = io::Error::from(io::ErrorKind::AddrNotAvailable);
        for index in (0..count).map(|n| (first + n) % count) {
            match connector.connect(&self.addresses[index], http2).await {
                Ok(stream) => {
                    self.best.store(index, Ordering::Relaxed);
                    return Ok((stream, index));
                }
                Err(error) => {
                    tracing::debug!(upstream = %self.addresses[index], %error, "cannot connect");
                    said = error;
                }
            }
        }
        Err(said)
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Idle>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Connector {
    async fn connect(&self, to: &Upstream, http2: bool) -> io::Result<Stream> {
        match timeout(self.patience, self.connect_at_leisure(to, http2)).await {
            Ok(done) => done,
            Err(_) => Err(io::ErrorKind::TimedOut.into()),
        }
    }

    async fn connect_at_leisure(&self, to: &Upstream, http2: bool) -> io::Result<Stream> {
        let stream = TcpStream::connect((to.host.as_str(), to.port)).await?;
        stream::prepare(&stream);
        if !to.tls {
            return Ok(Stream::plain(stream, self.stall));
        }
        let (config, name) = self
            .tls
            .with(http2, &to.host)
            .ok_or_else(|| io::Error::other("its host is no name that a certificate can have"))?;
        let stream = tokio_rustls::TlsConnector::from(config)
            .connect(name, stream)
            .await?;
        if http2 && stream.get_ref().1.alpn_protocol() != Some(b"h2") {
            return Err(io::Error::other("it does not speak HTTP/2"));
        }
        Ok(Stream::tls(stream, self.stall))
    }
}

async fn handshake(stream: Stream) -> io::Result<http1::SendRequest<Playback>> {
    let (sender, connection) = http1::Builder::new()
        .handshake(TokioIo::new(stream))
        .await
        .map_err(io::Error::other)?;
    tokio::spawn(async move {
        // Whoever has a request on it learns why it ended.
        let _ = connection.with_upgrades().await;
    });
    Ok(sender)
}
