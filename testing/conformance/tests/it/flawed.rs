//! Backends that are broken on purpose, each in one way.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use futures::{StreamExt, stream};
use incumbent_backend::{
    Backend, Erased, Expected, Failure, GroupName, Hint, Key, Limits, Listed, Stored, Swapped,
    Unread, Version, WatchStream,
};
use incumbent_backend_memory::MemoryBackend;
use incumbent_conformance::Place;
use tokio::time::Instant;

/// The flaw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flaw {
    /// Replaces the body at any version.
    IgnoresVersion,
    /// Creates a key even if it exists.
    CreatesOverExisting,
    /// Compares first and writes later.
    ComparesThenWrites,
    /// Answers some reads from a cache of earlier reads.
    ReadsFromCache,
    /// The version is a function of the body.
    VersionIsChecksum,
    /// Versions repeat after some writes.
    VersionsWrapAround,
    /// Versions count the writes of a key, and restart at 1 if it was removed.
    VersionsCountFromOne,
    /// Some writes are acknowledged and not done.
    LosesWrites,
    /// Reports a conflict for some writes that happened.
    TellsConflictForCommit,
    /// Reports some conflicts although no other client wrote.
    ConflictsWithNobody,
    /// Writes an empty body first, then the real one.
    WritesInTwoSteps,
    /// Declares a limit and does not enforce it.
    ForgetsTooLarge,
    /// Erases a key at any version.
    ErasesAnyVersion,
    /// Erases nothing, and reports that it did.
    ErasesNothing,
    /// Lists groups that have no keys.
    TellsStrangeGroups,
    /// Truncates long bodies.
    CutsLongBodies,
    /// Bodies end at the first NUL byte.
    EndsBodiesAtNul,
    /// Treats names that differ only in case as equal.
    FoldsCase,
    /// Truncates names at 199 bytes.
    CutsNames,
    /// Treats `a/b` and `a.b` as equal.
    MixesSlashAndDot,
    /// Lists keys of all groups whose names begin with the group's name.
    ListsByPrefix,
    /// Lists at most ten keys.
    ListsOnePage,
    /// Lists in no order.
    ListsUnordered,
    /// Gives no hints.
    DeafWatch,
    /// Gives hints of created keys only.
    WatchMissesReplacements,
    /// Gives hints of created keys only, but twice, the second time late.
    WatchRepeatsCreates,
    /// Gives no hint soon after another hint.
    WatchForgetsTheLast,
    /// Gives hints of one other group too.
    WatchTellsEverything,
    /// Names versions in hints that never existed.
    WatchTellsWrongVersions,
}

/// A store with a flaw.
pub(crate) struct Flawed {
    flaw: Flaw,
    store: MemoryBackend,
    calls: AtomicUsize,
    cache: Mutex<HashMap<Key, Option<Stored>>>,
}

/// A place whose handles have this flaw.
pub(crate) fn place(flaw: Flaw) -> Place {
    let store = MemoryBackend::new();
    let removing = store.clone();
    Place::new(move || std::future::ready(Flawed::new(flaw, store.clone()))).remove_by_hand(
        move |key| {
            removing.remove_by_hand(&key);
            std::future::ready(())
        },
    )
}

/// A hint that comes sooner than this after another one is forgotten. A late repetition comes after
/// this time.
const SOON: Duration = Duration::from_millis(100);

fn forgetting(hints: WatchStream) -> WatchStream {
    let next = |(mut hints, told): (WatchStream, Option<Instant>)| async move {
        loop {
            let hint = hints.next().await?;
            if told.is_none_or(|told| told.elapsed() > SOON) {
                return Some((hint, (hints, Some(Instant::now()))));
            }
        }
    };
    stream::unfold((hints, None), next).boxed()
}

/// The count of writes at the beginning of a body.
fn count_in(body: &[u8]) -> u64 {
    u64::from_be_bytes(body[..8].try_into().unwrap())
}

impl Flawed {
    fn new(flaw: Flaw, store: MemoryBackend) -> Self {
        Self {
            flaw,
            store,
            calls: AtomicUsize::new(0),
            cache: Mutex::default(),
        }
    }

