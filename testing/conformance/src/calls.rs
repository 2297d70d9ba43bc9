//! Calls of a backend as tests make them: retried until they have an outcome, in a stated time.
//!
//! A machine that is busy may need several calls for what one does on an idle machine.

use std::time::Duration;

use futures::StreamExt;
use incumbent_backend::{
    Backend, Expected, Failure, Key, Stored, Swapped, Unread, Version, WatchStream,
};
use tokio::time::timeout;

/// Everything that a test waits for must come within this time.
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

/// What is there.
///
/// # Panics
///
/// If it is damaged, or not read in time.
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

/// A swap that is repeated until its outcome is known. No other process may write the same body
/// meanwhile.
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

/// Takes hints until one of them leads to this body.
///
/// # Panics
///
/// If none does in time.
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
