//! [`Reach`]: connects to the leader, and waits for it if necessary.
//!
//! ```text
//!   reach() ──► somebody leads? ──yes──► connect ──► does it still lead? ──yes──► done
//!                  │ no            ▲        │ not reached        └─no─► from the start
//!                  ▼               │        ▼
//!              a place to wait ────┴─ one waiting connection keeps trying; the others wake when it connects
//! ```

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use incumbent::Seal;
use tokio::net::TcpStream;
use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{Instant, sleep, sleep_until};

use crate::decide::endpoint::Upstream;
use crate::decide::route::Sight;
use crate::leader::board::Board;
use crate::leader::dial::dial;
use crate::leader::target::Target;
use crate::stream;

/// The pause before trying again a leader that accepted no connection. It doubles up to `LAST_TRY`.
/// It is short at first, since the leader may be just starting.
const FIRST_TRY: Duration = Duration::from_millis(20);
const LAST_TRY: Duration = Duration::from_millis(250);

/// Finds connections to the leader.
pub(crate) struct Reach {
    board: Arc<Board>,
    places: Arc<Semaphore>,
    hold: Duration,
    connect: Duration,
    /// The term whose leader accepted no connection at the last attempt.
    away: watch::Sender<Option<Seal>>,
    /// Held by the one connection that keeps trying an unreachable leader.
    turn: Mutex<()>,
}

/// A connection to a leader.
pub(crate) struct Reached {
    pub(crate) stream: TcpStream,
    pub(crate) seal: Seal,
    pub(crate) upstream: Upstream,
}

/// Why there is no connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    NobodyLeads,
    Unreadable,
    Unpublished,
    Unreachable,
    TooManyHeld,
}

/// The place of a held connection. Dropping it frees the place.
struct Place {
    _permit: OwnedSemaphorePermit,
    since: Instant,
}

/// Whether a waiting connection should try now.
enum Woken {
    Try,
    Late,
}

impl Reach {
    pub(crate) fn new(
        board: Arc<Board>,
        held: usize,
        (hold, connect): (Duration, Duration),
    ) -> Self {
        Self {
            board,
            places: Arc::new(Semaphore::new(held.min(Semaphore::MAX_PERMITS))),
            hold,
            connect,
            away: watch::Sender::new(None),
            turn: Mutex::new(()),
        }
    }

    /// Connects to the leader, and waits for it if necessary. Never connects to `here`, the address
    /// that accepted the client: a gateway that was published as the leader would talk to itself
    /// without end.
    ///
    /// # Errors
    ///
    /// [`Refused`]: the time to wait is over, or there was no place to wait.
    ///
    /// # Cancel safety
    ///
    /// Safe: the place is freed, and another connection continues to try.
    pub(crate) async fn reach(&self, here: Option<SocketAddr>) -> Result<Reached, Refused> {
        let mut place: Option<Place> = None;
        // Held while this connection tries an unreachable leader.
        let mut turn = None;
        let mut pause = FIRST_TRY;
        loop {
            let mut changed = pin!(self.board.changed());
            changed.as_mut().enable();
            let (sight, target) = self.board.look();
            let why = match (sight, target) {
                (Sight::Ready(seal), Some(target)) => {
                    let is_away = *self.away.borrow() == Some(seal);
                    if is_away && turn.is_none() {
                        // Maybe no connection is trying any more.
                        turn = self.turn.try_lock().ok();
                    }
                    if !is_away || turn.is_some() {
                        let connected = tokio::select! {
                            connected = self.connect(&target, here) => connected,
                            () = self.board.overtaken(seal) => continue,
                        };
                        match connected {
                            Ok(reached) if !self.board.is_overtaken(seal) => {
                                self.is_back(seal);
                                return Ok(reached);
                            }
                            // Another node leads by now. Nothing was sent yet, so try again.
                            Ok(_) => continue,
                            Err(error) => self.is_gone(seal, &error),
                        }
                    }
                    Refused::Unreachable
                }
                (Sight::Unpublished(_), _) => Refused::Unpublished,
                (Sight::Unreadable, _) => Refused::Unreadable,
                (Sight::Nobody | Sight::Away(_) | Sight::Over(_), _)
                | (Sight::Starting(_) | Sight::Ready(_), _) => Refused::NobodyLeads,
            };
            let since = match &place {
                Some(place) => place.since,
                None => place.insert(self.hold_one()?).since,
            };
            let end = since + self.hold;
            let wait = async {
                match (why, turn.is_some()) {
                    // It is this connection's turn to try.
                    (Refused::Unreachable, true) => {
                        sleep(pause).await;
                        pause = (pause * 2).min(LAST_TRY);
                    }
                    (Refused::Unreachable, false) => {
                        tokio::select! {
                            mine = self.turn.lock() => {
                                turn = Some(mine);
                                pause = FIRST_TRY;
                            }
                            () = self.no_longer_away() => {}
                        }
                    }
                    (
                        Refused::NobodyLeads
                        | Refused::Unreadable
                        | Refused::Unpublished
                        | Refused::TooManyHeld,
                        _,
                    ) => std::future::pending().await,
                }
            };
            let woken = tokio::select! {
                () = wait => Woken::Try,
                () = changed => Woken::Try,
                () = sleep_until(end) => Woken::Late,
            };
            if matches!(woken, Woken::Late) {
                return Err(why);
            }
        }
    }

