//! Connections of HTTP/2, which requests share: [`Lines`].
//!
//! There are few, and a request gets a place on the one with most room. When all are full, one more
//! is opened at a time, for all waiting requests. At the limit, requests wait for a place here and
//! not inside a connection: so it stays certain that they were not sent.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::Duration;

use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep_until, timeout, timeout_at};

use super::connection::{Connection, Missed, RECENT, Sender, Wanted};
use super::dial::Connector;
use super::share::{Driven, Load, Share, lock};
use super::target::{State, Target};
use super::wire::Wire;
use crate::decide::endpoint::Upstream;
use crate::request::tape::Playback;

/// The most connections of HTTP/2 to one leader.
const MOST_LINES: usize = 16;
/// The most requests at a time on one connection, as most servers allow; fewer if the leader says
/// so.
const MOST_STREAMS: usize = 128;
/// How much of one answer the leader may send before it is read: enough for 200 Mbit/s at a round
/// trip of 10 ms.
const STREAM_WINDOW: u32 = 256 * 1024;
/// How much of all answers the leader may send: the sum of their windows, so that a client that
/// does not read stops no other.
const LINE_WINDOW: u32 = 128 * STREAM_WINDOW;
/// How often a connection with requests is pinged, and how long the answer may take.
const PING: Duration = Duration::from_secs(20);
/// The longest head of an answer that the library reads, as HTTP/2 counts it: with 32 bytes for
/// each field. It is more than may be passed on, as the library does not report that a head was too
/// long.
const LONGEST_HEAD: u32 = 256 * 1024;
/// How long a connection without requests is kept.
const UNUSED: Duration = Duration::from_secs(30);
/// How long to wait with the next attempt after none could be opened.
const PAUSE: Duration = Duration::from_millis(100);

type Dialled = Option<Result<(), Missed>>;

/// The connections of HTTP/2 to one leader.
#[derive(Default)]
pub(super) struct Lines {
    now: Mutex<Now>,
    /// Notified when there may be a place.
    changed: Arc<Notify>,
    /// The holder gets the next place. All others queue for it.
    turn: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Now {
    lines: Vec<Line>,
    /// The attempt to open one more, if there is one.
    dial: Option<watch::Receiver<Dialled>>,
    /// When the last attempt failed.
    failed: Option<Instant>,
}

struct Line {
    sender: http2::SendRequest<Playback>,
    address: usize,
    born: Instant,
    load: Arc<Load>,
}

/// What to do for a connection.
enum Next {
    Take(Connection),
    Join(watch::Receiver<Dialled>),
    /// Open one, not before this time, and tell.
    Open(watch::Sender<Dialled>, Option<Instant>),
    /// There may be no more.
    Wait,
}

impl Target {
    pub(super) fn line_at_once(&self, wanted: Wanted) -> Option<Connection> {
        // Not before those who wait.
        drop(self.lines.turn.try_lock().ok()?);
        self.lines.lock().take(wanted, None, &self.lines.changed)
    }

    pub(super) async fn line(
        self: &Arc<Self>,
        connector: &Connector,
        wanted: Wanted,
        end: Instant,
    ) -> Result<Connection, Missed> {
        let since = Instant::now();
        let mut must_queue = self.lines.turn.try_lock().is_err();
        let mut turn = None;
        loop {
            // Not while listening for changes: a place is told to one who listens.
            if must_queue && turn.is_none() {
                turn = Some(self.lines.turn(end).await?);
            }
            if self.state() != State::Ready {
                return Err(Missed::NotReady);
            }
            let mut changed = std::pin::pin!(self.lines.changed.notified());
            // Before looking, so that no change is missed.
            changed.as_mut().enable();
            let next = self.lines.lock().next(wanted, since, &self.lines.changed);
            let told = match next {
                Next::Take(connection) => return Ok(connection),
                Next::Join(told) => told,
                Next::Open(tell, not_before) => self.open(connector, tell, not_before),
                Next::Wait if turn.is_none() => {
                    must_queue = true;
                    continue;
                }
                Next::Wait => {
                    timeout_at(end, changed).await.map_err(|_| Missed::Full)?;
                    continue;
                }
            };
            // Those behind may wait for the same attempt.
            (turn, must_queue) = (None, false);
            tokio::select! {
                biased;
                done = outcome(told) => done?,
                () = changed => {}
                () = sleep_until(end) => return Err(Missed::Late),
            }
        }
    }