    fn has(&self, flaw: Flaw) -> bool {
        self.flaw == flaw
    }

    /// True for some calls, and never for the first ones.
    fn now_and_then(&self) -> bool {
        self.calls.fetch_add(1, Ordering::Relaxed) % 4 == 3
    }

    fn key(&self, key: &Key) -> Key {
        let item = match self.flaw {
            Flaw::FoldsCase => key.item().to_lowercase(),
            Flaw::CutsNames => key.item().chars().take(199).collect(),
            Flaw::MixesSlashAndDot => key.item().replace('/', "."),
            _ => key.item().to_owned(),
        };
        Key::of_item(key.group().clone(), &item).unwrap()
    }

    fn body(&self, body: &[u8]) -> Vec<u8> {
        let kept = match self.flaw {
            Flaw::CutsLongBodies => body.len().min(1000),
            Flaw::EndsBodiesAtNul => body
                .iter()
                .position(|byte| *byte == 0)
                .unwrap_or(body.len()),
            _ => body.len(),
        };
        body[..kept].to_vec()
    }

    /// The version as this backend reports it.
    fn told(&self, stored: Stored) -> Stored {
        let version = match self.flaw {
            Flaw::VersionIsChecksum => Version::new(format!("{:?}", stored.body)),
            Flaw::VersionsWrapAround => {
                Version::new((stored.version.as_str().parse::<u64>().unwrap() % 100).to_string())
            }
            Flaw::VersionsCountFromOne => Version::new(count_in(&stored.body).to_string()),
            _ => stored.version,
        };
        let body = match self.flaw {
            Flaw::VersionsCountFromOne => stored.body[8..].to_vec(),
            _ => stored.body,
        };
        Stored { version, body }
    }

    async fn present(&self, key: &Key) -> Option<Stored> {
        self.store.read(key).await.unwrap()
    }

    async fn write(&self, key: &Key, body: &[u8]) -> Version {
        loop {
            let present = self.present(key).await;
            let expected = present
                .as_ref()
                .map_or(Expected::Absent, |found| Expected::At(&found.version));
            if let Swapped::Committed(version) = self.store.swap(key, expected, body).await.unwrap()
            {
                return self
                    .told(Stored {
                        version,
                        body: body.to_vec(),
                    })
                    .version;
            }
        }
    }
}

#[async_trait]
impl Backend for Flawed {
    fn limits(&self) -> Limits {
        let limits = self.store.limits();
        let largest_body = if self.has(Flaw::ForgetsTooLarge) {
            10_000
        } else {
            limits.largest_body
        };
        Limits {
            largest_body,
            ..limits
        }
    }

    async fn read(&self, key: &Key) -> Result<Option<Stored>, Unread> {
        let key = self.key(key);
        let fresh = self.present(&key).await.map(|found| self.told(found));
        if !self.has(Flaw::ReadsFromCache) {
            return Ok(fresh);
        }
        let stale = self.now_and_then();
        let mut cache = self.cache.lock().unwrap();
        match cache.get(&key) {
            Some(cached) if stale => Ok(cached.clone()),
            _ => {
                cache.insert(key, fresh.clone());
                Ok(fresh)
            }
        }
    }

