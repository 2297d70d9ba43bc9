//! [`Attempt`]: a swap of the root, repeated until its outcome is known.

use super::Vacancy;
use crate::root::Root;
use crate::{Time, Version};

/// A claim, or a write of the present term.
#[derive(Clone, Debug)]
pub(super) struct Attempt {
    pub(super) expected: Option<Version>,
    pub(super) root: Root,
    pub(super) vacancy: Vacancy,
    pub(super) first_sent: Time,
    pub(super) last_sent: Time,
    /// A request was sent whose outcome is not known.
    pub(super) unsettled: bool,
    /// Its last answer settled nothing: send it again.
    pub(super) again: bool,
}

impl Attempt {
    pub(super) fn new(expected: Option<Version>, root: Root, vacancy: Vacancy, now: Time) -> Self {
        Self {
            expected,
            root,
            vacancy,
            first_sent: now,
            last_sent: now,
            unsettled: false,
            again: false,
        }
    }

    /// The same swap once more, if its last answer settled nothing.
    pub(super) fn repeat(&mut self, now: Time) -> Option<(Option<Version>, Root)> {
        std::mem::take(&mut self.again).then(|| {
            self.last_sent = now;
            (self.expected.clone(), self.root.clone())
        })
    }
}
