//! A backend that loses requests and answers.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt, stream};
use incumbent_backend::{
    Backend, BoxError, Erased, Expected, Failure, Gone, GroupName, Hint, Key, Limits, Listed,
    Nonce, Presence, Rights, Stored, Swapped, Unread, Version, WatchStream,
};

use crate::dice::{Dice, Fate};
use crate::{Faults, WatchMode};

/// Wraps a backend. Seeded dice decide whether a call happens and whether its answer arrives; see
/// [`Faults`].
///
/// It never breaks the contract: its answers are true, but say less than a caller would like to
/// know. So code that works with the contract must work with this too. Clones share the dice, the
/// faults and the late swaps.
///
/// # What it does not do
///
/// It has no delay of its own beyond [`Faults::delay`]: a late swap happens when a later call of
/// any clone is made, or in [`deliver_late`](Self::deliver_late). If no call comes, it never
/// happens. The same seed gives the same trace only if the calls come in the same order.
pub struct Unreliable<B: ?Sized = dyn Backend> {
    backend: Arc<B>,
    state: Arc<Mutex<State>>,
}

struct State {
    dice: Dice,
    faults: Faults,
    on_its_way: Vec<LateSwap>,
}

/// A swap that was reported as unknown and will still happen.
struct LateSwap {
    calls_left: u32,
    key: Key,
    at: Option<Version>,
    body: Vec<u8>,
}

impl<B: Backend> Unreliable<B> {
    /// Wraps a backend.
    pub fn new(backend: B, seed: u64, faults: Faults) -> Self {
        Self::around(Arc::new(backend), seed, faults)
    }
}

impl<B: Backend + ?Sized> Unreliable<B> {
    /// Wraps a backend that is already shared.
    pub fn around(backend: Arc<B>, seed: u64, faults: Faults) -> Self {
        let state = State {
            dice: Dice::new(seed),
            faults,
            on_its_way: Vec::new(),
        };
        Self {
            backend,
            state: Arc::new(Mutex::new(state)),
        }
    }

    /// Changes the faults, from the next call and the next hint on.
    pub fn set_faults(&self, faults: Faults) {
        self.state().faults = faults;
    }

    /// Stops all faults. Late swaps still happen, after later calls.
    pub fn heal(&self) {
        self.set_faults(Faults::NONE);
    }

    /// Performs all late swaps now.
    pub async fn deliver_late(&self) {
        let all = std::mem::take(&mut self.state().on_its_way);
        self.deliver(all).await;
    }

    /// The wrapped backend.
    pub fn inner(&self) -> &Arc<B> {
        &self.backend
    }

    /// Counts the call, performs the late swaps that are due, throws the dice, and waits for the
    /// delay.
    async fn begin(&self) -> Fate {
        let (due, fate) = self.state().next_call();
        self.deliver(due).await;
        pause(fate.delay_before).await;
        fate
    }

    async fn deliver(&self, swaps: Vec<LateSwap>) {
        for late in swaps {
            // No caller waits for this outcome any more.
            let _ = self
                .backend
                .swap(&late.key, late.expected(), &late.body)
                .await;
        }
    }