    /// How many connections are held.
    pub(crate) fn held(&self, most: usize) -> usize {
        most.saturating_sub(self.places.available_permits())
    }

    /// Whether the leader of this term accepted no connection at the last attempt, and a connection
    /// keeps trying.
    pub(crate) fn is_away(&self, seal: Seal) -> bool {
        *self.away.borrow() == Some(seal) && self.turn.try_lock().is_err()
    }

    async fn connect(&self, target: &Target, here: Option<SocketAddr>) -> io::Result<Reached> {
        let mut said = io::Error::from(io::ErrorKind::AddrNotAvailable);
        for upstream in &target.addresses {
            let to = (upstream.host.as_str(), upstream.port);
            let error = match dial(to, self.connect, here).await {
                Ok(stream) => {
                    stream::prepare(&stream);
                    return Ok(Reached {
                        stream,
                        seal: target.seal,
                        upstream: upstream.clone(),
                    });
                }
                Err(error) => error,
            };
            tracing::debug!(%upstream, %error, "cannot connect");
            said = error;
        }
        Err(said)
    }

    fn is_gone(&self, seal: Seal, error: &io::Error) {
        let is_new = self.away.send_if_modified(|away| {
            let is_new = *away != Some(seal);
            *away = Some(seal);
            is_new
        });
        if is_new {
            tracing::info!(epoch = %seal.epoch, %error, "cannot connect to the leader; holding connections and retrying");
        }
    }

    fn is_back(&self, seal: Seal) {
        let was_away = self.away.send_if_modified(|away| {
            let was_away = *away == Some(seal);
            if was_away {
                *away = None;
            }
            was_away
        });
        if was_away {
            tracing::info!(epoch = %seal.epoch, "can connect to the leader again; passing on what was held");
        }
    }

    async fn no_longer_away(&self) {
        let mut away = self.away.subscribe();
        // `self` owns the sender, so it cannot be gone.
        let _ = away.wait_for(Option::is_none).await;
    }

    fn hold_one(&self) -> Result<Place, Refused> {
        let permit = Arc::clone(&self.places)
            .try_acquire_owned()
            .map_err(|_| Refused::TooManyHeld)?;
        metrics::gauge!("incumbent_gateway_tcp_held").increment(1);
        Ok(Place {
            _permit: permit,
            since: Instant::now(),
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        metrics::gauge!("incumbent_gateway_tcp_held").decrement(1);
        metrics::histogram!("incumbent_gateway_tcp_held_seconds").record(self.since.elapsed());
    }
}
