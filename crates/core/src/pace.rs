//! Pauses between attempts: one rule for everything that tries again.
//!
//! ```text
//! attempt, pause, attempt, pause …     each pause twice as long as the one before, up to a longest;
//!                                      drawn between half and all of that, so that many processes
//!                                      that lost the same server do not come back at once
//! it worked for a while, then failed   the pauses begin anew
//! ```
//!
//! ```
//! # use std::time::Duration;
//! # use incumbent_core::Pace;
//! let mut pace = Pace::new(Duration::from_millis(50), Duration::from_secs(1));
//! let random = u64::MAX; // drawn by the caller
//! assert_eq!(pace.after_failure(random), Duration::from_millis(50));
//! assert_eq!(pace.after_failure(random), Duration::from_millis(100));
//! // A connection that had lasted for a minute was lost: this failure is the first again.
//! assert_eq!(pace.after_run(Duration::from_secs(60), random), Duration::from_millis(50));
//! ```

use std::time::Duration;

/// The pauses of one activity that is tried again: see the [module](self).
///
/// It reads no clock and draws no random number. Both are arguments, so it can be simulated and
/// compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pace {
    first: Duration,
    longest: Duration,
    healthy: Duration,
    /// The next pause, before it is drawn.
    next: Duration,
}

impl Pace {
    /// Pauses from `first` to `longest`.
    ///
    /// `first` should be short enough that a server's restart goes unnoticed, and `longest` long
    /// enough that many processes together do not keep a server busy. A `longest` below `first`
    /// counts as `first`.
    #[must_use]
    pub fn new(first: Duration, longest: Duration) -> Self {
        let longest = longest.max(first);
        Self {
            first,
            longest,
            healthy: longest,
            next: first,
        }
    }

    /// How long something must have worked before its failure counts as the first one again; the
    /// longest pause if this is not called.
    #[must_use]
    pub fn healthy_after(self, healthy: Duration) -> Self {
        Self { healthy, ..self }
    }

    /// The pause after an attempt that failed.
    ///
    /// All 64 bits of `random` are used: 0 gives half of the pause, `u64::MAX` all of it.
    pub fn after_failure(&mut self, random: u64) -> Duration {
        let whole = self.next;
        self.next = whole.saturating_mul(2).min(self.longest);
        drawn(whole, random)
    }

    /// The pause after something has ended that had worked for `lasted`: a connection, a watch, a
    /// command.
    ///
    /// If that was long enough to be healthy, the pauses begin anew. Otherwise this is one more
    /// failure in a row, so that what works only for moments is not tried without end at the
    /// shortest pause.
    pub fn after_run(&mut self, lasted: Duration, random: u64) -> Duration {
        if lasted >= self.healthy {
            self.reset();
        }
        self.after_failure(random)
    }

    /// Begins anew: the next failure is the first one.
    pub fn reset(&mut self) {
        self.next = self.first;
    }
}

/// Between half of the pause and all of it.
fn drawn(whole: Duration, random: u64) -> Duration {
    let half = whole / 2;
    let share = random as f64 / u64::MAX as f64;
    (half + (whole - half).mul_f64(share)).min(whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn pace() -> Pace {
        Pace::new(50 * MS, 1000 * MS)
    }

    #[test]
    fn pauses_double_up_to_the_longest() {
        let mut pace = pace();
        let pauses: Vec<_> = (0..7).map(|_| pace.after_failure(u64::MAX)).collect();
        let expected = [50, 100, 200, 400, 800, 1000, 1000].map(|n| n * MS);
        assert_eq!(pauses, expected);
    }

    #[test]
    fn a_pause_is_drawn_between_half_and_all_of_it() {
        let randoms = [0, 1, u64::MAX / 3, u64::MAX / 2, u64::MAX - 1, u64::MAX];
        for random in randoms {
            let pause = pace().after_failure(random);
            assert!((25 * MS..=50 * MS).contains(&pause), "{random}: {pause:?}");
        }
        assert_eq!(pace().after_failure(0), 25 * MS);
        assert_eq!(pace().after_failure(u64::MAX), 50 * MS);
        let spread = randoms.map(|random| pace().after_failure(random));
        assert!(spread.is_sorted() && spread[2] < spread[3]);
    }

    #[test]
    fn a_healthy_while_begins_anew_and_a_moment_does_not() {
        let mut pace = pace().healthy_after(5000 * MS);
        for _ in 0..4 {
            pace.after_failure(0);
        }
        assert_eq!(pace.after_run(4999 * MS, u64::MAX), 800 * MS);
        assert_eq!(pace.after_run(5000 * MS, u64::MAX), 50 * MS);
        assert_eq!(pace.after_failure(u64::MAX), 100 * MS);
        pace.reset();
        assert_eq!(pace, self::pace().healthy_after(5000 * MS));
    }

    #[test]
    fn extreme_durations_do_no_harm() {
        let mut pace = Pace::new(Duration::MAX, MS);
        for random in [0, u64::MAX, 7] {
            assert!(pace.after_failure(random) >= Duration::MAX / 2);
        }
        let mut zero = Pace::new(Duration::ZERO, Duration::ZERO);
        assert_eq!(zero.after_failure(u64::MAX), Duration::ZERO);
    }
}