    /// Tries to have a connection. Concurrent calls share one attempt.
    pub(super) async fn line_once(self: &Arc<Self>, connector: &Connector) -> Result<(), Missed> {
        let since = Instant::now();
        let next = self
            .lines
            .lock()
            .next(Wanted::New, since, &self.lines.changed);
        match next {
            Next::Take(_) | Next::Wait => Ok(()),
            Next::Join(told) => outcome(told).await,
            Next::Open(tell, not_before) => outcome(self.open(connector, tell, not_before)).await,
        }
    }

    /// Opens one more connection, in a task of its own: the request that began it may be gone
    /// before the others that wait for it.
    fn open(
        self: &Arc<Self>,
        connector: &Connector,
        tell: watch::Sender<Dialled>,
        not_before: Option<Instant>,
    ) -> watch::Receiver<Dialled> {
        let told = tell.subscribe();
        let (target, connector) = (Arc::clone(self), connector.clone());
        tokio::spawn(async move {
            if let Some(at) = not_before {
                sleep_until(at).await;
            }
            let changed = Arc::clone(&target.lines.changed);
            let opened = target.greet_in_order(&connector).await;
            let done = {
                let mut now = target.lines.lock();
                now.dial = None;
                match opened {
                    Ok(((sender, load), address)) => {
                        now.failed = None;
                        now.lines.push(Line {
                            sender,
                            address,
                            born: Instant::now(),
                            load,
                        });
                        Ok(())
                    }
                    Err(missed) => {
                        now.failed = Some(Instant::now());
                        Err(missed)
                    }
                }
            };
            tell.send_replace(Some(done));
            changed.notify_waiters();
        });
        told
    }

    async fn greet_in_order(
        &self,
        connector: &Connector,
    ) -> Result<((http2::SendRequest<Playback>, Arc<Load>), usize), Missed> {
        let mut said = Missed::NotReady;
        for index in self.in_order() {
            match greet(connector, &self.addresses[index], &self.lines.changed).await {
                Ok(opened) => return Ok((opened, self.worked(index))),
                Err(missed) => self.failed(index, missed, &mut said),
            }
        }
        Err(said)
    }
}

impl Lines {
    /// Closes connections that were not used for long.
    pub(super) fn tidy(&self) {
        self.lock()
            .lines
            .retain(|line| line.is_open() && (line.busy() > 0 || line.load.heard.ago() < UNUSED));
    }

    async fn turn(&self, end: Instant) -> Result<tokio::sync::MutexGuard<'_, ()>, Missed> {
        timeout_at(end, self.turn.lock())
            .await
            .map_err(|_| Missed::Full)
    }

