//! The durations of a lease, checked once.

use std::time::Duration;

/// Shortest retry period: below it a group would do nothing but renew.
pub(crate) const SHORTEST_RETRY: Duration = Duration::from_millis(10);

/// Longest lease that is believed when it is found in a root record. One bad write must not keep a
/// dead leader's lease for ever.
pub(crate) const LONGEST_LEASE: Duration = Duration::from_secs(600);

/// How long a lease is and how it is renewed. A value of this type has been checked by
/// [`Timing::new`].
///
/// ```text
///   renewal sent                          renew deadline      hard deadline      lease duration
///   ├──────┬──────┬──────┬──────┬── … ──────────┼───────────────────┼──────────────────┤
///   0      retry periods                       10 s                13 s               15 s
///          renewals are sent                    stop taking work    what still runs    others may
///                                               guard is invalid    is ended           take over
/// ```
///
/// All of it counts on one node's own clock. None of it makes a write safe: sealing does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timing {
    options: TimingOptions,
}

/// Durations as a person gives them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimingOptions {
    /// How long a leader that fell silent is left alone before others take over.
    pub lease: Duration,
    /// How long after its last acknowledged renewal was sent a leader stops taking work.
    pub renew_deadline: Duration,
    /// How long after its last acknowledged renewal was sent everything that a leader still runs is
    /// ended.
    pub hard_deadline: Duration,
    /// How often a lease is renewed, and the longest pause before a failed request is retried.
    pub retry: Duration,
    /// How long one request to the backend may take before its outcome counts as unknown.
    pub request_timeout: Duration,
    /// By how much the clock of a node may go wrong, in parts of a thousand.
    pub drift_permille: u32,
}

/// Durations that do not fit together. The text says which, and what would fit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("these timings cannot work: {0}")]
pub struct BadTiming(String);

impl Default for TimingOptions {
    fn default() -> Self {
        Self::for_lease(Duration::from_secs(15))
    }
}

impl TimingOptions {
    /// The usual proportions for a lease of this duration: for 15 s the renew deadline is 10 s, the
    /// hard deadline 13 s, the retry period 2 s and the request timeout 5 s.
    #[must_use]
    pub fn for_lease(lease: Duration) -> Self {
        Self {
            lease,
            // Saturating, so that nonsense is refused by `Timing::new` and does not panic here.
            renew_deadline: lease.saturating_mul(2) / 3,
            hard_deadline: lease.saturating_mul(13) / 15,
            retry: lease.saturating_mul(2) / 15,
            request_timeout: lease / 3,
            drift_permille: 10,
        }
    }
}

impl Timing {
    /// Takes these durations if they fit together.
    ///
    /// # Errors
    ///
    /// [`BadTiming`] unless retry ≥ 10 ms, 1.2 × retry < renew deadline, renew deadline < hard
    /// deadline, hard deadline < lease even if both clocks drift, request timeout ≤ renew deadline
    /// / 2, and lease ≤ 10 min.
    pub fn new(options: TimingOptions) -> Result<Self, BadTiming> {
        let o = options;
        let bad = |text: String| Err(BadTiming(text));
        if o.lease > LONGEST_LEASE {
            return bad(format!(
                "lease {:?} is longer than {LONGEST_LEASE:?}",
                o.lease
            ));
        }
        if o.retry < SHORTEST_RETRY {
            return bad(format!(
                "retry period {:?} is shorter than {SHORTEST_RETRY:?}",
                o.retry
            ));
        }
        if o.retry.saturating_mul(6) / 5 >= o.renew_deadline {
            return bad(format!(
                "renew deadline {:?} must be more than 1.2 × retry period {:?}",
                o.renew_deadline, o.retry
            ));
        }
        if o.request_timeout.is_zero() || o.request_timeout > o.renew_deadline / 2 {
            return bad(format!(
                "request timeout {:?} must be above zero and at most half the renew deadline {:?}",
                o.request_timeout, o.renew_deadline
            ));
        }
        if o.hard_deadline <= o.renew_deadline {
            return bad(format!(
                "hard deadline {:?} must be more than the renew deadline {:?}",
                o.hard_deadline, o.renew_deadline
            ));
        }
        if o.drift_permille > 200 {
            return bad(format!(
                "a clock that is wrong by {} ‰ is broken; at most 200 ‰ can be allowed for",
                o.drift_permille
            ));
        }
        // The leader's clock may be slow and the standby's fast, each by the drift.
        let slowest =
            o.hard_deadline.saturating_mul(1000 + o.drift_permille) / (1000 - o.drift_permille);
        if slowest >= o.lease {
            return bad(format!(
                "hard deadline {:?} is {slowest:?} on a clock that drifts by {} ‰, and must be less than the lease {:?}",
                o.hard_deadline, o.drift_permille, o.lease
            ));
        }
        Ok(Self { options })
    }

