//! The clock that runner and guard share.

use std::ops::Add;
use std::time::Duration;

use rustix::time::{ClockId, Timespec, clock_gettime};

/// A moment of `CLOCK_BOOTTIME`: the same in every process of this machine, never set back,
/// counting during suspend.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BootTime(Duration);

impl BootTime {
    /// A moment that never comes, for a command without a deadline.
    pub const NEVER: Self = Self(Duration::from_nanos(u64::MAX));

    /// The present moment.
    pub fn now() -> Self {
        let now = clock_gettime(ClockId::Boottime);
        Self(Duration::try_from(now).expect("the clock starts at zero when the machine does"))
    }

    /// This long after the machine started.
    pub const fn from_boot(since: Duration) -> Self {
        Self(since)
    }

    /// Time since the machine started.
    pub const fn since_boot(self) -> Duration {
        self.0
    }

    /// The moment as an absolute time for a timer, where zero would mean "no timer".
    pub(crate) fn for_timer(self) -> Timespec {
        let at = self.0.max(Duration::from_nanos(1)).min(Self::NEVER.0);
        Timespec::try_from(at).expect("at most NEVER, which fits")
    }

    /// The form that is sent to the guard. A moment after [`BootTime::NEVER`] is sent as never.
    pub(crate) fn nanos(self) -> u64 {
        u64::try_from(self.0.as_nanos()).unwrap_or(u64::MAX)
    }
}

impl Add<Duration> for BootTime {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(duration))
    }
}
