//! [`Quiet`]: whether a source has nothing, or was only not asked. Pure.

use std::time::{Duration, Instant};

/// How long a source has nothing before it counts as idle and holds no watermark up.
const IDLE_AFTER: Duration = Duration::from_secs(10);

/// A worker that has not asked for as long as this was stopped, or had too much to do.
const AWAY: Duration = Duration::from_secs(2);

/// For how long a source was asked and had nothing.
#[derive(Clone, Copy, Debug)]
pub(super) struct Quiet {
    since: Instant,
    asked: Instant,
}

impl Quiet {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            since: now,
            asked: now,
        }
    }

    /// The worker has a turn for it. `is_held_up`: until now, it was not asked, as what is behind
    /// it had no room.
    pub(super) fn asked(&mut self, now: Instant, is_held_up: bool) {
        let was_away = now.saturating_duration_since(self.asked) >= AWAY;
        self.asked = now;
        // Nobody has asked it meanwhile: that is not the same as having nothing.
        if was_away || is_held_up {
            self.since = now;
        }
    }

    /// It had something.
    pub(super) fn gave(&mut self, now: Instant) {
        self.since = now;
    }

    /// It has had nothing for so long that nobody waits for it.
    pub(super) fn is_idle(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.since) >= IDLE_AFTER
    }
}

#[cfg(test)]
mod tests {
    use super::super::report;
    use super::*;

    const TURN: Duration = Duration::from_millis(500);

    /// Asks every half second, for as long as this, and returns when it is then.
    fn asked_for(quiet: &mut Quiet, from: Instant, time: Duration, is_held_up: bool) -> Instant {
        let mut now = from;
        while now < from + time {
            now += TURN;
            quiet.asked(now, is_held_up);
        }
        now
    }

    #[test]
    fn a_source_that_has_nothing_is_idle_after_a_while() {
        let begin = report::now();
        let mut quiet = Quiet::new(begin);
        let now = asked_for(&mut quiet, begin, IDLE_AFTER - TURN, false);
        assert!(!quiet.is_idle(now));
        let now = asked_for(&mut quiet, now, TURN, false);
        assert!(quiet.is_idle(now));
        quiet.gave(now);
        assert!(!quiet.is_idle(now));
    }

    #[test]
    fn a_source_that_is_held_up_is_not_idle() {
        let begin = report::now();
        let mut quiet = Quiet::new(begin);
        let now = asked_for(&mut quiet, begin, IDLE_AFTER * 10, true);
        assert!(!quiet.is_idle(now));
        // There is room again: it counts from here.
        let now = asked_for(&mut quiet, now, IDLE_AFTER - TURN, false);
        assert!(!quiet.is_idle(now));
        let now = asked_for(&mut quiet, now, TURN, false);
        assert!(quiet.is_idle(now));
    }

    #[test]
    fn a_source_whose_worker_was_stopped_is_not_idle() {
        let begin = report::now();
        let mut quiet = Quiet::new(begin);
        let now = asked_for(&mut quiet, begin, IDLE_AFTER - TURN, false);
        let now = now + AWAY;
        quiet.asked(now, false);
        assert!(!quiet.is_idle(now));
    }
}
