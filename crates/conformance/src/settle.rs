//! How a swap of unknown outcome is settled: by repeating the same swap, and reading back.

use incumbent_backend::{Expected, Failure, GroupName, Key, Listed, Stored, Swapped, Unread};

use crate::Handle;

/// Attempts at one call. Far more than any dice here need, and a clear end if a backend is not there at all.
const ATTEMPTS: usize = 500;

/// Reads until there is an answer.
pub(crate) async fn read(handle: &Handle, key: &Key) -> Option<Stored> {
    let mut last = None;
    for _ in 0..ATTEMPTS {
        match handle.read(key).await {
            Ok(found) => return found,
            Err(Unread::Unavailable(why)) => last = Some(why),
            Err(damaged) => panic!("{key} is damaged: {damaged:?}"),
        }
    }
    panic!("{key} cannot be read after {ATTEMPTS} attempts: {last:?}");
}

/// Lists until there is an answer.
pub(crate) async fn list(handle: &Handle, group: &GroupName) -> Vec<Listed> {
    let mut last = None;
    for _ in 0..ATTEMPTS {
        match handle.list(group).await {
            Ok(listed) => return listed,
            Err(Unread::Unavailable(why)) => last = Some(why),
            Err(damaged) => panic!("{group} is damaged: {damaged:?}"),
        }
    }
    panic!("{group} cannot be listed after {ATTEMPTS} attempts: {last:?}");
}

/// Swaps until it is known whether it happened. `has_mine` tells from a newer body whether this write went into it.
///
/// Why that is enough: versions do not repeat. So at most one of all these requests can ever happen, and none any more once
/// the key has another version.
pub(crate) async fn swap(
    handle: &Handle,
    key: &Key,
    expected: Expected<'_>,
    body: &[u8],
    has_mine: impl Fn(&[u8]) -> bool,
) -> bool {
    let mut doubt = false;
    let mut last = None;
    for _ in 0..ATTEMPTS {
        match handle.swap(key, expected, body).await {
            Ok(Swapped::Committed(_)) => return true,
            Ok(Swapped::Conflict) if doubt => {
                return read(handle, key)
                    .await
                    .is_some_and(|found| has_mine(&found.body));
            }
            Ok(Swapped::Conflict) => return false,
            Err(Failure::NotApplied(why)) => last = Some(why),
            Err(Failure::Unknown(why)) => {
                doubt = true;
                last = Some(why);
            }
            Err(other) => panic!("{key} cannot be written: {other:?}"),
        }
    }
    panic!("{key} cannot be written after {ATTEMPTS} attempts: {last:?}");
}
