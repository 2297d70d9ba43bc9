//! [`Tumbling`], [`Sliding`], [`Session`]: which windows a record falls into.

use std::time::Duration;

use crate::time::millis_of;

/// Windows of one length, one behind the other: each record falls into one.
///
/// They are aligned to 1970-01-01 UTC: one of an hour begins at the full hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tumbling {
    size: Duration,
    offset: Duration,
}

impl Tumbling {
    /// Windows of this length.
    pub const fn of(size: Duration) -> Self {
        Self {
            size,
            offset: Duration::ZERO,
        }
    }

    /// Windows of this many seconds.
    pub const fn seconds(seconds: u64) -> Self {
        Self::of(Duration::from_secs(seconds))
    }

    /// Windows of this many minutes.
    pub const fn minutes(minutes: u64) -> Self {
        Self::of(Duration::from_secs(minutes * 60))
    }

    /// Windows of this many hours.
    pub const fn hours(hours: u64) -> Self {
        Self::of(Duration::from_secs(hours * 3_600))
    }

    /// Moves them by this much: windows of a day, moved by 23 hours, begin at midnight of UTC+1.
    #[must_use]
    pub const fn offset(mut self, offset: Duration) -> Self {
        self.offset = offset;
        self
    }
}

/// Windows of one length that begin at another interval: each record falls into several. Flink also
/// calls them hopping.
///
/// `Sliding::of(hour, minute)` has the last hour, each minute. They are aligned to 1970-01-01 UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sliding {
    size: Duration,
    every: Duration,
    offset: Duration,
}

impl Sliding {
    /// Windows of this length, of which one begins at each multiple of `every`. A job is refused if
    /// `every` is longer than the windows: records between two of them would count nowhere.
    pub const fn of(size: Duration, every: Duration) -> Self {
        Self {
            size,
            every,
            offset: Duration::ZERO,
        }
    }

    /// Moves them by this much.
    #[must_use]
    pub const fn offset(mut self, offset: Duration) -> Self {
        self.offset = offset;
        self
    }
}

/// Windows of activity: they end when there was nothing for a while. Two records that are at most
/// `gap` apart are in the same one.
///
/// A job can go on from a checkpoint with another gap. A session that is open keeps its end, which
/// is its last record and the gap that there was, until another record falls into it: from that one
/// on, the new gap counts. No record is lost, and none counts twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Session {
    gap: Duration,
}

impl Session {
    /// Sessions that end when there was nothing for this long.
    pub const fn gap(gap: Duration) -> Self {
        Self { gap }
    }
}

/// Which windows there are: [`Tumbling`], [`Sliding`] or [`Session`].
pub trait Windows: Shaped {}

impl Windows for Tumbling {}
impl Windows for Sliding {}
impl Windows for Session {}

/// Windows that are known before any record comes: [`Tumbling`] and [`Sliding`].
pub trait FixedWindows: Windows {}

impl FixedWindows for Tumbling {}
impl FixedWindows for Sliding {}

/// What a kind of windows comes to. Nobody else implements it.
pub trait Shaped {
    #[doc(hidden)]
    fn shape(&self) -> Shape;
}

impl Shaped for Tumbling {
    fn shape(&self) -> Shape {
        Shape::Fixed {
            size: millis_of(self.size),
            every: millis_of(self.size),
            offset: millis_of(self.offset),
        }
    }
}

impl Shaped for Sliding {
    fn shape(&self) -> Shape {
        Shape::Fixed {
            size: millis_of(self.size),
            every: millis_of(self.every),
            offset: millis_of(self.offset),
        }
    }
}

impl Shaped for Session {
    fn shape(&self) -> Shape {
        Shape::Session {
            gap: millis_of(self.gap),
        }
    }
}

/// Windows in milliseconds.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    Fixed { size: i64, every: i64, offset: i64 },
    Session { gap: i64 },
}

/// Times and lengths are kept within this, so that sums of a few of them are numbers: some 73
/// million years before and after 1970.
pub(crate) const FAR: i64 = i64::MAX / 4;

impl Shape {
    /// What is wrong with it, if anything.
    pub(crate) fn fault(&self) -> Option<&'static str> {
        match *self {
            Self::Fixed { size: ..1, .. } => Some("a window is at least a millisecond long"),
            Self::Fixed { every: ..1, .. } => Some("windows are at least a millisecond apart"),
            Self::Session { gap: ..1 } => Some("the gap of a session is at least a millisecond"),
            Self::Fixed { size, every, .. } if every > size => {
                Some("`every` is longer than its windows, so some records would be in none")
            }
            Self::Fixed { size: length, .. } | Self::Session { gap: length } => {
                (length > FAR / 4).then_some("its windows are longer than 18 million years")
            }
        }
    }

    /// What of it a checkpoint must have been made with, for people.
    ///
    /// Of sessions that is nothing. What is kept of one is its start and its end: with another gap,
    /// it is as well defined as before. Windows of a fixed length are kept as slices, of which
    /// windows of another length cannot be made.
    pub(crate) fn said(self) -> Option<String> {
        match self {
            Self::Session { .. } => None,
            Self::Fixed {
                size,
                every,
                offset,
            } => {
                let each = match size == every {
                    true => String::new(),
                    false => format!(", one each {every} ms"),
                };
                let moved = match offset {
                    0 => String::new(),
                    offset => format!(", moved by {offset} ms"),
                };
                Some(format!("windows of {size} ms{each}{moved}"))
            }
        }
    }

    /// It, or anything that can be calculated with: the job is refused.
    pub(crate) fn or_any(self) -> Self {
        match self.fault() {
            None => self,
            Some(_) => Self::Session { gap: 1 },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_that_would_lose_records_are_refused() {
        let second = Duration::from_secs(1);
        let fault = |shape: Shape| shape.fault();
        assert_eq!(fault(Tumbling::minutes(1).shape()), None);
        assert_eq!(fault(Sliding::of(2 * second, second).shape()), None);
        assert_eq!(fault(Session::gap(second).shape()), None);
        for wrong in [
            Tumbling::of(Duration::from_micros(10)).shape(),
            Sliding::of(second, 2 * second).shape(),
            Sliding::of(second, Duration::ZERO).shape(),
            Session::gap(Duration::ZERO).shape(),
            Session::gap(Duration::MAX).shape(),
        ] {
            assert!(fault(wrong).is_some(), "{wrong:?}");
        }
    }
}
