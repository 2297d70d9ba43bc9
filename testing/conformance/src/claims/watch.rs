//! Hints. They may lag and repeat. These claims only check that they come at all, within a generous
//! time, on a quiet system.

use std::time::Duration;

use futures::StreamExt;
use futures::future::{Either, select};
use incumbent_backend::{Hint, Key, Version, WatchStream};
use tokio::time::timeout;

use crate::words::{create, fresh_group, fresh_key, key, pace, read, replace};
use crate::{Handle, Place};

/// The time limit for a hint. A backend that falls back to polling takes a while.
const IN_TIME: Duration = Duration::from_secs(20);

/// After this long without a hint, the next hint is not about earlier changes. It is longer than
/// the pauses of a backend that polls.
const QUIET: Duration = Duration::from_secs(1);

/// The writes come from another handle, in a group that did not exist when the watch began.
pub async fn watch_tells_of_creates_and_replacements(place: Place) {
    let (here, there, key) = (place.open().await, place.open().await, fresh_key());
    let mut hints = here.watch(key.group());
    let first = create(&there, &key, b"one").await;
    hint_of(&mut hints, &key).await;
    until_quiet(&mut hints).await;
    replace(&there, &key, &first, b"two").await;
    hint_after(&mut hints, &key, &first).await;
}

/// "From now on" begins with the call, not with the first poll.
pub async fn watch_tells_of_writes_before_it_is_first_polled(place: Place) {
    let (here, there, key) = (place.open().await, place.open().await, fresh_key());
    create(&there, &key, b"one").await;
    let mut hints = here.watch(key.group());
    let found = read(&there, &key).await.expect("it was created");
    replace(&there, &key, &found.version, b"two").await;
    hint_after(&mut hints, &key, &found.version).await;
}

/// A hint is only about a key of the watched group, even if other groups are busy.
pub async fn watch_keeps_to_its_group(place: Place) {
    let (handle, group, other) = (place.open().await, fresh_group(), fresh_group());
    let mut hints = handle.watch(&group);
    let noise = key(&other, "noise");
    let mut version = create(&handle, &noise, b"").await;
    for _ in 0..20 {
        pace(&handle, 1).await;
        version = replace(&handle, &noise, &version, b"").await;
    }
    let signal = key(&group, "signal");
    create(&handle, &signal, b"").await;
    let hint = hint_of(&mut hints, &signal).await;
    assert!(hint.key.is_none_or(|key| key == signal));
}

/// If a hint names a version, the key had that version. The process that wrote it need not read it
/// again.
pub async fn watch_tells_true_versions(place: Place) {
    let (here, there, key) = (place.open().await, place.open().await, fresh_key());
    let mut hints = here.watch(key.group());
    let versions = write_some(&there, &key).await;
    let last = versions.last().expect("some were written");
    loop {
        let hint = hint_of(&mut hints, &key).await;
        let Some(version) = hint.version else { return };
        assert!(
            versions.contains(&version),
            "a hint names version {version}, which {key} never had"
        );
        if version == *last {
            return;
        }
    }
}

/// A reader that reads after each hint reads the last body in the end, however fast the writes
/// were.
pub async fn watch_leads_to_the_last_of_many_writes(place: Place) {
    const WRITES: usize = 30;
    let (here, there, key) = (place.open().await, place.open().await, fresh_key());
    let mut hints = here.watch(key.group());
    for round in 0..3 {
        let last = format!("last of round {round}");
        let found = read(&there, &key).await;
        let write = async {
            let mut version = found.map(|found| found.version);
            for n in 0..=WRITES {
                let body = if n == WRITES { &*last } else { "" };
                version = Some(match version {
                    None => create(&there, &key, body.as_bytes()).await,
                    Some(version) => {
                        pace(&there, 1).await;
                        replace(&there, &key, &version, body.as_bytes()).await
                    }
                });
                // If the backend never waits, the reader would otherwise get no time to read.
                tokio::task::yield_now().await;
            }
        };
        let follow = async {
            loop {
                hints.next().await.expect("a watch never ends by itself");
                let found = read(&here, &key).await;
                if found.is_some_and(|found| found.body == last.as_bytes()) {
                    return;
                }
            }
        };
        let mut follow = Box::pin(follow);
        // The time that the writes take does not count.
        let early = match select(&mut follow, Box::pin(write)).await {
            Either::Left(((), write)) => {
                write.await;
                true
            }
            Either::Right(((), _)) => false,
        };
        if !early && timeout(IN_TIME, follow).await.is_err() {
            panic!("no hint led to the last write of {key} in {IN_TIME:?}");
        }
    }
}

async fn write_some(handle: &Handle, key: &Key) -> Vec<Version> {
    let mut versions = vec![create(handle, key, b"").await];
    for _ in 0..100 {
        pace(handle, 1).await;
        let next = replace(handle, key, versions.last().expect("one was created"), b"").await;
        versions.push(next);
    }
    versions
}

/// The next hint that may be about this key. Hints about other keys of its group are allowed; hints
/// about other groups are not.
async fn hint_of(hints: &mut WatchStream, key: &Key) -> Hint {
    let hint = async {
        loop {
            let hint = hints.next().await.expect("a watch never ends by itself");
            match &hint.key {
                Some(other) if other != key => {
                    assert_eq!(other.group(), key.group(), "a hint of another group")
                }
                _ => return hint,
            }
        }
    };
    timeout(IN_TIME, hint)
        .await
        .unwrap_or_else(|_| panic!("no hint about {key} in {IN_TIME:?}"))
}

/// The next hint that may be about a change after this version, and is not a late one about the
/// version itself.
async fn hint_after(hints: &mut WatchStream, key: &Key, version: &Version) -> Hint {
    loop {
        let hint = hint_of(hints, key).await;
        if hint.version.as_ref() != Some(version) {
            return hint;
        }
    }
}

/// Consumes late and repeated hints. If a backend is never quiet, it reports so often that anything
/// may have changed that it needs no more patience.
async fn until_quiet(hints: &mut WatchStream) {
    let quiet = async { while let Ok(Some(_)) = timeout(QUIET, hints.next()).await {} };
    let _ = timeout(IN_TIME, quiet).await;
}
