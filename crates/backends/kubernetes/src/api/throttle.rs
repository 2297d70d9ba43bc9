//! When a request may be sent: the limits of this process, and what the server asked for.

use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use incumbent_backend::Key;
use tokio::time::Instant;

use crate::error::KubernetesError;

/// A wait that is worth waiting for. Whoever would wait longer is told so at once, and can do
/// something else.
const WORTH_WAITING: Duration = Duration::from_secs(1);

/// The ways on which requests go. What happens on one does not hold up the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lane {
    /// Root and floor: few and small, and a lease hangs on them. Never limited by us.
    Lock,
    /// All else.
    Data,
}

impl Lane {
    pub(crate) fn of(key: &Key) -> Self {
        match key.record_name() {
            None => Self::Lock,
            Some(_) => Self::Data,
        }
    }
}

pub(crate) struct Pace {
    rate: NonZeroU32,
    limiter: DefaultDirectRateLimiter,
    clock: DefaultClock,
    lock_gate: Gate,
    data_gate: Gate,
}

/// Closed while the server wants to be left alone.
#[derive(Default)]
struct Gate(Mutex<Option<Instant>>);

impl Pace {
    pub(crate) fn new(rate: NonZeroU32, burst: NonZeroU32) -> Self {
        Self {
            rate,
            limiter: RateLimiter::direct(Quota::per_second(rate).allow_burst(burst)),
            clock: DefaultClock::default(),
            lock_gate: Gate::default(),
            data_gate: Gate::default(),
        }
    }

    /// Waits until a request may be sent; an error if that would take too long.
    pub(crate) async fn admit(&self, lane: Lane) -> Result<(), KubernetesError> {
        let gate = self.gate(lane);
        if let Some(left) = gate.left() {
            if left > WORTH_WAITING {
                return Err(KubernetesError::AskedToWait { left });
            }
            tokio::time::sleep(left).await;
        }
        if lane == Lane::Lock {
            return Ok(());
        }
        let end = Instant::now() + WORTH_WAITING;
        loop {
            let Err(refused) = self.limiter.check() else {
                return Ok(());
            };
            let wait = refused.wait_time_from(self.clock.now());
            if Instant::now() + wait > end {
                return Err(KubernetesError::TooMany {
                    rate: self.rate.get(),
                });
            }
            tokio::time::sleep(wait).await;
        }
    }

    /// The server asked to be left alone for so long.
    pub(crate) fn close(&self, lane: Lane, wait: Duration) {
        self.gate(lane).close(wait);
    }

    fn gate(&self, lane: Lane) -> &Gate {
        match lane {
            Lane::Lock => &self.lock_gate,
            Lane::Data => &self.data_gate,
        }
    }
}

impl Gate {
    fn left(&self) -> Option<Duration> {
        let until = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let left = until?.saturating_duration_since(Instant::now());
        (left > Duration::ZERO).then_some(left)
    }

    fn close(&self, wait: Duration) {
        let mut until = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let end = Instant::now() + wait;
        *until = Some(until.map_or(end, |until| until.max(end)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pace(rate: u32, burst: u32) -> Pace {
        Pace::new(
            NonZeroU32::new(rate).unwrap(),
            NonZeroU32::new(burst).unwrap(),
        )
    }

    #[tokio::test]
    async fn a_renewal_does_not_queue_behind_records() {
        let pace = pace(1, 1);
        pace.admit(Lane::Data).await.unwrap();
        let waiting = pace.admit(Lane::Data);
        let renewals = async {
            for _ in 0..1000 {
                pace.admit(Lane::Lock).await.unwrap();
            }
        };
        tokio::select! {
            biased;
            _ = waiting => panic!("the next one is let through in a second"),
            () = renewals => {}
        }
    }

    #[tokio::test]
    async fn what_would_wait_too_long_is_told_at_once() {
        let pace = pace(1, 3);
        for _ in 0..3 {
            pace.admit(Lane::Data).await.unwrap();
        }
        let all = (0..10).map(|_| pace.admit(Lane::Data));
        let all = futures::future::join_all(all).await;
        let refused = all
            .iter()
            .filter(|one| matches!(one, Err(KubernetesError::TooMany { rate: 1 })));
        assert!(
            refused.count() >= 8,
            "two at most are let through in a second"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_asks_for_it_is_left_alone() {
        let pace = pace(10, 10);
        pace.close(Lane::Data, Duration::from_secs(5));
        pace.close(Lane::Data, Duration::from_secs(1));
        let refused = pace.admit(Lane::Data).await.unwrap_err();
        assert!(
            matches!(refused, KubernetesError::AskedToWait { left } if left > Duration::from_secs(4))
        );
        pace.admit(Lane::Lock).await.unwrap();
        tokio::time::advance(Duration::from_millis(4500)).await;
        let begun = Instant::now();
        pace.admit(Lane::Data).await.unwrap();
        assert_eq!(begun.elapsed(), Duration::from_millis(500));
    }
}
