//! Calls of a backend for tests: retried until they have an outcome, within a time limit.
//!
//! A busy machine may need several calls where an idle machine needs one.

use std::time::Duration;

use futures::StreamExt;
use incumbent_backend::{
    Backend, Expected, Failure, Key, Stored, Swapped, Unread, Version, WatchStream,
};
use tokio::time::timeout;

/// The time limit for everything that a test waits for.
pub const IN_TIME: Duration = Duration::from_secs(60);

/// A key of the group `demo`.
///
/// # Panics
///
/// If no key has this item.
pub fn key(item: &str) -> Key {
    let group = "demo".parse().expect("it is a name");
    Key::of_item(group, item).expect("it is an item")
}

/// Reads a key.
///
/// # Panics
///
/// If the key is damaged, or not read in time.
pub async fn read(backend: &impl Backend, key: &Key) -> Option<Stored> {
    let found = async {
        loop {
            match backend.read(key).await {
                Ok(found) => return found,
                Err(Unread::Unavailable(_)) => {}
                Err(error) => panic!("{error}"),
            }
        }
    };
    timeout(IN_TIME, found).await.expect("it is read in time")
}

/// Creates a key.
///
/// # Panics
///
/// If it exists.
pub async fn create(backend: &impl Backend, key: &Key, body: &[u8]) -> Version {
    match settled(backend, key, Expected::Absent, body).await {
        Swapped::Committed(version) => version,
        Swapped::Conflict => panic!("{key} exists already"),
    }
}

/// Replaces a body.
pub async fn swap(backend: &impl Backend, key: &Key, at: &Version, body: &[u8]) -> Swapped {
    settled(backend, key, Expected::At(at), body).await
}

/// Repeats a swap until its outcome is known. No other process may write the same body in the
/// meantime.
async fn settled(
    backend: &impl Backend,
    key: &Key,
    expected: Expected<'_>,
    body: &[u8],
) -> Swapped {
    let mut doubt = false;
    let swapped = async {
        loop {
            match backend.swap(key, expected, body).await {
                Ok(Swapped::Conflict) if doubt => match read(backend, key).await {
                    Some(found) if found.body == body => return Swapped::Committed(found.version),
                    _ => return Swapped::Conflict,
                },
                Ok(swapped) => return swapped,
                Err(Failure::NotApplied(_)) => {}
                Err(Failure::Unknown(_)) => doubt = true,
                Err(error) => panic!("{error}"),
            }
        }
    };
    timeout(IN_TIME, swapped)
        .await
        .expect("it is settled in time")
}

/// Takes hints until a read after one of them returns this body.
///
/// # Panics
///
/// If that does not happen in time.
pub async fn leads_to(hints: &mut WatchStream, backend: &impl Backend, key: &Key, body: &[u8]) {
    let led = async {
        loop {
            hints.next().await.expect("it never ends");
            let found = backend.read(key).await;
            if found.is_ok_and(|found| found.is_some_and(|found| found.body == body)) {
                return;
            }
        }
    };
    timeout(IN_TIME, led).await.expect("a hint leads to it");
}
