//! Hints. They may lag and repeat; these claims only say that they come at all, within a generous time, on a quiet system.

use std::time::Duration;

use futures::{FutureExt, StreamExt};
use incumbent_backend::{Hint, Key, Version, WatchStream};

use crate::words::{create, fresh_group, fresh_key, key, read, replace};
use crate::{Handle, Place};

/// The time in which a hint must come. Backends that fall back to asking take a while.
const IN_TIME: Duration = Duration::from_secs(20);

/// Writes of another handle, in a group that did not exist when the watch began.
pub async fn watch_tells_of_creates_and_replacements(place: Place) {
    let (here, there, key) = (place.open().await, place.open().await, fresh_key());
    let mut hints = here.watch(key.group());
    let first = create(&there, &key, b"one").await;
    hint_of(&mut hints, &key).await;
    drain(&mut hints);
    replace(&there, &key, &first, b"two").await;
    hint_of(&mut hints, &key).await;
}

/// "From now on" begins with the call, not with the first poll.
pub async fn watch_tells_of_writes_before_it_is_first_polled(place: Place) {
    let (here, there, key) = (place.open().await, place.open().await, fresh_key());
    create(&there, &key, b"one").await;
    let mut hints = here.watch(key.group());
    let found = read(&there, &key).await.expect("it was created");
    replace(&there, &key, &found.version, b"two").await;
    hint_of(&mut hints, &key).await;
}

/// What is hinted about is a key of the group, also when others are busy.
pub async fn watch_keeps_to_its_group(place: Place) {
    let (handle, group, other) = (place.open().await, fresh_group(), fresh_group());
    let mut hints = handle.watch(&group);
    let noise = key(&other, "noise");
    let mut version = create(&handle, &noise, b"").await;
    for _ in 0..20 {
        version = replace(&handle, &noise, &version, b"").await;
    }
    let signal = key(&group, "signal");
    create(&handle, &signal, b"").await;
    let hint = hint_of(&mut hints, &signal).await;
    assert!(hint.key.is_none_or(|key| key == signal));
}

/// A hint that names a version names one that the key had. Whoever compares it with its own then need not read.
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

async fn write_some(handle: &Handle, key: &Key) -> Vec<Version> {
    let mut versions = vec![create(handle, key, b"").await];
    for _ in 0..100 {
        let next = replace(handle, key, versions.last().expect("one was created"), b"").await;
        versions.push(next);
    }
    versions
}

/// The next hint that may be about this key. Hints about other keys of its group are allowed, of other groups not.
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
    tokio::time::timeout(IN_TIME, hint)
        .await
        .unwrap_or_else(|_| panic!("no hint about {key} in {IN_TIME:?}"))
}

fn drain(hints: &mut WatchStream) {
    while let Some(Some(_)) = hints.next().now_or_never() {}
}
