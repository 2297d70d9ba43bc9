//! Distributes the hints of one watch to many listeners.
//!
//! ```text
//!                 ┌─ Listener of group a
//! feed ──tell──►  Hints  ─┼─ Listener of group a
//! (one task)      └─ Listener of group b
//! ```
//!
//! The first listener starts the feed, and dropping the last one ends it. So a watch costs nothing
//! while there are no listeners. A slow listener loses hints, and then gets one that means that
//! anything may have changed. It never holds up the feed or other listeners.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::StreamExt;
use futures::stream;
use incumbent_core::GroupName;
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;
use tokio::task::AbortHandle;

use crate::{Hint, WatchStream};

/// Hints kept for a slow listener.
const KEPT: usize = 1024;

/// Passes hints to all listeners of their group.
///
/// `H` is [`Hint`], or a backend's own type with more details. Its default value must mean that
/// anything may have changed: a listener gets it in place of the hints that it lost.
pub struct Hints<H = Hint> {
    feeds: Feeds,
    state: Mutex<State<H>>,
}

/// How many feeds there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Feeds {
    /// One feed for all groups together.
    One,
    /// One feed for each group that has listeners.
    EachGroup,
}

struct State<H> {
    groups: HashMap<GroupName, Group<H>>,
    /// The feed of all groups together.
    feed: Option<AbortHandle>,
}

struct Group<H> {
    sender: broadcast::Sender<H>,
    /// The feed of this group alone.
    feed: Option<AbortHandle>,
}

/// Hints about one group, from the moment it was created. It never ends.
pub struct Listener<H: Clone + Default + Send + 'static = Hint> {
    group: GroupName,
    hints: Arc<Hints<H>>,
    /// `None` only during drop.
    receiver: Option<broadcast::Receiver<H>>,
}

impl<H: Clone + Default + Send + 'static> Hints<H> {
    /// Makes a value without listeners.
    pub fn new(feeds: Feeds) -> Arc<Self> {
        let state = Mutex::new(State {
            groups: HashMap::new(),
            feed: None,
        });
        Arc::new(Self { feeds, state })
    }

    /// Listens to a group.
    ///
    /// If nothing feeds the group (or all groups, with [`Feeds::One`]), this calls `start` after
    /// the listener is in place. `start` starts the task that [tells](Self::tell) hints, and
    /// returns the task's handle, or `None` if hints come without a task. It must not use these
    /// `Hints` itself. If a task ended, for example with its runtime, the next listener starts it
    /// again.
    pub fn listen(
        self: &Arc<Self>,
        group: &GroupName,
        start: impl FnOnce() -> Option<AbortHandle>,
    ) -> Listener<H> {
        let mut state = self.state();
        let State { groups, feed } = &mut *state;
        let of_group = groups.entry(group.clone()).or_insert_with(|| Group {
            sender: broadcast::Sender::new(KEPT),
            feed: None,
        });
        let receiver = of_group.sender.subscribe();
        let feed = match self.feeds {
            Feeds::One => feed,
            Feeds::EachGroup => &mut of_group.feed,
        };
        if feed.as_ref().is_none_or(AbortHandle::is_finished) {
            *feed = start();
        }
        drop(state);
        Listener {
            group: group.clone(),
            hints: Arc::clone(self),
            receiver: Some(receiver),
        }
    }

    /// Gives a hint to the listeners of a group, if there are any. Never blocks.
    pub fn tell(&self, group: &GroupName, hint: H) {
        if let Some(group) = self.state().groups.get(group) {
            // The send fails if there is no listener, which is fine.
            let _ = group.sender.send(hint);
        }
    }

    /// Tells all listeners that anything may have changed.
    pub fn tell_all(&self) {
        for group in self.state().groups.values() {
            let _ = group.sender.send(H::default());
        }
    }

    fn state(&self) -> MutexGuard<'_, State<H>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<H: Clone + Default + Send + 'static> Listener<H> {
    /// Waits for the next hint.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses no hint.
    pub async fn next(&mut self) -> H {
        let receiver = self.receiver.as_mut().expect("it is not dropped");
        match receiver.recv().await {
            Ok(hint) => hint,
            Err(RecvError::Lagged(_)) => H::default(),
            // The sender is kept as long as a listener exists.
            Err(RecvError::Closed) => std::future::pending().await,
        }
    }
}

impl Listener<Hint> {
    /// Converts it to the stream that [`Backend::watch`](crate::Backend::watch) returns.
    pub fn into_stream(self) -> WatchStream {
        let next = async |mut listener: Self| Some((listener.next().await, listener));
        stream::unfold(self, next).boxed()
    }
}

