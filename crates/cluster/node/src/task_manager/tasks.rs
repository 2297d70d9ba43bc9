//! [`Tasks`]: the tasks whose logs are here, for those who ask.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use incumbent_cluster_core::TaskId;

use super::task::TaskEntry;

/// All tasks that run here, and those that have ended and whose logs are kept.
#[derive(Debug, Default)]
pub(super) struct Tasks {
    by_id: Mutex<HashMap<TaskId, Arc<TaskEntry>>>,
}

impl Tasks {
    pub(super) fn add(&self, entry: Arc<TaskEntry>) {
        self.lock().insert(entry.id, entry);
    }

    pub(super) fn get(&self, task: TaskId) -> Option<Arc<TaskEntry>> {
        self.lock().get(&task).cloned()
    }

    pub(super) fn remove(&self, task: TaskId) {
        self.lock().remove(&task);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<TaskId, Arc<TaskEntry>>> {
        self.by_id.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