    async fn swap(
        &self,
        key: &Key,
        expected: Expected<'_>,
        body: &[u8],
    ) -> Result<Swapped, Failure> {
        self.limits().check(body).or_else(|refused| {
            if self.has(Flaw::ForgetsTooLarge) {
                Ok(())
            } else {
                Err(refused)
            }
        })?;
        let (key, mut body) = (self.key(key), self.body(body));
        let present = self.present(&key).await;
        if self.has(Flaw::VersionsCountFromOne) {
            let count = present.as_ref().map_or(0, |found| count_in(&found.body)) + 1;
            body.splice(..0, count.to_be_bytes());
        }
        let told = present.clone().map(|found| self.told(found).version);
        let matches = match expected {
            Expected::Absent => told.is_none() || self.has(Flaw::CreatesOverExisting),
            Expected::At(_) if told.is_none() => false,
            Expected::At(version) => {
                told.as_ref() == Some(version) || self.has(Flaw::IgnoresVersion)
            }
        };
        if !matches {
            return Ok(Swapped::Conflict);
        }
        match self.flaw {
            Flaw::IgnoresVersion | Flaw::CreatesOverExisting => {
                return Ok(Swapped::Committed(self.write(&key, &body).await));
            }
            Flaw::ComparesThenWrites => {
                tokio::task::yield_now().await;
                return Ok(Swapped::Committed(self.write(&key, &body).await));
            }
            Flaw::WritesInTwoSteps => {
                self.write(&key, b"").await;
                tokio::task::yield_now().await;
                return Ok(Swapped::Committed(self.write(&key, &body).await));
            }
            Flaw::LosesWrites if self.now_and_then() => {
                return Ok(Swapped::Committed(Version::new("lost")));
            }
            Flaw::ConflictsWithNobody if self.now_and_then() => return Ok(Swapped::Conflict),
            _ => {}
        }
        let at = present
            .as_ref()
            .map_or(Expected::Absent, |found| Expected::At(&found.version));
        let swapped = self.store.swap(&key, at, &body).await?;
        Ok(match swapped {
            Swapped::Committed(_)
                if self.has(Flaw::TellsConflictForCommit) && self.now_and_then() =>
            {
                Swapped::Conflict
            }
            Swapped::Committed(version) => {
                Swapped::Committed(self.told(Stored { version, body }).version)
            }
            Swapped::Conflict => Swapped::Conflict,
        })
    }

    async fn erase(&self, key: &Key, version: &Version) -> Result<Erased, Failure> {
        let key = self.key(key);
        let Some(present) = self.present(&key).await else {
            return Ok(Erased::Conflict);
        };
        let told = self.told(present.clone()).version;
        match self.flaw {
            Flaw::ErasesNothing => Ok(Erased::Gone),
            Flaw::ErasesAnyVersion => self.store.erase(&key, &present.version).await,
            _ if told == *version => self.store.erase(&key, &present.version).await,
            _ => Ok(Erased::Conflict),
        }
    }

    async fn groups(&self) -> Result<Vec<GroupName>, Unread> {
        let mut groups = self.store.groups().await?;
        if self.has(Flaw::TellsStrangeGroups) {
            groups.push(groups[0].clone());
        }
        Ok(groups)
    }

    async fn list(&self, group: &GroupName) -> Result<Vec<Listed>, Unread> {
        let mut listed = self.store.list(group).await?;
        match self.flaw {
            Flaw::ListsOnePage => listed.truncate(10),
            Flaw::ListsUnordered => listed.reverse(),
            Flaw::ListsByPrefix => {
                let relative: GroupName = format!("{group}a").parse().unwrap();
                listed.extend(self.store.list(&relative).await?);
            }
            _ => {}
        }
        for listed in &mut listed {
            let body = self.present(&listed.key).await.unwrap();
            listed.version = self.told(body).version;
        }
        Ok(listed)
    }

    fn watch(&self, group: &GroupName) -> WatchStream {
        let hints = self.store.watch(group);
        match self.flaw {
            Flaw::DeafWatch => stream::pending().boxed(),
            Flaw::WatchMissesReplacements => hints.take(1).chain(stream::pending()).boxed(),
            Flaw::WatchRepeatsCreates => hints
                .take(1)
                .flat_map(|hint| {
                    let late = hint.clone();
                    let late = async move {
                        tokio::time::sleep(SOON).await;
                        late
                    };
                    stream::iter([hint]).chain(stream::once(late))
                })
                .chain(stream::pending())
                .boxed(),
            Flaw::WatchForgetsTheLast => forgetting(hints),
            Flaw::WatchTellsWrongVersions => hints
                .map(|hint| Hint {
                    version: hint
                        .version
                        .map(|version| Version::new(format!("{version}0"))),
                    ..hint
                })
                .boxed(),
            Flaw::WatchTellsEverything => {
                let stranger = Key::root("stranger".parse().unwrap());
                stream::iter([Hint {
                    key: Some(stranger),
                    version: None,
                }])
                .chain(hints)
                .boxed()
            }
            _ => hints,
        }
    }
}
