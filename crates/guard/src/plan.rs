//! The deadlines of a command, and the action that is due at a given time. Pure: the guard passes
//! the time, and performs the action.

use std::cmp::Ordering;
use std::time::Duration;

use crate::{BootTime, Cause};

/// How long a command may run, unless the deadlines are extended.
///
/// A command under a lease has deadlines shortly before the lease ends; one that may outlive a
/// broken connection has them where others may begin to replace it; one that nobody replaces has
/// none ([`Deadlines::NEVER`]). Whatever they say, the command ends with its runner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadlines {
    /// When the command is asked to end (SIGTERM): the renew deadline.
    pub term: BootTime,
    /// When the command is killed (SIGKILL): well before another node can take the lease.
    pub hard: BootTime,
}

/// The deadlines of a command, and the steps taken so far.
#[derive(Debug)]
pub(crate) struct Plan {
    deadlines: Deadlines,
    /// What they belong to; 0 is what the command was started with.
    binding: u64,
    /// The end of the shortest grace that the runner gave.
    stop: Option<BootTime>,
    /// SIGTERM is sent once: to many programs a second one means "do not clean up".
    asked: bool,
    /// Why the first signal was due.
    cause: Cause,
}

/// The action that is due now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    Nothing,
    Term,
    Kill,
}

impl Deadlines {
    /// No deadline at all: the command runs until it exits, is stopped, or loses its runner. An
    /// extension cannot bring a deadline back.
    pub const NEVER: Self = Self {
        term: BootTime::NEVER,
        hard: BootTime::NEVER,
    };
}

impl Plan {
    pub(crate) fn new(deadlines: Deadlines) -> Self {
        Self {
            deadlines,
            binding: 0,
            stop: None,
            asked: false,
            cause: Cause::Own,
        }
    }

    /// Moves the deadlines, but never back: extensions of two threads may arrive in either order.
    pub(crate) fn extend(&mut self, newer: Deadlines) {
        self.deadlines.term = self.deadlines.term.max(newer.term);
        self.deadlines.hard = self.deadlines.hard.max(newer.hard);
    }

    /// Replaces the deadlines by those of a higher binding, earlier or later. Those of the present
    /// one extend it, and those of a lower one come too late to mean anything.
    pub(crate) fn bind(&mut self, binding: u64, deadlines: Deadlines) {
        match binding.cmp(&self.binding) {
            Ordering::Less => {}
            Ordering::Equal => self.extend(deadlines),
            Ordering::Greater => (self.binding, self.deadlines) = (binding, deadlines),
        }
    }

    pub(crate) fn stop(&mut self, now: BootTime, grace: Duration) {
        let until = now + grace;
        self.stop = Some(self.stop.map_or(until, |earlier| earlier.min(until)));
    }

    /// The action that is due at `now`. Once this has returned SIGTERM, SIGTERM counts as sent.
    pub(crate) fn due(&mut self, now: BootTime) -> Due {
        let due = if now >= self.kill_at() {
            Due::Kill
        } else if !self.asked && (self.stop.is_some() || now >= self.deadlines.term) {
            self.asked = true;
            Due::Term
        } else {
            return Due::Nothing;
        };
        if self.cause == Cause::Own {
            self.cause = if self.stop.is_some() {
                Cause::Stop
            } else {
                Cause::Deadline
            };
        }
        due
    }

    /// What was due first, as far as [`Plan::due`] has returned it.
    pub(crate) fn cause(&self) -> Cause {
        self.cause
    }

    /// The time of the next action.
    pub(crate) fn next(&self) -> BootTime {
        if self.asked {
            self.kill_at()
        } else {
            self.kill_at().min(self.deadlines.term)
        }
    }

