//! Time as an argument.

use std::fmt;
use std::ops::Add;
use std::time::{Duration, SystemTime};

/// A moment on this node's own monotonic clock, counted from an origin of its own. Never compared
/// with another node's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(Duration);

/// The time an event comes with.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    /// What decisions are made by.
    pub time: Time,
    /// What people are shown. Never compared.
    pub wall: SystemTime,
}

impl Time {
    /// This long after the origin.
    pub const fn from_origin(since: Duration) -> Self {
        Self(since)
    }

    /// Time since the origin.
    pub const fn since_origin(self) -> Duration {
        self.0
    }

    /// Time from `earlier` to here, zero if `earlier` is later.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

impl Now {
    /// The wall clock as people read it.
    pub(crate) fn wall_text(self) -> String {
        humantime::format_rfc3339_millis(self.wall).to_string()
    }
}

impl Add<Duration> for Time {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(duration))
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3}s", self.0.as_secs_f64())
    }
}
