//! When a request may be sent: the limits of this process, and the waits that the server asks for.

use std::num::NonZeroU32;
use std::ops::Add;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use governor::clock::{Clock, Reference};
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
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
    limiter: RateLimiter<NotKeyed, InMemoryState, RuntimeClock, NoOpMiddleware<Moment>>,
    lock_gate: Gate,
    data_gate: Gate,
}

/// The clock of the runtime. The limiter and the timers read the same one: two clocks disagree by
/// some nanoseconds, and a request that may wait for exactly [`WORTH_WAITING`] was refused then.
#[derive(Clone, Debug)]
struct RuntimeClock;

/// A moment of [`RuntimeClock`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Moment(Instant);

/// Closed while the server asks to wait.
#[derive(Default)]
struct Gate(Mutex<Option<Instant>>);

impl Throttle {
    pub(crate) fn new(rate: NonZeroU32, burst: NonZeroU32) -> Self {
        Self {
            rate,
            limiter: RateLimiter::direct_with_clock(
                Quota::per_second(rate).allow_burst(burst),
                RuntimeClock,
            ),
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
            // One reading for both: time that passes in between would be counted twice.
            let now = RuntimeClock.now();
            let wait = refused.wait_time_from(now);
            if now.0 + wait > end {
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

impl Clock for RuntimeClock {
    type Instant = Moment;

    fn now(&self) -> Moment {
        Moment(Instant::now())
    }
}

impl Reference for Moment {
    fn duration_since(&self, earlier: Self) -> Nanos {
        self.0.saturating_duration_since(earlier.0).into()
    }

    fn saturating_sub(&self, duration: Nanos) -> Self {
        Self(self.0.checked_sub(duration.into()).unwrap_or(self.0))
    }
}

impl Add<Nanos> for Moment {
    type Output = Self;

    fn add(self, duration: Nanos) -> Self {
        Self(self.0 + Duration::from(duration))
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

    #[tokio::test(start_paused = true)]
    async fn a_renewal_does_not_queue_behind_records() {
        let throttle = throttle(1, 1);
        throttle.admit(Lane::Data).await.unwrap();
        let waiting = throttle.admit(Lane::Data);
        let renewals = async {
            for _ in 0..1000 {
                throttle.admit(Lane::Lock).await.unwrap();
            }
        };
        tokio::pin!(waiting);
        tokio::select! {
            biased;
            outcome = &mut waiting => panic!("a second has not passed, but: {outcome:?}"),
            () = renewals => {}
        }
        let begun = Instant::now();
        waiting.await.unwrap();
        assert_eq!(begun.elapsed(), Duration::from_secs(1));
    }

    #[tokio::test(start_paused = true)]
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
