//! [`Clock`]: what one node takes for the time.
//!
//! The simulation counts true time in nanoseconds from its beginning. No node sees it: each has a
//! clock with an offset and a rate of its own.

use std::time::{Duration, SystemTime};

use incumbent_core::{Now, Time};

/// A moment of true time: nanoseconds since the simulation began.
pub type Instant = u64;

/// Nanoseconds of a millisecond.
pub const MILLISECOND: u64 = 1_000_000;

/// Rate of a clock that goes right, in parts of a million.
pub const TRUE_RATE: u64 = 1_000_000;

/// A monotonic clock that goes wrong by a constant rate.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    set_at: Instant,
    showed: u64,
    rate: u64,
}

impl Clock {
    /// A clock that shows `offset` at the beginning and goes at `rate` parts of a million.
    pub const fn new(offset: u64, rate: u64) -> Self {
        Self {
            set_at: 0,
            showed: offset,
            rate,
        }
    }

    /// What it shows.
    pub fn local(&self, at: Instant) -> u64 {
        let passed = u128::from(at - self.set_at) * u128::from(self.rate) / u128::from(TRUE_RATE);
        self.showed + u64::try_from(passed).expect("simulations are short")
    }

    /// The time, as the core gets it.
    pub fn now(&self, at: Instant) -> Now {
        let local = Duration::from_nanos(self.local(at));
        Now {
            time: Time::from_origin(local),
            wall: SystemTime::UNIX_EPOCH + local,
        }
    }

    /// The first true moment at which it shows this, `None` if that is too far off to ever come.
    pub fn when(&self, local: Time) -> Option<Instant> {
        let local = u64::try_from(local.since_origin().as_nanos()).ok()?;
        let ahead = u128::from(local.saturating_sub(self.showed));
        let passed = (ahead * u128::from(TRUE_RATE)).div_ceil(u128::from(self.rate));
        self.set_at.checked_add(u64::try_from(passed).ok()?)
    }

    /// How long this long on the clock truly takes.
    pub fn truly(&self, local: u64) -> u64 {
        let passed = u128::from(local) * u128::from(TRUE_RATE) / u128::from(self.rate);
        u64::try_from(passed).expect("simulations are short")
    }

    /// From now on it goes at another rate. It does not jump.
    pub fn set_rate(&mut self, at: Instant, rate: u64) {
        (self.showed, self.set_at, self.rate) = (self.local(at), at, rate);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wakeup_is_never_early() {
        for rate in [500_000, 990_000, TRUE_RATE, 1_010_000, 1_800_000] {
            let mut clock = Clock::new(17, rate);
            clock.set_rate(1_000, rate + 1);
            for local in (1_100..9_000).step_by(7) {
                let time = Time::from_origin(Duration::from_nanos(local));
                let at = clock.when(time).unwrap();
                assert!(clock.now(at).time >= time);
                assert!(at <= 1_000 || clock.now(at - 1).time < time);
            }
            assert_eq!(clock.when(Time::from_origin(Duration::MAX)), None);
        }
    }
}
