//! [`Shelf`]: what was uploaded through this node, for people to choose from.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use super::id::JarId;

/// Uploads that a node lists: a page of the dashboard.
pub const MOST_LISTED: usize = 100;

/// Programs, newest first, and when they came.
#[derive(Debug, Default)]
pub(crate) struct Shelf(Mutex<VecDeque<(JarId, i64)>>);

impl Shelf {
    pub(crate) fn put(&self, id: JarId, now: i64) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|(other, _)| *other != id);
        all.push_front((id, now));
        all.truncate(MOST_LISTED);
    }

    pub(crate) fn all(&self) -> Vec<(JarId, i64)> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter().cloned().collect()
    }

    /// Whether it was there.
    pub(crate) fn forget(&self, id: &JarId) -> bool {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = all.len();
        all.retain(|(other, _)| other != id);
        all.len() < before
    }
}
