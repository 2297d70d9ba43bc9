//! The store itself, and the addresses that open it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use incumbent_backend::hints::{Feeds, Hints};
use incumbent_backend::{
    Address, Backend, BadAddress, Erased, Expected, Failure, GroupName, Hint, Key, Limits, Listed,
    Reach, Rights, Stored, Swapped, Unread, Version, WatchStream,
};

/// Longest body. This bounds what is read and kept for every version. It promises nothing about
/// other stores: those that take 1 MiB mostly count more towards it. A ConfigMap counts everything
/// it holds, and ZooKeeper counts the whole packet.
const LARGEST_BODY: usize = 1024 * 1024;

/// Records in the memory of this process.
///
/// Clones are handles of the same store. Once a swap was answered, every later read of every handle
/// sees it. Every call is complete when it is first polled: dropping its future later undoes
/// nothing.
///
/// # What it does not promise
///
/// Nothing survives the process. Other processes cannot reach it.
#[derive(Clone, Debug, Default)]
pub struct MemoryBackend {
    store: Arc<Store>,
}

#[derive(Debug)]
struct Store {
    records: Mutex<Records>,
    hints: Arc<Hints>,
}

impl Default for Store {
    fn default() -> Self {
        Self {
            records: Mutex::default(),
            hints: Hints::new(Feeds::One),
        }
    }
}

#[derive(Debug, Default)]
struct Records {
    /// Counts the writes of the whole store, so that no version repeats, even after
    /// [`MemoryBackend::remove_by_hand`].
    writes: u64,
    bodies: BTreeMap<Key, Body>,
}

#[derive(Clone, Debug)]
struct Body {
    version: u64,
    /// Shared, so that a long body is not copied while the lock is held.
    bytes: Arc<[u8]>,
}

/// Named stores live as long as the process, even while no handle exists.
static NAMED: LazyLock<Mutex<HashMap<String, MemoryBackend>>> = LazyLock::new(Mutex::default);

impl MemoryBackend {
    /// A new, empty store that only this handle and its clones can reach.
    pub fn new() -> Self {
        Self::default()
    }

    /// The store of this name. It is the same one everywhere in this process, for as long as the
    /// process lives.
    pub fn named(name: &str) -> Self {
        let mut named = NAMED.lock().unwrap_or_else(PoisonError::into_inner);
        named.entry(name.to_owned()).or_default().clone()
    }

    /// Opens `memory:NAME`, the same store for the same name, or `memory:`, a new one each time.
    ///
    /// # Errors
    ///
    /// [`BadAddress`] if the scheme is another one, or if the address has a host or an option,
    /// which this backend does not support.
    pub fn open(address: &Address) -> Result<Self, BadAddress> {
        if address.scheme() != "memory" {
            return Err(address.unusable("its scheme is not memory"));
        }
        if !address.authority().is_empty() {
            return Err(address.unusable("memory has no hosts; write memory: or memory:NAME"));
        }
        if let Some((name, _)) = address.options().next() {
            return Err(address.unusable(format!("memory has no option {name:?}")));
        }
        match address.path() {
            "" => Ok(Self::new()),
            name => Ok(Self::named(name)),
        }
    }

    /// Removes a body, like an operator who deletes a record by hand. Returns whether there was
    /// one.
    ///
    /// This is not part of the contract, which has no removal. Watchers get a hint. If the key is
    /// created again, it gets a version that it never had before.
    pub fn remove_by_hand(&self, key: &Key) -> bool {
        self.remove(key, |_| true)
    }

    /// Removes a body if `may_go` allows it.
    fn remove(&self, key: &Key, may_go: impl Fn(&Body) -> bool) -> bool {
        let mut records = self.records();
        let removed = records.bodies.get(key).is_some_and(may_go);
        if removed {
            records.bodies.remove(key);
            // Sent under the lock, so that hints come in the order of the writes.
            let hint = Hint {
                key: Some(key.clone()),
                version: None,
            };
            self.store.hints.tell(key.group(), hint);
        }
        removed
    }

