//! [`Exposed`]: the metrics of all tasks here, for those who scrape this TaskManager.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use incumbent_cluster_core::TaskId;

use crate::api::Merged;

/// Most metrics of all tasks together, in bytes: half of what is read of a node. Tasks beyond it
/// are left out and named.
pub const LARGEST_ALL_METRICS: usize = 2 * 1024 * 1024;

/// Metrics of tasks. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(in super::super) struct Exposed {
    texts: Arc<Mutex<BTreeMap<TaskId, String>>>,
}

impl Exposed {
    /// These are shown until others come, or the task ends.
    pub(super) fn set(&self, task: TaskId, text: String) {
        self.texts().insert(task, text);
    }

    pub(super) fn remove(&self, task: TaskId) {
        self.texts().remove(&task);
    }

    /// All of them, each family once.
    pub(in super::super) fn to_text(&self) -> String {
        let mut merged = Merged::default();
        let mut left = LARGEST_ALL_METRICS;
        for (task, text) in &*self.texts() {
            match left.checked_sub(text.len()) {
                Some(rest) => {
                    left = rest;
                    merged.add_with("", text);
                }
                None => merged.comment(&format!(
                    "The metrics of {task} are left out: those of all tasks have more than \
                     {LARGEST_ALL_METRICS} bytes."
                )),
            }
        }
        merged.to_text()
    }

    fn texts(&self) -> MutexGuard<'_, BTreeMap<TaskId, String>> {
        self.texts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
