//! [`Jobs`]: the jobs whose records were opened.

use std::collections::BTreeMap;

use super::job::Job;
use crate::JobId;

/// By their ids.
#[derive(Debug, Default)]
pub(super) struct Jobs {
    table: BTreeMap<JobId, Entry>,
}

/// What opening a record has found.
#[derive(Debug)]
pub(super) enum Entry {
    Open(Box<Job>),
    /// It cannot be read, and why. Its tasks are left alone (R10).
    Damaged(String),
}

impl Jobs {
    pub(super) fn get(&self, id: JobId) -> Option<&Entry> {
        self.table.get(&id)
    }

    pub(super) fn open(&self, id: JobId) -> Option<&Job> {
        match self.table.get(&id)? {
            Entry::Open(job) => Some(job),
            Entry::Damaged(_) => None,
        }
    }

    pub(super) fn open_mut(&mut self, id: JobId) -> Option<&mut Job> {
        match self.table.get_mut(&id)? {
            Entry::Open(job) => Some(job),
            Entry::Damaged(_) => None,
        }
    }

    pub(super) fn insert(&mut self, id: JobId, entry: Entry) {
        self.table.insert(id, entry);
    }

    pub(super) fn remove(&mut self, id: JobId) -> Option<Entry> {
        self.table.remove(&id)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Job> {
        self.table.values().filter_map(|entry| match entry {
            Entry::Open(job) => Some(&**job),
            Entry::Damaged(_) => None,
        })
    }

    /// Those that cannot be read.
    pub(super) fn damaged(&self) -> impl Iterator<Item = (JobId, &str)> {
        self.table.iter().filter_map(|(id, entry)| match entry {
            Entry::Open(_) => None,
            Entry::Damaged(why) => Some((*id, why.as_str())),
        })
    }
}