    fn kill_at(&self) -> BootTime {
        self.stop
            .map_or(self.deadlines.hard, |stop| stop.min(self.deadlines.hard))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> BootTime {
        BootTime::from_boot(Duration::from_secs(seconds))
    }

    fn plan(term: u64, hard: u64) -> Plan {
        Plan::new(Deadlines {
            term: at(term),
            hard: at(hard),
        })
    }

    #[test]
    fn asks_once_at_term_and_ends_at_hard() {
        let mut plan = plan(10, 12);
        assert_eq!(plan.next(), at(10));
        assert_eq!(plan.due(at(9)), Due::Nothing);
        assert_eq!(plan.due(at(10)), Due::Term);
        assert_eq!(plan.next(), at(12));
        assert_eq!(plan.due(at(11)), Due::Nothing);
        assert_eq!(plan.due(at(12)), Due::Kill);
    }

    #[test]
    fn extension_moves_both_deadlines_and_never_back() {
        let mut plan = plan(10, 12);
        let later = Deadlines {
            term: at(20),
            hard: at(22),
        };
        plan.extend(later);
        plan.extend(Deadlines {
            term: at(5),
            hard: at(6),
        });
        assert_eq!(plan.due(at(19)), Due::Nothing);
        assert_eq!(plan.due(at(20)), Due::Term);
        assert_eq!(plan.due(at(22)), Due::Kill);
    }

    #[test]
    fn a_higher_binding_replaces_the_deadlines_and_a_lower_one_changes_nothing() {
        let soon = Deadlines {
            term: at(10),
            hard: at(12),
        };
        let later = Deadlines {
            term: at(20),
            hard: at(22),
        };
        let mut plan = Plan::new(Deadlines::NEVER);
        assert_eq!(plan.due(at(1000)), Due::Nothing);
        plan.bind(3, soon);
        assert_eq!(plan.next(), at(10));
        // A renewal, and one that was overtaken by it.
        plan.bind(3, later);
        plan.bind(3, soon);
        assert_eq!(plan.next(), at(20));
        plan.bind(4, Deadlines::NEVER);
        // A renewal of the term before arrives late.
        plan.bind(3, later);
        assert_eq!(plan.due(at(1000)), Due::Nothing);
        // The next term, and the end of the one before, late.
        plan.bind(5, soon);
        plan.bind(4, Deadlines::NEVER);
        assert_eq!(plan.due(at(12)), Due::Kill);
        assert_eq!(plan.cause(), Cause::Deadline);
    }

    #[test]
    fn a_binding_that_is_over_already_ends_the_command() {
        let mut plan = Plan::new(Deadlines::NEVER);
        plan.bind(
            1,
            Deadlines {
                term: at(1),
                hard: at(1),
            },
        );
        assert_eq!(plan.due(at(5)), Due::Kill);
    }

    #[test]
    fn stop_asks_at_once_and_ends_after_the_grace() {
        let mut plan = plan(100, 120);
        plan.stop(at(10), Duration::from_secs(5));
        assert_eq!(plan.due(at(10)), Due::Term);
        assert_eq!(plan.due(at(14)), Due::Nothing);
        assert_eq!(plan.due(at(15)), Due::Kill);
    }

    #[test]
    fn grace_ends_at_the_hard_deadline_and_only_shrinks() {
        let mut plan = plan(10, 12);
        plan.stop(at(9), Duration::from_secs(60));
        assert_eq!(plan.due(at(9)), Due::Term);
        assert_eq!(plan.next(), at(12));
        plan.stop(at(9), Duration::from_secs(1));
        plan.stop(at(9), Duration::from_secs(60));
        assert_eq!(plan.next(), at(10));
    }

    #[test]
    fn stop_without_grace_ends_at_once() {
        let mut plan = plan(10, 12);
        plan.stop(at(1), Duration::ZERO);
        assert_eq!(plan.due(at(1)), Due::Kill);
    }

    #[test]
    fn without_deadlines_nothing_is_due() {
        let mut plan = Plan::new(Deadlines::NEVER);
        assert_eq!(plan.due(at(1_000_000_000)), Due::Nothing);
        plan.extend(Deadlines {
            term: at(1),
            hard: at(2),
        });
        assert_eq!(plan.due(at(1_000_000_000)), Due::Nothing);
        assert_eq!(plan.cause(), Cause::Own);
        plan.stop(at(1_000_000_000), Duration::from_secs(1));
        assert_eq!(plan.due(at(1_000_000_000)), Due::Term);
        assert_eq!(plan.due(at(1_000_000_001)), Due::Kill);
        assert_eq!(plan.cause(), Cause::Stop);
    }

    #[test]
    fn the_first_cause_counts() {
        let mut late = plan(10, 12);
        assert_eq!(late.due(at(10)), Due::Term);
        late.stop(at(11), Duration::ZERO);
        assert_eq!(late.due(at(11)), Due::Kill);
        assert_eq!(late.cause(), Cause::Deadline);

        let mut stopped = plan(10, 12);
        stopped.stop(at(1), Duration::from_secs(100));
        assert_eq!(stopped.due(at(1)), Due::Term);
        assert_eq!(stopped.due(at(12)), Due::Kill);
        assert_eq!(stopped.cause(), Cause::Stop);

        let mut blocked = plan(10, 12);
        assert_eq!(blocked.due(at(20)), Due::Kill);
        assert_eq!(blocked.cause(), Cause::Deadline);
    }
}
