//! Settles a swap of unknown outcome, by repeating the same swap and reading back.

use std::fmt;
use std::time::Duration;

use incumbent_backend::{
    BoxError, Expected, Failure, GroupName, Key, Listed, Stored, Swapped, Unread,
};
use tokio::time::Instant;

use crate::Handle;

/// The time limit for one call with all its attempts. It is far more than any dice here, or a
/// restarting service, need. If the backend never answers, it makes the test fail clearly.
const BUDGET: Duration = Duration::from_secs(30);

/// The first and the longest pause between attempts. They grow by a quarter each time. If they
/// doubled, a few unlucky throws would already lead to the longest pause.
const FIRST_PAUSE: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_millis(250);

/// Tracks how long one call has been tried, on Tokio's clock. With a paused clock the waiting takes
/// no real time.
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

    /// Waits before the next attempt. Panics if the time limit is over.
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

/// Swaps until it is known whether the swap happened. `has_mine` tells from a newer body whether it
/// contains this write.
///
/// This is enough because versions do not repeat. So at most one of all these requests can ever
/// happen, and none once the key has another version.
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