    /// How long a leader that fell silent is left alone.
    pub const fn lease(&self) -> Duration {
        self.options.lease
    }

    /// When a leader stops taking work, counted from when its last acknowledged renewal was sent.
    pub const fn renew_deadline(&self) -> Duration {
        self.options.renew_deadline
    }

    /// When what a leader still runs is ended, counted likewise.
    pub const fn hard_deadline(&self) -> Duration {
        self.options.hard_deadline
    }

    /// How often a lease is renewed.
    pub const fn retry(&self) -> Duration {
        self.options.retry
    }

    /// How long one request may take.
    pub const fn request_timeout(&self) -> Duration {
        self.options.request_timeout
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn the_defaults_are_client_gos() {
        let t = Timing::default();
        assert_eq!(
            (t.lease(), t.renew_deadline(), t.retry()),
            (15 * SECOND, 10 * SECOND, 2 * SECOND)
        );
        assert_eq!(
            (t.hard_deadline(), t.request_timeout()),
            (13 * SECOND, 5 * SECOND)
        );
        assert_eq!(Timing::new(TimingOptions::default()), Ok(t));
    }

    #[test]
    fn proportions_hold_for_every_lease() {
        for ms in [100, 150, 999, 1000, 5000, 60_000, 600_000] {
            Timing::new(TimingOptions::for_lease(Duration::from_millis(ms))).unwrap();
        }
    }

    #[test]
    fn nonsense_is_refused_and_named() {
        let good = TimingOptions::default();
        for (options, word) in [
            (
                TimingOptions {
                    retry: Duration::from_millis(1),
                    ..good
                },
                "retry period",
            ),
            (
                TimingOptions {
                    retry: 9 * SECOND,
                    ..good
                },
                "renew deadline",
            ),
            (
                TimingOptions {
                    renew_deadline: 15 * SECOND,
                    ..good
                },
                "hard deadline",
            ),
            (
                TimingOptions {
                    hard_deadline: 15 * SECOND,
                    ..good
                },
                "lease",
            ),
            (
                TimingOptions {
                    hard_deadline: Duration::from_millis(14_800),
                    ..good
                },
                "drifts",
            ),
            (
                TimingOptions {
                    request_timeout: 6 * SECOND,
                    ..good
                },
                "request timeout",
            ),
            (
                TimingOptions {
                    request_timeout: Duration::ZERO,
                    ..good
                },
                "request timeout",
            ),
            (
                TimingOptions {
                    drift_permille: 500,
                    ..good
                },
                "clock",
            ),
            (TimingOptions::for_lease(3600 * SECOND), "lease"),
            (TimingOptions::for_lease(Duration::MAX), "lease"),
            (
                TimingOptions {
                    retry: Duration::MAX,
                    ..good
                },
                "retry period",
            ),
            (
                TimingOptions {
                    hard_deadline: Duration::MAX,
                    ..good
                },
                "lease",
            ),
        ] {
            let error = Timing::new(options).unwrap_err().to_string();
            assert!(error.contains(word), "{error}");
        }
    }
}
