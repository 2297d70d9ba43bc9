//! [`Seen`]: the root as it was last read, and since when it has been so.

use crate::root::Root;
use crate::{Epoch, Time, Version};

/// What this process knows of the root.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// False until the first answer.
    pub(super) known: bool,
    pub(super) root: Option<(Version, Root)>,
    /// What it was before it was removed by hand.
    pub(super) removed: Option<Root>,
    /// When its pulse was seen to change.
    pub(super) changed_at: Time,
    /// Since when its epoch has been below the highest that is known.
    pub(super) below_since: Option<Time>,
}

impl Seen {
    /// Notes what the root is. The lease counts from when a change is seen, so a stale read only
    /// delays.
    pub(super) fn observe(&mut self, now: Time, root: Option<(Version, Root)>) {
        let pulse = |root: &Option<(Version, Root)>| root.as_ref().map(|(_, root)| root.pulse());
        if !self.known || pulse(&self.root) != pulse(&root) {
            self.changed_at = now;
        }
        self.known = true;
        let before = std::mem::replace(&mut self.root, root);
        match (&self.root, before) {
            (Some(_), _) => self.removed = None,
            (None, Some((_, before))) => self.removed = Some(before),
            (None, None) => {}
        }
    }

    /// Notes since when the root has been below the highest epoch that is known.
    pub(super) fn compare(&mut self, ahead: Epoch, now: Time) {
        let root = self.root.as_ref();
        let is_below = root.is_some_and(|(_, root)| root.epoch < ahead);
        self.below_since = is_below.then(|| self.below_since.unwrap_or(now));
    }
}
