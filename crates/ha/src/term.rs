//! What the parts of one term share: how long it is valid, and whether it is over.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use incumbent_core::election::LostBecause;
use incumbent_core::{Epoch, HolderName, Seal, Time};
use tokio::sync::watch;

use crate::Clock;

/// One term of this process, shared by its leadership, guards, records, the node and the deadline
/// thread.
#[derive(Debug)]
pub(crate) struct Term {
    pub(crate) seal: Seal,
    clock: Clock,
    /// Nanoseconds of the clock; zero once the term is over.
    valid_until: AtomicU64,
    /// Likewise. It stays as it is when the term ends, because what still runs must end by then.
    hard_until: AtomicU64,
    lost: watch::Sender<Option<LostBecause>>,
    /// Set once somebody asks to hand over: to whom, if named.
    asked: watch::Sender<Option<Option<HolderName>>>,
    /// The number of the next write of a record.
    next_seq: AtomicU64,
}

/// Tells until when a leadership is valid. Cheap to clone and to ask: it reads a clock, and sends
/// no request.
#[derive(Clone, Debug)]
pub struct Guard {
    pub(crate) term: std::sync::Arc<Term>,
}

/// Why a term could be won. For people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    /// Why the leader before led no more, in words.
    pub because: &'static str,
    /// How long nobody led until this term was won, as far as this process knows: since it noticed,
    /// or since the last sign of a leader whose lease had to expire.
    pub unled: Duration,
}

impl Term {
    pub(crate) fn new(seal: Seal, clock: Clock) -> Self {
        Self {
            seal,
            clock,
            valid_until: AtomicU64::new(0),
            hard_until: AtomicU64::new(0),
            lost: watch::Sender::new(None),
            asked: watch::Sender::new(None),
            // The floor was sealed as number one.
            next_seq: AtomicU64::new(2),
        }
    }

    pub(crate) fn extend(&self, valid: Time, hard: Time) {
        // Under the lock of `end`, so that a term that has ended stays ended.
        self.lost.send_if_modified(|lost| {
            if lost.is_none() {
                self.hard_until.store(nanos(hard), Ordering::SeqCst);
                self.valid_until.store(nanos(valid), Ordering::SeqCst);
            }
            false
        });
    }

    /// Ends the term. Only the first reason counts.
    pub(crate) fn end(&self, why: LostBecause) {
        self.lost.send_if_modified(|lost| {
            self.valid_until.store(0, Ordering::SeqCst);
            let first = lost.is_none();
            lost.get_or_insert(why);
            first
        });
    }

    pub(crate) fn ask(&self, to: Option<HolderName>) {
        self.asked.send_replace(Some(to));
    }

    pub(crate) fn asked(&self) -> watch::Receiver<Option<Option<HolderName>>> {
        self.asked.subscribe()
    }

    pub(crate) fn next_seq(&self) -> u64 {
        self.next_seq.fetch_add(1, Ordering::SeqCst)
    }

    pub(crate) fn lost(&self) -> watch::Receiver<Option<LostBecause>> {
        self.lost.subscribe()
    }

    pub(crate) fn why_lost(&self) -> Option<LostBecause> {
        self.lost.borrow().clone()
    }

    pub(crate) fn until_invalid(&self) -> Duration {
        self.left(&self.valid_until)
    }

    pub(crate) fn until_hard(&self) -> Duration {
        self.left(&self.hard_until)
    }

    pub(crate) fn hard_until(&self) -> Time {
        Time::from_origin(Duration::from_nanos(self.hard_until.load(Ordering::SeqCst)))
    }

    pub(crate) fn valid_until(&self) -> Time {
        Time::from_origin(Duration::from_nanos(
            self.valid_until.load(Ordering::SeqCst),
        ))
    }

    fn left(&self, until: &AtomicU64) -> Duration {
        let until = Time::from_origin(Duration::from_nanos(until.load(Ordering::SeqCst)));
        until.since(self.clock.time())
    }
}

impl Guard {
    /// The fencing token of this leadership.
    pub fn epoch(&self) -> Epoch {
        self.term.seal.epoch
    }

    /// Whether this process may take work as the leader, now.
    ///
    /// True at most until the renew deadline after the last acknowledged renewal was *sent*. It is
    /// a promise about clocks that do not drift by more than allowed, and about this instant.
    /// Between the answer and what you do next the process may be paused. [`Record`](crate::Record)
    /// makes late writes harmless; this guard cannot.
    pub fn is_valid(&self) -> bool {
        !self.remaining().is_zero()
    }

    /// For how long [`is_valid`](Self::is_valid) stays true if no further renewal is acknowledged.
    pub fn remaining(&self) -> Duration {
        self.term.until_invalid()
    }

    /// Waits until [`is_valid`](Self::is_valid) is false for good: the term is over, as
    /// [`Leadership::lost`] says it, or its work was given up. It is woken, not polled, and may be
    /// a moment late.
    ///
    /// # Cancel safety
    ///
    /// Safe.
    ///
    /// [`Leadership::lost`]: crate::Leadership::lost
    pub fn ended(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut lost = self.term.lost();
        async move {
            // A guard keeps the sender alive. An error would mean that the term is over, too.
            let _ = lost.wait_for(Option::is_some).await;
        }
    }

    /// How long until the hard deadline, when everything this leadership still runs must have
    /// ended. Keeps counting when the leadership is lost.
    pub fn until_hard_deadline(&self) -> Duration {
        self.term.until_hard()
    }

    /// The moments of the group's [`Clock`] behind [`remaining`](Self::remaining) and
    /// [`until_hard_deadline`](Self::until_hard_deadline): for a watchdog in another process of
    /// this machine.
    pub fn deadlines(&self) -> (Time, Time) {
        (self.term.valid_until(), self.term.hard_until())
    }
}

fn nanos(time: Time) -> u64 {
    u64::try_from(time.since_origin().as_nanos()).unwrap_or(u64::MAX)
}
