//! When a request may be sent: the limits of this process, and the waits that the server asks for.

use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use incumbent_backend::Key;
use tokio::time::Instant;

use crate::error::KubernetesError;

/// Longest wait before a request. If it would be longer, the request fails at once, and the caller
/// can do something else.
const WORTH_WAITING: Duration = Duration::from_secs(1);

/// Two kinds of requests that do not wait for each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lane {
    /// Root and floor: few and small, and leases depend on them. `qps` does not limit them.
    Lock,
    /// Everything else.
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

/// The limits for all requests of one backend.
pub(crate) struct Throttle {
    rate: NonZeroU32,
    limiter: DefaultDirectRateLimiter,
    clock: DefaultClock,
    lock_gate: Gate,
    data_gate: Gate,
}

/// Closed while the server asks to wait.
#[derive(Default)]
struct Gate(Mutex<Option<Instant>>);

impl Throttle {
    pub(crate) fn new(rate: NonZeroU32, burst: NonZeroU32) -> Self {
        Self {
            rate,
            limiter: RateLimiter::direct(Quota::per_second(rate).allow_burst(burst)),
            clock: DefaultClock::default(),
            lock_gate: Gate::default(),
            data_gate: Gate::default(),
        }
    }

    /// Waits until a request may be sent.
    ///
    /// # Errors
    ///
    /// [`KubernetesError::AskedToWait`], [`KubernetesError::TooMany`]: that would take too long.
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

    /// The server asks to wait this long.
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

    fn throttle(rate: u32, burst: u32) -> Throttle {
        Throttle::new(
            NonZeroU32::new(rate).unwrap(),
            NonZeroU32::new(burst).unwrap(),
        )
    }

    #[tokio::test]
    async fn a_renewal_does_not_queue_behind_records() {
        let throttle = throttle(1, 1);
        throttle.admit(Lane::Data).await.unwrap();
        let waiting = throttle.admit(Lane::Data);
        let renewals = async {
            for _ in 0..1000 {
                throttle.admit(Lane::Lock).await.unwrap();
            }
        };
        tokio::select! {
            biased;
            _ = waiting => panic!("the next one is let through in a second"),
            () = renewals => {}
        }
    }

    #[tokio::test]
    async fn what_would_wait_too_long_fails_at_once() {
        let throttle = throttle(1, 3);
        for _ in 0..3 {
            throttle.admit(Lane::Data).await.unwrap();
        }
        let all = (0..10).map(|_| throttle.admit(Lane::Data));
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
    async fn a_server_that_asks_to_wait_gets_no_requests_until_then() {
        let throttle = throttle(10, 10);
        throttle.close(Lane::Data, Duration::from_secs(5));
        throttle.close(Lane::Data, Duration::from_secs(1));
        let refused = throttle.admit(Lane::Data).await.unwrap_err();
        assert!(
            matches!(refused, KubernetesError::AskedToWait { left } if left > Duration::from_secs(4))
        );
        throttle.admit(Lane::Lock).await.unwrap();
        tokio::time::advance(Duration::from_millis(4500)).await;
        let begun = Instant::now();
        throttle.admit(Lane::Data).await.unwrap();
        assert_eq!(begun.elapsed(), Duration::from_millis(500));
    }
}
