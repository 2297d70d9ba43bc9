//! A backend that counts its requests.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use futures::future::BoxFuture;
use incumbent::backend::{
    Backend, Erased, Expected, Failure, Gone, GroupName, Key, Limits, Listed, Nonce, Presence,
    Rights, Stored, Swapped, Unread, Version, WatchStream,
};

/// Any backend, counted. Several handles of one store share their counts.
pub(crate) struct Counting<B> {
    pub(crate) inner: B,
    pub(crate) counts: Arc<Counts>,
}

#[derive(Debug, Default)]
pub(crate) struct Counts {
    writes: AtomicU64,
    reads: AtomicU64,
}

impl Counts {
    /// Swaps, whatever their outcome.
    pub(crate) fn writes(&self) -> u64 {
        self.writes.load(Ordering::Relaxed)
    }

    /// Reads and lists.
    pub(crate) fn reads(&self) -> u64 {
        self.reads.load(Ordering::Relaxed)
    }
}

#[async_trait]
impl<B: Backend> Backend for Counting<B> {
    fn limits(&self) -> Limits {
        self.inner.limits()
    }

    async fn read(&self, key: &Key) -> Result<Option<Stored>, Unread> {
        self.counts.reads.fetch_add(1, Ordering::Relaxed);
        self.inner.read(key).await
    }

    async fn swap(
        &self,
        key: &Key,
        expected: Expected<'_>,
        body: &[u8],
    ) -> Result<Swapped, Failure> {
        self.counts.writes.fetch_add(1, Ordering::Relaxed);
        self.inner.swap(key, expected, body).await
    }

    async fn erase(&self, key: &Key, version: &Version) -> Result<Erased, Failure> {
        self.counts.writes.fetch_add(1, Ordering::Relaxed);
        self.inner.erase(key, version).await
    }

    async fn groups(&self) -> Result<Vec<GroupName>, Unread> {
        self.counts.reads.fetch_add(1, Ordering::Relaxed);
        self.inner.groups().await
    }

    async fn check_rights(&self, group: &GroupName) -> Result<Rights, Unread> {
        self.inner.check_rights(group).await
    }

    async fn list(&self, group: &GroupName) -> Result<Vec<Listed>, Unread> {
        self.counts.reads.fetch_add(1, Ordering::Relaxed);
        self.inner.list(group).await
    }

    fn watch(&self, group: &GroupName) -> WatchStream {
        self.inner.watch(group)
    }

    fn appear(&self, group: &GroupName, nonce: Nonce) -> Option<Presence> {
        self.inner.appear(group, nonce)
    }

    fn vanished(&self, group: &GroupName, nonce: Nonce) -> BoxFuture<'static, Gone> {
        self.inner.vanished(group, nonce)
    }
}
