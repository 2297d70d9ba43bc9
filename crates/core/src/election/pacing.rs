//! [`Pacing`]: when the backend is asked next, after a failure and when nothing happens.

use std::collections::BTreeSet;
use std::time::Duration;

use super::Request;
use crate::{Nonce, Pace, Time};

/// The first pause after a failure is this part of the retry period. The longest is all of it.
const FIRST_PAUSE: u32 = 20;

/// When the backend may be asked again, and when it is asked although nothing hints at a change.
#[derive(Debug)]
pub(super) struct Pacing {
    retry: Duration,
    /// When to look again, although nothing hints at a change.
    pub(super) poll_at: Time,
    /// After a failure: when the backend may be asked again.
    pub(super) hold_until: Time,
    pace: Pace,
    /// The requests whose last answer was a failure. Reads that are answered do not make the next
    /// failure of a write the first.
    failing: BTreeSet<Request>,
    dice: Dice,
}

/// Random numbers that keep processes apart which lost the same backend. The seed is the random
/// number of the process, so no randomness is drawn here.
#[derive(Debug)]
struct Dice(u64);

impl Pacing {
    pub(super) fn new(retry: Duration, seed: Nonce) -> Self {
        let seed = seed.get();
        Self {
            retry,
            poll_at: Time::default(),
            hold_until: Time::default(),
            pace: Pace::new(retry / FIRST_PAUSE, retry),
            failing: BTreeSet::new(),
            dice: Dice(seed as u64 ^ (seed >> 64) as u64),
        }
    }

    /// The backend answered a request. Polling begins anew, and so do the pauses, unless requests
    /// of another kind still fail.
    pub(super) fn answered(&mut self, request: Request, now: Time) {
        self.forget(request);
        if self.failing.is_empty() {
            self.pace.reset();
        }
        self.hold_until = Time::default();
        self.poll_at = now + self.retry;
    }

    /// A request failed. The backend is left alone for a while that grows with each failure.
    pub(super) fn failed(&mut self, request: Request, now: Time) {
        self.failing.insert(request);
        self.hold_until = now + self.pace.after_failure(self.dice.number());
    }

    /// Requests of this kind are not needed any more, so it does not matter that they fail.
    pub(super) fn forget(&mut self, request: Request) {
        self.failing.remove(&request);
    }
}

impl Dice {
    /// The next number of the sequence known as splitmix64.
    fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}
