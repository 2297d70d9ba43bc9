//! [`Contact`]: what the handles of a group can ask without waiting for its task.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use incumbent_backend::Hint;
use incumbent_backend::hints::{Feeds, Hints, Listener};
use incumbent_core::election::{Event, SwapAnswer};
use incumbent_core::{GroupName, Time};

use super::troubles::Troubles;

/// When the backend last answered, what fails, and whether this process leads.
#[derive(Debug)]
pub(crate) struct Contact {
    /// Nanoseconds of the clock, zero for never.
    answered_at: AtomicU64,
    leading: AtomicBool,
    pub(super) troubles: Troubles,
    /// Those who listen to the group's one watch.
    hints: Arc<Hints>,
}

impl Default for Contact {
    fn default() -> Self {
        Self {
            answered_at: AtomicU64::default(),
            leading: AtomicBool::default(),
            troubles: Troubles::default(),
            hints: Hints::new(Feeds::One),
        }
    }
}

impl Contact {
    /// How long the backend has not answered; `None` if it never did.
    pub(crate) fn silence(&self, now: Time) -> Option<Duration> {
        let at = self.answered_at.load(Ordering::Relaxed);
        (at > 0).then(|| now.since(Time::from_origin(Duration::from_nanos(at))))
    }

    pub(crate) fn is_leading(&self) -> bool {
        self.leading.load(Ordering::Relaxed)
    }

    pub(super) fn set_leading(&self, leading: bool) {
        self.leading.store(leading, Ordering::Relaxed);
    }

    /// Why this process could not lead, as the backend says, if it was refused.
    pub(crate) fn missing_rights(&self) -> Option<String> {
        self.troubles.rights.reason()
    }

    /// What keeps this process from leading, as far as the backend says.
    pub(crate) fn trouble(&self) -> Option<String> {
        self.missing_rights().or_else(|| self.troubles.words())
    }

    /// What the group's watch hints at, from now on. A slow listener holds up nobody.
    pub(crate) fn listen(&self, group: &GroupName) -> Listener {
        self.hints.listen(group, || None)
    }

    /// Passes a hint of the group's watch on.
    pub(super) fn hinted(&self, group: &GroupName, hint: &Hint) {
        self.hints.tell(group, hint.clone());
    }

    /// Why the root could not be read last.
    pub(crate) fn unreadable(&self) -> Option<String> {
        self.troubles.reads.reason()
    }

    /// Notes whether this event is an answer of the backend.
    pub(super) fn note(&self, now: Time, event: &Event) {
        let answer = match event {
            Event::RootRead { .. } => true,
            Event::RootSwapped(answer) => {
                matches!(answer, SwapAnswer::Committed(_) | SwapAnswer::Conflict)
            }
            _ => false,
        };
        if answer {
            let nanos = u64::try_from(now.since_origin().as_nanos()).unwrap_or(u64::MAX);
            self.answered_at.store(nanos.max(1), Ordering::Relaxed);
        }
    }
}
