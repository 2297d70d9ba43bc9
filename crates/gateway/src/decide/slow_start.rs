//! How many requests at a time a leader gets that has just appeared: [`SlowStart`]. Pure.
//!
//! While nobody leads, up to [`Limits::held`](crate::Limits) requests wait. A server that has just
//! started has cold caches and connections still to open. If all of them came at once, it would
//! answer none of them in time. So a few go first, and each answer lets two more through: its own
//! place, and a new one.

use std::time::Duration;

/// How many requests go first.
pub(crate) const FIRST: u32 = 4;
/// From this width on there is no limit any more.
pub(crate) const FULL: u32 = 1024;
/// The width also doubles each time this has passed. Requests whose answers take long by their
/// nature (long polls, event streams) delay the others by two seconds at most.
pub(crate) const STEP: Duration = Duration::from_millis(250);

/// How many requests may wait for an answer of a new leader at the same time.
#[derive(Clone, Debug)]
pub(crate) struct SlowStart {
    width: u32,
    /// When the width doubles next without an answer, counted from the beginning.
    doubles_at: Duration,
}

/// How the width has grown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Growth {
    /// By this many requests.
    By(u32),
    /// There is no limit any more.
    Unlimited,
}

impl SlowStart {
    /// The beginning: [`FIRST`] requests may go.
    pub(crate) fn new() -> Self {
        Self {
            width: FIRST,
            doubles_at: STEP,
        }
    }

    /// Counts an answer.
    pub(crate) fn answered(&mut self) -> Growth {
        self.width = self.width.saturating_add(1);
        self.growth(1)
    }

    /// Takes note of how much time has passed since the beginning.
    pub(crate) fn passed(&mut self, time: Duration) -> Growth {
        let before = self.width;
        while time >= self.doubles_at && self.width < FULL {
            self.width *= 2;
            self.doubles_at += STEP;
        }
        self.growth(self.width - before)
    }

    fn growth(&self, by: u32) -> Growth {
        if self.width >= FULL {
            Growth::Unlimited
        } else {
            Growth::By(by)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_answer_lets_one_more_through_until_there_is_no_limit() {
        let mut start = SlowStart::new();
        for _ in FIRST + 1..FULL {
            assert_eq!(start.answered(), Growth::By(1));
        }
        assert_eq!(start.answered(), Growth::Unlimited);
        assert_eq!(start.answered(), Growth::Unlimited);
    }

    #[test]
    fn a_leader_that_answers_nothing_gets_twice_as_many_with_each_step() {
        let mut start = SlowStart::new();
        assert_eq!(start.passed(STEP / 2), Growth::By(0));
        assert_eq!(start.passed(STEP), Growth::By(FIRST));
        assert_eq!(start.passed(STEP), Growth::By(0), "once only");
        assert_eq!(start.passed(STEP * 3), Growth::By(FIRST * 6));
    }

    #[test]
    fn the_last_request_waits_for_two_seconds_at_most() {
        let mut start = SlowStart::new();
        assert_eq!(start.passed(Duration::from_secs(2)), Growth::Unlimited);
        let mut start = SlowStart::new();
        assert_eq!(start.passed(Duration::MAX), Growth::Unlimited);
    }
}