impl<H: Clone + Default + Send + 'static> Drop for Listener<H> {
    fn drop(&mut self) {
        let mut state = self.hints.state();
        self.receiver = None;
        let alone = state
            .groups
            .get(&self.group)
            .is_some_and(|group| group.sender.receiver_count() == 0);
        let ended = if alone {
            state.groups.remove(&self.group)
        } else {
            None
        };
        let mut feeds = vec![ended.and_then(|group| group.feed)];
        if state.groups.is_empty() {
            feeds.push(state.feed.take());
        }
        drop(state);
        for feed in feeds.into_iter().flatten() {
            feed.abort();
        }
    }
}

impl<H> fmt::Debug for Hints<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hints")
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures::FutureExt;

    use super::*;

    fn group(name: &str) -> GroupName {
        name.parse().unwrap()
    }

    /// Hints that are numbers; 0 means that anything may have changed.
    fn hints(feeds: Feeds) -> Arc<Hints<u32>> {
        Hints::new(feeds)
    }

    fn unfed() -> Option<AbortHandle> {
        None
    }

    fn heard(listener: &mut Listener<u32>) -> Vec<u32> {
        std::iter::from_fn(|| listener.next().now_or_never()).collect()
    }

    #[test]
    fn a_listener_hears_its_group_from_when_it_began() {
        let hints = hints(Feeds::One);
        hints.tell(&group("a"), 1);
        let mut first = hints.listen(&group("a"), unfed);
        hints.tell(&group("a"), 2);
        let mut second = hints.listen(&group("a"), unfed);
        let mut other = hints.listen(&group("b"), unfed);
        hints.tell(&group("a"), 3);
        hints.tell_all();
        assert_eq!(heard(&mut first), [2, 3, 0]);
        assert_eq!(heard(&mut second), [3, 0]);
        assert_eq!(heard(&mut other), [0]);
    }

    #[test]
    fn a_slow_listener_is_told_that_anything_may_have_changed_and_hears_the_newest() {
        let hints = hints(Feeds::One);
        let mut slow = hints.listen(&group("a"), unfed);
        let last = KEPT as u32 + 500;
        for n in 1..=last {
            hints.tell(&group("a"), n);
        }
        let heard = heard(&mut slow);
        assert_eq!(heard.len(), KEPT + 1);
        assert_eq!((heard.first(), heard.last()), (Some(&0), Some(&last)));
    }

    struct Counted(Arc<AtomicUsize>);

    impl Drop for Counted {
        fn drop(&mut self) {
            self.0.fetch_sub(1, Ordering::SeqCst);
        }
    }

    /// A feed that runs forever, and counts how many run.
    fn feed(running: &Arc<AtomicUsize>) -> Option<AbortHandle> {
        running.fetch_add(1, Ordering::SeqCst);
        let counted = Counted(Arc::clone(running));
        let task = tokio::spawn(async move {
            let _counted = counted;
            std::future::pending::<()>().await;
        });
        Some(task.abort_handle())
    }

    async fn settled(running: &AtomicUsize) -> usize {
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        running.load(Ordering::SeqCst)
    }

    #[tokio::test]
    async fn one_feed_serves_all_groups_and_ends_with_the_last_listener() {
        let (hints, running) = (hints(Feeds::One), Arc::default());
        let a = hints.listen(&group("a"), || feed(&running));
        let also_a = hints.listen(&group("a"), || feed(&running));
        let b = hints.listen(&group("b"), || feed(&running));
        assert_eq!(settled(&running).await, 1);
        drop((a, also_a));
        assert_eq!(settled(&running).await, 1);
        drop(b);
        assert_eq!(settled(&running).await, 0);
        let again = hints.listen(&group("b"), || feed(&running));
        assert_eq!(settled(&running).await, 1);
        drop(again);
    }

    #[tokio::test]
    async fn each_group_may_have_a_feed_of_its_own() {
        let (hints, running) = (hints(Feeds::EachGroup), Arc::default());
        let a = hints.listen(&group("a"), || feed(&running));
        let also_a = hints.listen(&group("a"), || feed(&running));
        let b = hints.listen(&group("b"), || feed(&running));
        assert_eq!(settled(&running).await, 2);
        drop(a);
        drop(b);
        assert_eq!(settled(&running).await, 1);
        drop(also_a);
        assert_eq!(settled(&running).await, 0);
    }

    #[test]
    fn a_feed_that_went_with_its_runtime_is_started_again() {
        let runtime = || {
            tokio::runtime::Builder::new_current_thread()
                .build()
                .unwrap()
        };
        let (hints, running) = (hints(Feeds::One), Arc::default());
        let first = runtime();
        let kept = first.block_on(async { hints.listen(&group("a"), || feed(&running)) });
        drop(first);
        assert_eq!(running.load(Ordering::SeqCst), 0);
        let second = runtime();
        let more = second.block_on(async { hints.listen(&group("a"), || feed(&running)) });
        assert_eq!(running.load(Ordering::SeqCst), 1);
        drop((kept, more));
    }
}
