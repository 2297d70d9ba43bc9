//! Correct backends that tolerate little load. The suite must respect the limits they declare, and
//! wait for them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use incumbent_backend::{
    Backend, Expected, Failure, GroupName, Key, Limits, Listed, Stored, Swapped, Unread,
    WatchStream,
};
use incumbent_backend_memory::MemoryBackend;
use incumbent_conformance::{BARE, Place, UNRELIABLE};
use tokio::time::Instant;

const INTERVAL: Duration = Duration::from_secs(1);

/// The number of writes of one key that it tolerates at once.
const BURST: f64 = 20.0;

/// How long it is unreachable at first.
const AWAY: Duration = Duration::from_secs(5);

/// Tolerates one write of each key per interval, and a few more at once. Beyond that it fails the
/// test.
#[derive(Clone)]
struct Weak {
    store: MemoryBackend,
    written: Arc<Mutex<HashMap<Key, (f64, Instant)>>>,
}

impl Weak {
    fn bears(&self, key: &Key) -> bool {
        let (mut written, now) = (self.written.lock().unwrap(), Instant::now());
        let (left, then) = written.entry(key.clone()).or_insert((BURST, now));
        let since = now.duration_since(*then).as_secs_f64();
        *left = (*left + since / INTERVAL.as_secs_f64()).min(BURST);
        *then = now;
        *left -= 1.0;
        *left >= 0.0
    }
}

#[async_trait]
impl Backend for Weak {
    fn limits(&self) -> Limits {
        Limits {
            shortest_interval: INTERVAL,
            ..self.store.limits()
        }
    }

    async fn read(&self, key: &Key) -> Result<Option<Stored>, Unread> {
        self.store.read(key).await
    }

    async fn swap(
        &self,
        key: &Key,
        expected: Expected<'_>,
        body: &[u8],
    ) -> Result<Swapped, Failure> {
        let swapped = self.store.swap(key, expected, body).await?;
        if matches!(swapped, Swapped::Committed(_)) {
            assert!(self.bears(key), "{key} is written too often");
        }
        Ok(swapped)
    }

    async fn list(&self, group: &GroupName) -> Result<Vec<Listed>, Unread> {
        self.store.list(group).await
    }

    fn watch(&self, group: &GroupName) -> WatchStream {
        self.store.watch(group)
    }
}

#[tokio::test(start_paused = true)]
async fn no_claim_writes_a_key_more_often_than_the_backend_bears() {
    for claim in BARE {
        let weak = Weak {
            store: MemoryBackend::new(),
            written: Arc::default(),
        };
        let place = Place::new({
            let weak = weak.clone();
            move || std::future::ready(weak.clone())
        });
        let place = place.remove_by_hand(move |key| {
            weak.store.remove_by_hand(&key);
            std::future::ready(())
        });
        (claim.check)(place).await;
    }
}

/// Is unreachable for a while, like a service that restarts.
struct Away {
    store: MemoryBackend,
    back: Instant,
}

impl Away {
    fn check(&self) -> Result<(), &'static str> {
        if Instant::now() < self.back {
            return Err("away");
        }
        Ok(())
    }
}

#[async_trait]
impl Backend for Away {
    fn limits(&self) -> Limits {
        self.store.limits()
    }

    async fn read(&self, key: &Key) -> Result<Option<Stored>, Unread> {
        self.check()
            .map_err(|why| Unread::Unavailable(why.into()))?;
        self.store.read(key).await
    }

    async fn swap(
        &self,
        key: &Key,
        expected: Expected<'_>,
        body: &[u8],
    ) -> Result<Swapped, Failure> {
        self.check()
            .map_err(|why| Failure::NotApplied(why.into()))?;
        self.store.swap(key, expected, body).await
    }

    async fn list(&self, group: &GroupName) -> Result<Vec<Listed>, Unread> {
        self.check()
            .map_err(|why| Unread::Unavailable(why.into()))?;
        self.store.list(group).await
    }

    fn watch(&self, group: &GroupName) -> WatchStream {
        self.store.watch(group)
    }
}

#[tokio::test(start_paused = true)]
async fn claims_that_settle_wait_for_a_backend_that_is_away_for_seconds() {
    for claim in UNRELIABLE {
        let (store, back) = (MemoryBackend::new(), Instant::now() + AWAY);
        let place = Place::new(move || {
            std::future::ready(Away {
                store: store.clone(),
                back,
            })
        });
        (claim.check)(place).await;
    }
}
