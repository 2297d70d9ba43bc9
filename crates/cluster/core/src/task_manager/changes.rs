//! [`Changes`]: which tasks the leader has to hear of, and in which order.

use std::collections::{BTreeMap, BTreeSet};

use crate::TaskId;

/// Changes of tasks that were not acknowledged, in their order: the first failure is reported
/// first.
#[derive(Debug, Default)]
pub(super) struct Changes {
    /// These are reported at once.
    news: BTreeMap<u64, TaskId>,
    /// These go with the next report.
    asides: BTreeMap<u64, TaskId>,
    count: u64,
}

/// The numbers of the last changes of one task; 0 if there was none.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Changed {
    news: u64,
    aside: u64,
}

impl Changes {
    /// This task is to be reported at once.
    pub(super) fn note(&mut self, task: TaskId, changed: &mut Changed) {
        self.forget(changed);
        self.count += 1;
        changed.news = self.count;
        self.news.insert(self.count, task);
    }

    /// This task is to be in the next report.
    pub(super) fn note_aside(&mut self, task: TaskId, changed: &mut Changed) {
        self.asides.remove(&changed.aside);
        self.count += 1;
        changed.aside = self.count;
        self.asides.insert(self.count, task);
    }

    /// This task needs no report any more.
    pub(super) fn forget(&mut self, changed: &Changed) {
        self.news.remove(&changed.news);
        self.asides.remove(&changed.aside);
    }

    pub(super) fn has_news(&self) -> bool {
        !self.news.is_empty()
    }

    /// The tasks that are to be reported, in the order of their changes.
    pub(super) fn tasks(&self) -> Vec<TaskId> {
        let mut told = BTreeSet::new();
        let all = self.news.values().chain(self.asides.values());
        all.copied().filter(|task| told.insert(*task)).collect()
    }

    /// The number of the newest change.
    pub(super) fn newest(&self) -> u64 {
        self.count
    }

    /// The changes up to this one are known to the leader.
    pub(super) fn known_up_to(&mut self, change: u64) {
        self.news = self.news.split_off(&(change + 1));
        self.asides = self.asides.split_off(&(change + 1));
    }
}

impl Changed {
    /// What tasks are sorted by in a full report.
    pub(super) fn order(&self) -> u64 {
        self.news
    }
}
