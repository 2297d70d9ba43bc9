//! Keys that a person removes, and a process creates again.

use std::collections::HashSet;

use incumbent_backend::{Expected, Key, Swapped, Version};

use crate::words::{create, fresh_key, pace, read, replace, stored, swap};
use crate::{Handle, Place};

/// The number of versions before a removal. More than a backend is likely to keep in one file or
/// segment.
const MANY: usize = 70;
const REMOVALS: usize = 2;

/// A version names one body, even if the key was removed in between: a swap at an earlier version
/// conflicts.
#[allow(clippy::print_stderr, reason = "a skipped claim is skipped aloud")]
pub async fn a_key_removed_by_hand_and_created_again_takes_no_old_version(place: Place) {
    let Some(remove) = place.removal() else {
        eprintln!("SKIPPED: nothing is removed by hand here");
        return;
    };
    let (handle, other, key) = (place.open().await, place.open().await, fresh_key());
    let mut old = write(&handle, &key, &[]).await;
    for _ in 0..REMOVALS {
        assert!(read(&other, &key).await.is_some());
        remove(key.clone()).await;
        for handle in [&handle, &other, &place.open().await] {
            assert_eq!(read(handle, &key).await, None, "it was removed");
            are_refused(handle, &key, &old).await;
            assert_eq!(read(handle, &key).await, None, "it was not created");
        }
        let new = write(&other, &key, &old).await;
        let newest = stored(new.last().expect("some were written"), b"");
        for handle in [&handle, &other, &place.open().await] {
            are_refused(handle, &key, &old).await;
            assert_eq!(read(handle, &key).await, newest);
        }
        old.extend(new);
    }
    let different: HashSet<&Version> = old.iter().collect();
    assert_eq!(different.len(), old.len(), "a version came twice");
}

/// Creates the key and replaces it many times. After the create, it tries all old versions; after
/// each replacement, the old versions at the same position in the order of writes.
async fn write(handle: &Handle, key: &Key, old: &[Version]) -> Vec<Version> {
    let mut new = vec![create(handle, key, b"").await];
    are_refused(handle, key, old).await;
    while new.len() < MANY {
        pace(handle, 1).await;
        let newest = new.last().expect("it was created");
        new.push(replace(handle, key, newest, b"").await);
        let alike = old.iter().skip(new.len() - 1).step_by(MANY);
        are_refused(handle, key, alike).await;
    }
    new
}

async fn are_refused(handle: &Handle, key: &Key, old: impl IntoIterator<Item = &Version>) {
    for version in old {
        assert_eq!(
            swap(handle, key, Expected::At(version), b"late").await,
            Swapped::Conflict,
            "{version} is of before the removal"
        );
    }
}
