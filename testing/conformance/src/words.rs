//! The helpers that claims are written with. Each panics, and shows the expected result, if the
//! result is another one.

use incumbent_backend::{Expected, GroupName, Key, Stored, Swapped, Version};

use crate::Handle;

/// A group that no other claim uses.
pub(crate) fn fresh_group() -> GroupName {
    format!("conformance-{:016x}", rand::random::<u64>())
        .parse()
        .expect("it is a name")
}

pub(crate) fn key(group: &GroupName, item: &str) -> Key {
    Key::of_item(group.clone(), item).expect("claims use good names")
}

/// A key of a group that no other claim uses.
pub(crate) fn fresh_key() -> Key {
    key(&fresh_group(), "subject")
}

pub(crate) async fn read(handle: &Handle, key: &Key) -> Option<Stored> {
    handle
        .read(key)
        .await
        .expect("a read on a reliable handle is answered")
}

pub(crate) async fn swap(
    handle: &Handle,
    key: &Key,
    expected: Expected<'_>,
    body: &[u8],
) -> Swapped {
    handle
        .swap(key, expected, body)
        .await
        .expect("a swap on a reliable handle has a known outcome")
}

#[track_caller]
pub(crate) fn committed(swapped: Swapped) -> Version {
    match swapped {
        Swapped::Committed(version) => version,
        Swapped::Conflict => panic!("the key was as expected, yet the swap says conflict"),
    }
}

pub(crate) async fn create(handle: &Handle, key: &Key, body: &[u8]) -> Version {
    committed(swap(handle, key, Expected::Absent, body).await)
}

pub(crate) async fn replace(handle: &Handle, key: &Key, version: &Version, body: &[u8]) -> Version {
    committed(swap(handle, key, Expected::At(version), body).await)
}

/// Waits for the backend's shortest interval between two writes of one key, times the number of
/// writers.
pub(crate) async fn pace(handle: &Handle, writers: u32) {
    let interval = handle.limits().shortest_interval;
    if !interval.is_zero() {
        tokio::time::sleep(interval * writers).await;
    }
}

pub(crate) async fn list(handle: &Handle, group: &GroupName) -> Vec<(String, Version)> {
    let listed = handle
        .list(group)
        .await
        .expect("a list on a reliable handle is answered");
    assert!(
        listed.iter().all(|listed| listed.key.group() == group),
        "a list shows keys of another group: {listed:?}"
    );
    listed
        .into_iter()
        .map(|listed| (listed.key.item().to_owned(), listed.version))
        .collect()
}

pub(crate) fn stored(version: &Version, body: &[u8]) -> Option<Stored> {
    Some(Stored {
        version: version.clone(),
        body: body.to_vec(),
    })
}
