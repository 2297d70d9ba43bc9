//! Keys that are erased. If a backend keeps tombstones, an erasure must change nothing.

use incumbent_backend::{Erased, Expected, Key, Swapped, Version};

use crate::words::{create, fresh_key, list, pace, read, replace, stored, swap};
use crate::{Handle, Place};

/// Returns `false` if this backend does not erase, and has left the key unchanged.
#[allow(clippy::print_stderr, reason = "a skipped claim is skipped aloud")]
async fn erases(handle: &Handle, key: &Key, version: &Version) -> bool {
    let before = read(handle, key).await;
    match erase(handle, key, version).await {
        Erased::Gone => true,
        Erased::Conflict => panic!("the key has that version, yet the erasure says conflict"),
        Erased::Kept => {
            assert_eq!(read(handle, key).await, before, "nothing was to be done");
            eprintln!("SKIPPED: this backend keeps tombstones");
            false
        }
    }
}

async fn erase(handle: &Handle, key: &Key, version: &Version) -> Erased {
    handle
        .erase(key, version)
        .await
        .expect("an erasure on a reliable handle has a known outcome")
}

/// An erased key reads as absent for every handle at once, is on no list, and can be created again,
/// with a version it never had.
pub async fn an_erased_key_is_gone_and_can_be_created_again(place: Place) {
    let (handle, other, key) = (place.open().await, place.open().await, fresh_key());
    let mut old = vec![create(&handle, &key, b"first").await];
    for round in 0..3 {
        pace(&handle, 1).await;
        let newest = replace(&handle, &key, old.last().expect("it exists"), b"next").await;
        old.push(newest.clone());
        assert!(read(&other, &key).await.is_some());
        if !erases(&handle, &key, &newest).await {
            return;
        }
        for handle in [&handle, &other, &place.open().await] {
            assert_eq!(read(handle, &key).await, None, "it was erased");
            assert_eq!(list(handle, key.group()).await, []);
            are_refused(handle, &key, &old).await;
            assert_eq!(read(handle, &key).await, None, "it was not created");
        }
        let again = create(&other, &key, b"again").await;
        assert!(!old.contains(&again), "round {round}: a version came twice");
        are_refused(&handle, &key, &old).await;
        assert_eq!(read(&handle, &key).await, stored(&again, b"again"));
        old.push(again);
    }
}

/// The other version is one older than the key's, or one that it never had.
pub async fn an_erasure_at_another_version_conflicts_and_changes_nothing(place: Place) {
    let (handle, key, other) = (place.open().await, fresh_key(), fresh_key());
    let first = create(&handle, &key, b"1").await;
    let elsewhere = create(&handle, &other, b"1").await;
    if !erases(&handle, &other, &elsewhere).await {
        return;
    }
    assert_eq!(erase(&handle, &other, &elsewhere).await, Erased::Conflict);
    pace(&handle, 1).await;
    let second = replace(&handle, &key, &first, b"2").await;
    for version in [&first, &elsewhere, &Version::new("none of this backend's")] {
        assert_eq!(erase(&handle, &key, version).await, Erased::Conflict);
    }
    assert_eq!(read(&handle, &key).await, stored(&second, b"2"));
}

/// Of many erasures and swaps at one version, exactly one happens.
pub async fn of_erasures_and_swaps_at_one_version_one_wins(place: Place) {
    let (handle, key) = (place.open().await, fresh_key());
    let mut version = create(&handle, &key, b"0").await;
    for round in 0..20_u8 {
        let (a, b, c) = (place.open().await, place.open().await, place.open().await);
        let body = [round];
        let (erased, again, swapped) = futures::join!(
            a.erase(&key, &version),
            b.erase(&key, &version),
            c.swap(&key, Expected::At(&version), &body)
        );
        let [erased, again] = [erased, again].map(|erased| erased.expect("it is reliable"));
        let swapped = swapped.expect("it is reliable");
        if erased == Erased::Kept {
            return;
        }
        let wins = [
            erased == Erased::Gone,
            again == Erased::Gone,
            swapped != Swapped::Conflict,
        ];
        let won = wins.iter().filter(|won| **won).count();
        assert_eq!(won, 1, "round {round}: {erased:?}, {again:?}, {swapped:?}");
        version = match swapped {
            Swapped::Committed(version) => {
                assert_eq!(read(&handle, &key).await, stored(&version, &body));
                version
            }
            Swapped::Conflict => {
                assert_eq!(read(&handle, &key).await, None);
                create(&handle, &key, b"again").await
            }
        };
        pace(&handle, 1).await;
    }
}

async fn are_refused(handle: &Handle, key: &Key, old: &[Version]) {
    for version in old {
        let late = swap(handle, key, Expected::At(version), b"late").await;
        assert_eq!(late, Swapped::Conflict, "{version} is of before");
        let late = erase(handle, key, version).await;
        assert_eq!(late, Erased::Conflict, "{version} is of before");
    }
}