    /// A call that only reads.
    async fn ask<T>(
        &self,
        call: impl Future<Output = Result<T, Unread>> + Send,
    ) -> Result<T, Unread> {
        let fate = self.begin().await;
        let answer = if fate.happens { Some(call.await) } else { None };
        pause(fate.delay_after).await;
        match answer {
            Some(answer) if fate.heard => answer,
            _ => Err(Unread::Unavailable(lost(fate))),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl<B: Backend + ?Sized> Backend for Unreliable<B> {
    fn limits(&self) -> Limits {
        self.backend.limits()
    }

    async fn read(&self, key: &Key) -> Result<Option<Stored>, Unread> {
        self.ask(self.backend.read(key)).await
    }

    async fn swap(
        &self,
        key: &Key,
        expected: Expected<'_>,
        body: &[u8],
    ) -> Result<Swapped, Failure> {
        let fate = self.begin().await;
        let answer = if fate.happens {
            Some(self.backend.swap(key, expected, body).await)
        } else {
            None
        };
        pause(fate.delay_after).await;
        match (answer, fate.heard) {
            (Some(answer), true) => answer,
            (Some(_), false) => Err(Failure::Unknown(lost(fate))),
            (None, true) => Err(Failure::NotApplied(lost(fate))),
            (None, false) => {
                if let Some(calls_left) = fate.late {
                    let late = LateSwap::new(calls_left, key, expected, body);
                    self.state().on_its_way.push(late);
                }
                Err(Failure::Unknown(lost(fate)))
            }
        }
    }

    async fn erase(&self, key: &Key, version: &Version) -> Result<Erased, Failure> {
        let fate = self.begin().await;
        let answer = if fate.happens {
            Some(self.backend.erase(key, version).await)
        } else {
            None
        };
        pause(fate.delay_after).await;
        match (answer, fate.heard) {
            (Some(answer), true) => answer,
            (None, true) => Err(Failure::NotApplied(lost(fate))),
            // An erasure whose answer is lost happens now or never. A late erasure would add
            // nothing to a late swap at the same version.
            (_, false) => Err(Failure::Unknown(lost(fate))),
        }
    }

    async fn groups(&self) -> Result<Vec<GroupName>, Unread> {
        self.ask(self.backend.groups()).await
    }

    async fn check_rights(&self, group: &GroupName) -> Result<Rights, Unread> {
        self.ask(self.backend.check_rights(group)).await
    }

    async fn list(&self, group: &GroupName) -> Result<Vec<Listed>, Unread> {
        self.ask(self.backend.list(group)).await
    }

    fn watch(&self, group: &GroupName) -> WatchStream {
        let hints = self.backend.watch(group);
        let state = Arc::clone(&self.state);
        stream::unfold((hints, state), |(mut hints, state)| async {
            let hint = next_hint(&mut hints, &state).await?;
            Some((hint, (hints, state)))
        })
        .boxed()
    }

    fn appear(&self, group: &GroupName, nonce: Nonce) -> Option<Presence> {
        self.backend.appear(group, nonce)
    }

    fn vanished(&self, group: &GroupName, nonce: Nonce) -> BoxFuture<'static, Gone> {
        self.backend.vanished(group, nonce)
    }
}

impl<B: ?Sized> Clone for Unreliable<B> {
    fn clone(&self) -> Self {
        Self {
            backend: Arc::clone(&self.backend),
            state: Arc::clone(&self.state),
        }
    }
}

impl State {
    fn next_call(&mut self) -> (Vec<LateSwap>, Fate) {
        for late in &mut self.on_its_way {
            late.calls_left -= 1;
        }
        let due = self
            .on_its_way
            .extract_if(.., |late| late.calls_left == 0)
            .collect();
        (due, self.dice.throw(&self.faults))
    }
}

impl LateSwap {
    fn new(calls_left: u32, key: &Key, expected: Expected<'_>, body: &[u8]) -> Self {
        let at = match expected {
            Expected::Absent => None,
            Expected::At(version) => Some(version.clone()),
        };
        Self {
            calls_left,
            key: key.clone(),
            at,
            body: body.to_vec(),
        }
    }

    fn expected(&self) -> Expected<'_> {
        self.at.as_ref().map_or(Expected::Absent, Expected::At)
    }
}

async fn next_hint(hints: &mut WatchStream, state: &Mutex<State>) -> Option<Hint> {
    loop {
        let hint = hints.next().await?;
        let lag = {
            let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
            match state.faults.watch {
                WatchMode::Prompt => return Some(hint),
                WatchMode::Silent => continue,
                WatchMode::Lagging(longest) => state.dice.part_of(longest),
            }
        };
        pause(lag).await;
        let mut came_meanwhile = false;
        while let Some(Some(_)) = hints.next().now_or_never() {
            came_meanwhile = true;
        }
        return Some(if came_meanwhile {
            Hint::anything()
        } else {
            hint
        });
    }
}

async fn pause(time: Duration) {
    if !time.is_zero() {
        tokio::time::sleep(time).await;
    }
}

fn lost(fate: Fate) -> BoxError {
    match fate.happens {
        true => "the answer was lost on purpose".into(),
        false => "the request was lost on purpose".into(),
    }
}
