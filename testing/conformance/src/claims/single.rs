//! Reads and swaps of one key, one after the other.

use std::collections::HashSet;

use incumbent_backend::{Expected, Swapped};

use crate::Place;
use crate::words::{create, fresh_group, fresh_key, key, pace, read, replace, stored, swap};

/// Consecutive writes when looking for a repeated version. More than a backend is likely to keep in
/// one file or segment.
const MANY: usize = 200;

/// A key that was never written reads as `None`, not as an error.
pub async fn absent_key_reads_as_nothing(place: Place) {
    let handle = place.open().await;
    assert_eq!(read(&handle, &fresh_key()).await, None);
}

/// A create returns the version under which the body is then read.
pub async fn created_body_is_read_back(place: Place) {
    let (handle, key) = (place.open().await, fresh_key());
    let version = create(&handle, &key, b"one").await;
    assert_eq!(read(&handle, &key).await, stored(&version, b"one"));
}

/// A second create does nothing.
pub async fn create_of_an_existing_key_conflicts_and_changes_nothing(place: Place) {
    let (handle, key) = (place.open().await, fresh_key());
    let version = create(&handle, &key, b"one").await;
    assert_eq!(
        swap(&handle, &key, Expected::Absent, b"two").await,
        Swapped::Conflict
    );
    assert_eq!(read(&handle, &key).await, stored(&version, b"one"));
}

/// A replacement returns the version under which the new body is then read.
pub async fn replaced_body_is_read_back(place: Place) {
    let (handle, key) = (place.open().await, fresh_key());
    let first = create(&handle, &key, b"one").await;
    let second = replace(&handle, &key, &first, b"two").await;
    assert_eq!(read(&handle, &key).await, stored(&second, b"two"));
}

/// A swap at an old version conflicts, however old it is.
pub async fn replace_at_a_stale_version_conflicts_and_changes_nothing(place: Place) {
    let (handle, key) = (place.open().await, fresh_key());
    let first = create(&handle, &key, b"one").await;
    let mut latest = replace(&handle, &key, &first, b"two").await;
    for _ in 0..MANY {
        assert_eq!(
            swap(&handle, &key, Expected::At(&first), b"late").await,
            Swapped::Conflict
        );
        assert_eq!(read(&handle, &key).await, stored(&latest, b"two"));
        pace(&handle, 1).await;
        latest = replace(&handle, &key, &latest, b"two").await;
    }
}

/// A swap at a version does not create a key.
pub async fn replace_of_an_absent_key_conflicts_and_creates_nothing(place: Place) {
    let (handle, group) = (place.open().await, fresh_group());
    let (there, absent) = (key(&group, "there"), key(&group, "absent"));
    let version = create(&handle, &there, b"one").await;
    assert_eq!(
        swap(&handle, &absent, Expected::At(&version), b"two").await,
        Swapped::Conflict
    );
    assert_eq!(read(&handle, &absent).await, None);
}

/// Sealing writes back the same body. A process that knew the earlier version must notice.
pub async fn the_same_body_written_again_has_a_new_version(place: Place) {
    let (handle, key) = (place.open().await, fresh_key());
    let first = create(&handle, &key, b"same").await;
    let second = replace(&handle, &key, &first, b"same").await;
    assert_ne!(first, second);
    assert_eq!(
        swap(&handle, &key, Expected::At(&first), b"late").await,
        Swapped::Conflict
    );
}

/// Versions do not repeat even when bodies do.
pub async fn versions_never_repeat(place: Place) {
    let (handle, key) = (place.open().await, fresh_key());
    let mut version = create(&handle, &key, b"even").await;
    let mut seen = HashSet::from([version.clone()]);
    for count in 1..MANY {
        let body: &[u8] = if count % 2 == 0 { b"even" } else { b"odd" };
        pace(&handle, 1).await;
        version = replace(&handle, &key, &version, body).await;
        assert!(
            seen.insert(version.clone()),
            "version {version} came twice, the second time after {count} writes"
        );
    }
}

/// Writing one key changes neither the body nor the version of another.
pub async fn keys_do_not_touch_each_other(place: Place) {
    let (handle, group) = (place.open().await, fresh_group());
    let (a, b) = (key(&group, "a"), key(&group, "b"));
    let of_a = create(&handle, &a, b"a").await;
    let of_b = create(&handle, &b, b"b").await;
    let of_b = replace(&handle, &b, &of_b, b"b2").await;
    assert_eq!(read(&handle, &a).await, stored(&of_a, b"a"));
    let of_a = replace(&handle, &a, &of_a, b"a2").await;
    assert_eq!(read(&handle, &a).await, stored(&of_a, b"a2"));
    assert_eq!(read(&handle, &b).await, stored(&of_b, b"b2"));
}