    fn lock(&self) -> MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Now {
    fn next(&mut self, wanted: Wanted, since: Instant, changed: &Arc<Notify>) -> Next {
        if let Some(connection) = self.take(wanted, Some(since), changed) {
            return Next::Take(connection);
        }
        if self.lines.len() >= MOST_LINES {
            return Next::Wait;
        }
        // An attempt whose task was aborted never reports.
        if let Some(told) = self.dial.as_ref().filter(|told| told.has_changed().is_ok()) {
            return Next::Join(told.clone());
        }
        let tell = watch::Sender::new(None);
        self.dial = Some(tell.subscribe());
        Next::Open(tell, self.failed.map(|failed| failed + PAUSE))
    }

    /// A place on the connection with most room. One that was opened after `since` is new.
    fn take(
        &mut self,
        wanted: Wanted,
        since: Option<Instant>,
        changed: &Arc<Notify>,
    ) -> Option<Connection> {
        let fits = |line: &Line| match wanted {
            Wanted::Any => true,
            Wanted::Recent => line.load.heard.ago() < RECENT,
            Wanted::New => since.is_some_and(|since| line.born >= since),
        };
        // An unfit connection without requests takes the place of a fit one.
        self.lines
            .retain(|line| line.is_open() && (line.busy() > 0 || fits(line)));
        // A connection that was not heard of late is better than none.
        let may_be_any = self.lines.len() >= MOST_LINES;
        let found = self
            .lines
            .iter()
            .filter(|line| (may_be_any || fits(line)) && line.busy() < line.room())
            .min_by_key(|line| (!fits(line), line.busy()))?;
        found.load.busy.fetch_add(1, Ordering::SeqCst);
        Some(Connection {
            sender: Sender::Http2(found.sender.clone()),
            address: found.address,
            reused: found.load.was_used.swap(true, Ordering::SeqCst),
            share: Some(Share {
                load: Arc::clone(&found.load),
                changed: Arc::clone(changed),
            }),
        })
    }
}

impl Line {
    fn is_open(&self) -> bool {
        !self.sender.is_closed() && !self.load.is_retired.load(Ordering::SeqCst)
    }

    fn busy(&self) -> usize {
        self.load.busy.load(Ordering::SeqCst)
    }

    /// How many requests it takes at a time.
    fn room(&self) -> usize {
        let driven = lock(&self.load.driven);
        let allowed = driven.as_ref().map_or(0, Driven::current_max_send_streams);
        allowed.min(MOST_STREAMS)
    }
}

async fn outcome(mut told: watch::Receiver<Dialled>) -> Result<(), Missed> {
    match told.wait_for(Option::is_some).await {
        Ok(done) => done.clone().expect("it was waited for"),
        Err(_) => Err(Missed::unclear(io::ErrorKind::Interrupted)),
    }
}

/// Connects, and waits for the settings by which the leader shows that it speaks HTTP/2.
async fn greet(
    connector: &Connector,
    upstream: &Upstream,
    changed: &Arc<Notify>,
) -> Result<(http2::SendRequest<Playback>, Arc<Load>), Missed> {
    let stream = connector.connect(upstream, true).await?;
    let (wire, heard, first) = Wire::new(stream);
    let (sender, connection) = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .keep_alive_interval(PING)
        .keep_alive_timeout(PING)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(LINE_WINDOW)
        .max_header_list_size(LONGEST_HEAD)
        .handshake(TokioIo::new(wire))
        .await
        .map_err(|error| Missed::unclear(io::Error::other(error)))?;
    let driven = Arc::new(Mutex::new(Some(connection)));
    tokio::spawn(drive(Arc::clone(&driven), Arc::clone(changed)));
    match timeout(connector.patience, first).await {
        Ok(Ok(Ok(true))) => {}
        Ok(Ok(Ok(false))) => return Err(Missed::NoHttp2),
        Ok(Ok(Err(error))) => return Err(Missed::unclear(error)),
        Ok(Err(_)) => return Err(Missed::unclear(io::ErrorKind::ConnectionAborted)),
        Err(_) => return Err(Missed::unclear(io::ErrorKind::TimedOut)),
    }
    let load = Load {
        busy: AtomicUsize::new(0),
        was_used: AtomicBool::new(false),
        is_retired: AtomicBool::new(false),
        heard,
        driven,
    };
    Ok((sender, Arc::new(load)))
}

async fn drive(driven: Arc<Mutex<Option<Driven>>>, changed: Arc<Notify>) {
    std::future::poll_fn(|cx| {
        let mut driven = lock(&driven);
        let Some(connection) = driven.as_mut() else {
            return Poll::Ready(());
        };
        // Each request on it learns why it ended.
        let ended = Pin::new(connection).poll(cx);
        if ended.is_ready() {
            *driven = None;
        }
        ended.map(|_| ())
    })
    .await;
    changed.notify_one();
}
