//! [`Timestamp`]: when something happened, as its record says.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A time in milliseconds since 1970-01-01 UTC, as records carry it: event time. It is never
/// compared with a clock.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// Before all others: the time of an element of a stream without event time.
    pub const MIN: Self = Self(i64::MIN);

    /// After all others: the watermark of a stream that has ended.
    pub const MAX: Self = Self(i64::MAX);

    /// This time of the Unix epoch.
    pub const fn millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Later by this much; no later than [`Timestamp::MAX`].
    #[must_use]
    pub fn plus(self, by: Duration) -> Self {
        Self(self.0.saturating_add(millis_of(by)))
    }

    /// Earlier by this much; no earlier than [`Timestamp::MIN`].
    #[must_use]
    pub fn minus(self, by: Duration) -> Self {
        Self(self.0.saturating_sub(millis_of(by)))
    }
}

/// A duration in whole milliseconds.
pub(crate) fn millis_of(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
