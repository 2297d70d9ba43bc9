//! How a swap of unknown outcome is settled: by repeating the same swap, and reading back.

use std::fmt;
use std::time::Duration;

use incumbent_backend::{
    BoxError, Expected, Failure, GroupName, Key, Listed, Stored, Swapped, Unread,
};
use tokio::time::Instant;

use crate::Handle;

/// The time for one call, however often it is tried. Far more than any dice here need, and than a
/// service takes that starts again; and a clear end if a backend is not there at all.
const BUDGET: Duration = Duration::from_secs(30);

/// Pauses between attempts: the first, and the longest, to which they grow by a quarter each.
/// Doubled they would be longest when the dice had bad luck a few times only.
const FIRST_PAUSE: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_millis(250);

/// How long one call is tried. It passes on Tokio's clock, and so costs nothing where that is
/// paused.
struct Patience {
    began: Instant,
    pause: Duration,
}

impl Patience {
    fn begin() -> Self {
        Self {
            began: Instant::now(),
            pause: FIRST_PAUSE,
        }
    }

    /// Waits until it is time to try again. Panics if it is too late for that.
    async fn again(&mut self, done: &str, of: &(impl fmt::Display + Sync), why: &BoxError) {
        let waited = self.began.elapsed();
        assert!(
            waited < BUDGET,
            "{of} was tried for {BUDGET:?} and cannot be {done}: {why:?}"
        );
        tokio::time::sleep(self.pause).await;
        self.pause = (self.pause * 5 / 4).min(LONGEST_PAUSE);
    }
}

/// Reads until there is an answer.
pub(crate) async fn read(handle: &Handle, key: &Key) -> Option<Stored> {
    let mut patience = Patience::begin();
    loop {
        match handle.read(key).await {
            Ok(found) => return found,
            Err(Unread::Unavailable(why)) => {
                patience.again("read", key, &why).await;
            }
            Err(damaged) => panic!("{key} is damaged: {damaged:?}"),
        }
    }
}

/// Lists until there is an answer.
pub(crate) async fn list(handle: &Handle, group: &GroupName) -> Vec<Listed> {
    let mut patience = Patience::begin();
    loop {
        match handle.list(group).await {
            Ok(listed) => return listed,
            Err(Unread::Unavailable(why)) => {
                patience.again("listed", group, &why).await;
            }
            Err(damaged) => panic!("{group} is damaged: {damaged:?}"),
        }
    }
}

/// Swaps until it is known whether it happened. `has_mine` tells from a newer body whether this
/// write went into it.
///
/// Why that is enough: versions do not repeat. So at most one of all these requests can ever
/// happen, and none any more once the key has another version.
pub(crate) async fn swap(
    handle: &Handle,
    key: &Key,
    expected: Expected<'_>,
    body: &[u8],
    has_mine: impl Fn(&[u8]) -> bool,
) -> bool {
    let mut doubt = false;
    let mut patience = Patience::begin();
    loop {
        let why = match handle.swap(key, expected, body).await {
            Ok(Swapped::Committed(_)) => return true,
            Ok(Swapped::Conflict) if doubt => {
                return read(handle, key)
                    .await
                    .is_some_and(|found| has_mine(&found.body));
            }
            Ok(Swapped::Conflict) => return false,
            Err(Failure::NotApplied(why)) => why,
            Err(Failure::Unknown(why)) => {
                doubt = true;
                why
            }
            Err(other) => panic!("{key} cannot be written: {other:?}"),
        };
        patience.again("written", key, &why).await;
    }
}