    fn records(&self) -> MutexGuard<'_, Records> {
        // No code that holds the lock can panic halfway through a change.
        self.store
            .records
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Backend for MemoryBackend {
    fn limits(&self) -> Limits {
        Limits {
            largest_body: LARGEST_BODY,
            shortest_interval: Duration::ZERO,
            regular_interval: Duration::ZERO,
            reach: Reach::Process,
        }
    }

    async fn read(&self, key: &Key) -> Result<Option<Stored>, Unread> {
        let found = self.records().bodies.get(key).cloned();
        Ok(found.map(|body| Stored {
            version: body.name(),
            body: body.bytes.to_vec(),
        }))
    }

    async fn swap(
        &self,
        key: &Key,
        expected: Expected<'_>,
        body: &[u8],
    ) -> Result<Swapped, Failure> {
        self.limits().check(body)?;
        let bytes = body.into();
        let mut records = self.records();
        let as_expected = match (expected, records.bodies.get(key)) {
            (Expected::Absent, found) => found.is_none(),
            (Expected::At(_), None) => false,
            (Expected::At(version), Some(found)) => found.name() == *version,
        };
        if !as_expected {
            return Ok(Swapped::Conflict);
        }
        records.writes += 1;
        let written = Body {
            version: records.writes,
            bytes,
        };
        let version = written.name();
        records.bodies.insert(key.clone(), written);
        // Sent under the lock, so that hints come in the order of the writes.
        let hint = Hint {
            key: Some(key.clone()),
            version: Some(version.clone()),
        };
        self.store.hints.tell(key.group(), hint);
        Ok(Swapped::Committed(version))
    }

    async fn erase(&self, key: &Key, version: &Version) -> Result<Erased, Failure> {
        if self.remove(key, |body| body.name() == *version) {
            Ok(Erased::Gone)
        } else {
            Ok(Erased::Conflict)
        }
    }

    async fn groups(&self) -> Result<Vec<GroupName>, Unread> {
        let records = self.records();
        let groups: BTreeSet<&GroupName> = records.bodies.keys().map(Key::group).collect();
        Ok(groups.into_iter().cloned().collect())
    }

    async fn check_rights(&self, _group: &GroupName) -> Result<Rights, Unread> {
        Ok(Rights::Granted)
    }

    async fn list(&self, group: &GroupName) -> Result<Vec<Listed>, Unread> {
        let records = self.records();
        let mut listed: Vec<Listed> = records
            .bodies
            .iter()
            .filter(|(key, _)| key.group() == group)
            .map(|(key, body)| Listed {
                key: key.clone(),
                version: body.name(),
            })
            .collect();
        listed.sort_by_cached_key(|listed| listed.key.to_string());
        Ok(listed)
    }

    fn watch(&self, group: &GroupName) -> WatchStream {
        // Writers send the hints, so there is no task to run.
        self.store.hints.listen(group, || None).into_stream()
    }
}

impl Body {
    fn name(&self) -> Version {
        Version::new(self.version.to_string())
    }
}

#[cfg(test)]
mod tests {
    use futures::{FutureExt, StreamExt};

    use super::*;

    fn open(address: &str) -> Result<MemoryBackend, BadAddress> {
        MemoryBackend::open(&address.parse().unwrap())
    }

    fn key() -> Key {
        Key::root("demo".parse().unwrap())
    }

    async fn create(store: &MemoryBackend) -> Version {
        match store.swap(&key(), Expected::Absent, b"x").await.unwrap() {
            Swapped::Committed(version) => version,
            Swapped::Conflict => panic!("there was one already"),
        }
    }

    #[tokio::test]
    async fn the_same_name_is_the_same_store_and_no_name_is_always_a_new_one() {
        create(&open("memory:same").unwrap()).await;
        create(&open("memory:").unwrap()).await;
        assert!(
            open("memory:same")
                .unwrap()
                .read(&key())
                .await
                .unwrap()
                .is_some()
        );
        assert!(
            open("memory:other")
                .unwrap()
                .read(&key())
                .await
                .unwrap()
                .is_none()
        );
        assert!(
            open("memory:")
                .unwrap()
                .read(&key())
                .await
                .unwrap()
                .is_none()
        );
    }

    #[test]
    fn what_it_does_not_know_is_refused_by_name() {
        assert!(
            open("file:///x")
                .unwrap_err()
                .to_string()
                .contains("scheme")
        );
        assert!(
            open("memory://host/x")
                .unwrap_err()
                .to_string()
                .contains("hosts")
        );
        assert!(
            open("memory:x?sync=full")
                .unwrap_err()
                .to_string()
                .contains("\"sync\"")
        );
    }

    #[tokio::test]
    async fn a_record_removed_by_hand_comes_back_with_a_version_it_never_had() {
        let store = MemoryBackend::new();
        let mut hints = store.watch(key().group());
        let first = create(&store).await;
        assert!(store.remove_by_hand(&key()));
        assert!(!store.remove_by_hand(&key()));
        assert_eq!(store.read(&key()).await.unwrap(), None);
        assert_ne!(create(&store).await, first);
        let stale = store
            .swap(&key(), Expected::At(&first), b"y")
            .await
            .unwrap();
        assert_eq!(stale, Swapped::Conflict);
        let versions: Vec<bool> = hints
            .by_ref()
            .take(3)
            .map(|hint| hint.version.is_some())
            .collect()
            .await;
        assert_eq!(versions, [true, false, true]);
    }

    #[tokio::test]
    async fn a_watcher_that_lags_is_told_that_anything_may_have_changed_and_goes_on() {
        let store = MemoryBackend::new();
        let mut hints = store.watch(key().group());
        let mut version = create(&store).await;
        for _ in 0..5_000 {
            let Swapped::Committed(next) = store
                .swap(&key(), Expected::At(&version), b"y")
                .await
                .unwrap()
            else {
                panic!("nobody else writes")
            };
            version = next;
        }
        assert_eq!(hints.next().await, Some(Hint::anything()));
        while hints.next().await.and_then(|hint| hint.version) != Some(version.clone()) {}
    }

    #[tokio::test]
    async fn a_watch_outlives_the_handle_it_came_from_and_does_not_end() {
        let mut hints = MemoryBackend::new().watch(key().group());
        assert!(hints.next().now_or_never().is_none());
    }
}
