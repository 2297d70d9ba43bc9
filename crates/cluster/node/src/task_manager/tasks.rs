//! [`Tasks`]: the tasks whose logs are here, for those who ask.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use incumbent_cluster_core::TaskId;

use super::task::TaskEntry;

/// All tasks that run here, and those that have ended and whose logs are kept.
#[derive(Debug)]
pub(super) struct Tasks {
    by_id: Mutex<HashMap<TaskId, Arc<TaskEntry>>>,
    /// Why the leader does not know of them at present.
    unreported: Mutex<Option<String>>,
}

impl Default for Tasks {
    fn default() -> Self {
        let unreported = "no leader has taken a report yet".to_owned();
        Self {
            by_id: Mutex::default(),
            unreported: Mutex::new(Some(unreported)),
        }
    }
}

impl Tasks {
    pub(super) fn add(&self, entry: Arc<TaskEntry>) {
        self.lock().insert(entry.id, entry);
    }

    pub(super) fn get(&self, task: TaskId) -> Option<Arc<TaskEntry>> {
        self.lock().get(&task).cloned()
    }

    /// All of them, in the order of their ids.
    pub(super) fn all(&self) -> Vec<Arc<TaskEntry>> {
        let mut all: Vec<_> = self.lock().values().cloned().collect();
        all.sort_by_key(|entry| entry.id);
        all
    }

    pub(super) fn remove(&self, task: TaskId) {
        self.lock().remove(&task);
    }

    pub(super) fn unreported(&self) -> Option<String> {
        let unreported = self.unreported.lock();
        unreported.unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn set_unreported(&self, why: Option<String>) {
        let unreported = self.unreported.lock();
        *unreported.unwrap_or_else(PoisonError::into_inner) = why;
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<TaskId, Arc<TaskEntry>>> {
        self.by_id.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
