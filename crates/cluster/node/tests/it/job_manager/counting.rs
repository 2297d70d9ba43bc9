//! A store that counts the writes of each record.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use incumbent::RecordName;
use incumbent::backend::{
    Backend, Erased, Expected, Failure, GroupName, Key, Limits, Listed, Stored, Swapped, Unread,
    Version, WatchStream,
};

/// Any store, counted.
pub(super) struct Counting<B> {
    inner: B,
    writes: Mutex<HashMap<RecordName, usize>>,
}

impl<B> Counting<B> {
    pub(super) fn new(inner: B) -> Self {
        let writes = Mutex::default();
        Self { inner, writes }
    }

    /// How often somebody tried to write this record.
    pub(super) fn writes(&self, name: &RecordName) -> usize {
        let writes = self.writes.lock().unwrap_or_else(PoisonError::into_inner);
        writes.get(name).copied().unwrap_or_default()
    }

    fn count(&self, key: &Key) {
        if let Some(name) = key.record_name() {
            let mut writes = self.writes.lock().unwrap_or_else(PoisonError::into_inner);
            *writes.entry(name.clone()).or_default() += 1;
        }
    }
}

#[async_trait]
impl<B: Backend> Backend for Counting<B> {
    fn limits(&self) -> Limits {
        self.inner.limits()
    }

    async fn read(&self, key: &Key) -> Result<Option<Stored>, Unread> {
        self.inner.read(key).await
    }

    async fn swap(
        &self,
        key: &Key,
        expected: Expected<'_>,
        body: &[u8],
    ) -> Result<Swapped, Failure> {
        self.count(key);
        self.inner.swap(key, expected, body).await
    }

    async fn erase(&self, key: &Key, version: &Version) -> Result<Erased, Failure> {
        self.count(key);
        self.inner.erase(key, version).await
    }

    async fn list(&self, group: &GroupName) -> Result<Vec<Listed>, Unread> {
        self.inner.list(group).await
    }

    fn watch(&self, group: &GroupName) -> WatchStream {
        self.inner.watch(group)
    }
}
