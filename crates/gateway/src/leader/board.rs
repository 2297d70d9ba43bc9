//! Who leads, as all requests see it: [`Board`], and the task that follows the observer.

use std::sync::{Arc, Mutex, PoisonError, RwLock, Weak};
use std::time::Duration;

use futures::StreamExt as _;
use futures::stream::{self, BoxStream};
use incumbent::{EndpointName, Group, Leader, Observer, Seal, View};
use tokio::sync::Notify;
use tokio::sync::futures::Notified;
use tokio::time::Instant;

use super::dial::Connector;
use super::target::{State, Target};
use crate::decide::endpoint::{self, Upstream};
use crate::decide::route::{self, Sight};

/// How soon a leader that took no connection is tried again, doubled up to the second. Often, since
/// it may be just starting.
const FIRST_TRY: Duration = Duration::from_millis(20);
const LAST_TRY: Duration = Duration::from_millis(250);
/// How often idle connections are looked through.
const TIDY: Duration = Duration::from_secs(5);

/// Who leads. Requests that wait are woken in the order in which they began to.
#[derive(Default)]
pub(crate) struct Board {
    seen: RwLock<Seen>,
    changed: Notify,
    denied: Mutex<Option<Denied>>,
    /// Where the views come from, if that can say why there is none.
    observer: Option<Observer>,
}

/// A leader that says that it does not lead.
#[derive(Clone, Copy)]
struct Denied {
    seal: Seal,
    /// How often in a row.
    times: u32,
    last: Instant,
}

#[derive(Clone, Default)]
enum Seen {
    #[default]
    Nobody,
    Unpublished(Seal),
    Leader(Arc<Target>),
}

/// What is published under which names, and how it is read.
pub(crate) struct Looked {
    pub(crate) endpoints: Vec<EndpointName>,
    pub(crate) tls: bool,
}

impl Board {
    /// A board for the views of this observer.
    pub(crate) fn of(observer: Observer) -> Self {
        Self {
            observer: Some(observer),
            ..Self::default()
        }
    }

    fn is_unreadable(&self) -> bool {
        let reason = self.observer.as_ref().and_then(Observer::unreadable);
        reason.is_some()
    }

    /// What a request can do now, and whom it can ask.
    pub(crate) fn look(&self) -> (Sight, Option<Arc<Target>>) {
        match &*self.seen.read().unwrap_or_else(PoisonError::into_inner) {
            Seen::Nobody if self.is_unreadable() => (Sight::Unreadable, None),
            Seen::Nobody => (Sight::Nobody, None),
            Seen::Unpublished(seal) => (Sight::Unpublished(*seal), None),
            Seen::Leader(target) => match target.state() {
                State::Ready => (Sight::Ready(target.seal), Some(Arc::clone(target))),
                State::Away => (Sight::Away(target.seal), None),
                State::Over => (Sight::Over(target.seal), None),
            },
        }
    }

    /// Whether somebody else than the leader of this term leads already.
    pub(crate) fn is_overtaken(&self, seal: Seal) -> bool {
        match &*self.seen.read().unwrap_or_else(PoisonError::into_inner) {
            Seen::Nobody | Seen::Unpublished(_) => false,
            Seen::Leader(target) => target.seal != seal,
        }
    }

    /// Waits until somebody else than the leader of this term leads.
    pub(crate) async fn overtaken(&self, seal: Seal) {
        loop {
            let mut changed = std::pin::pin!(self.changed());
            changed.as_mut().enable();
            if self.is_overtaken(seal) {
                return;
            }
            changed.await;
        }
    }

    /// The next change.
    pub(crate) fn changed(&self) -> Notified<'_> {
        self.changed.notified()
    }

    /// Notes that the leader of this term said that its term is over: nobody asks it for the time
    /// being.
    pub(crate) fn mark_over(self: &Arc<Self>, target: &Arc<Target>) {
        if !target.mark_over() {
            return;
        }
        let (board, later) = (Arc::downgrade(self), Arc::downgrade(target));
        let pause = self.denies(target.seal);
        tokio::spawn(async move {
            tokio::time::sleep(pause).await;
            if let (Some(board), Some(target)) = (board.upgrade(), later.upgrade()) {
                target.mark_ready();
                board.changed.notify_waiters();
            }
        });
        tracing::info!(epoch = %target.seal.epoch, "the leader says that it does not lead; waiting for another leader, and asking this one again later");
        self.changed.notify_waiters();
    }

    /// Counts that the leader of this term said that it does not lead, and tells how long to leave
    /// it alone.
    fn denies(&self, seal: Seal) -> Duration {
        let now = Instant::now();
        let mut denied = self.denied.lock().unwrap_or_else(PoisonError::into_inner);
        // What it said long ago was about something else.
        let before = denied.filter(|denied| {
            denied.seal == seal && now.duration_since(denied.last) < 2 * route::LAST_ASKED_AGAIN
        });
        let times = before.map_or(0, |denied| denied.times);
        *denied = Some(Denied {
            seal,
            times: times.saturating_add(1),
            last: now,
        });
        route::asked_again(times)
    }

    /// Notes that the leader took no connection, and keeps trying in the background.
    pub(crate) fn mark_away(
        self: &Arc<Self>,
        target: &Arc<Target>,
        connector: &Connector,
        http2: bool,
    ) {
        if !target.mark_away() {
            return;
        }
        tracing::info!(epoch = %target.seal.epoch, "cannot connect to the leader; holding requests and retrying");
        let (board, target) = (Arc::downgrade(self), Arc::downgrade(target));
        tokio::spawn(try_on(board, target, connector.clone(), http2));
    }

    fn tell(&self, view: &View, looked: &Looked) {
        let seen = match view {
            View::None | View::Activating(_) => Seen::Nobody,
            View::Active(leader) => match addresses(leader, looked) {
                None => Seen::Unpublished(seal(leader)),
                Some(addresses) => Seen::Leader(Arc::new(Target::new(seal(leader), addresses))),
            },
        };
        *self.seen.write().unwrap_or_else(PoisonError::into_inner) = seen;
        self.changed.notify_waiters();
    }

    fn tidy(&self) {
        let seen = self.seen.read().unwrap_or_else(PoisonError::into_inner);
        if let Seen::Leader(target) = &*seen {
            target.tidy();
        }
    }
}

/// What an observer of a group sees. Never ends.
pub(crate) fn observed(group: &Group) -> BoxStream<'static, View> {
    let views = stream::unfold(group.observe(), async |mut observer| {
        Some((observer.next().await, observer))
    });
    views.boxed()
}

/// Follows the views until it is dropped. When they end, nobody leads.
pub(crate) async fn follow(board: Arc<Board>, mut views: BoxStream<'static, View>, looked: Looked) {
    // The same leader as before: its connections go on, whatever was unclear in between.
    let mut last: Option<Arc<Target>> = None;
    let mut tidy = tokio::time::interval(TIDY);
    let mut has_ended = false;
    loop {
        let view = tokio::select! {
            // A stream that has ended must not be asked again.
            view = views.next(), if !has_ended => view.unwrap_or_else(|| {
                has_ended = true;
                tracing::warn!("the views of the leader have ended; no leader is known from now on");
                View::None
            }),
            _ = tidy.tick() => {
                board.tidy();
                continue;
            }
        };
        let same = view.active().and_then(|leader| {
            let last = last.as_ref().filter(|last| last.seal == seal(leader))?;
            (addresses(leader, &looked)? == last.addresses).then(|| Arc::clone(last))
        });
        match same {
            Some(target) => {
                *board.seen.write().unwrap_or_else(PoisonError::into_inner) = Seen::Leader(target);
                board.changed.notify_waiters();
            }
            None => board.tell(&view, &looked),
        }
        if let Seen::Leader(target) = &*board.seen.read().unwrap_or_else(PoisonError::into_inner) {
            last = Some(Arc::clone(target));
        }
        tracing::debug!(?view, "the view of the leader changed");
    }
}

/// Tries a leader that took no connection until it does, or does not matter any more.
async fn try_on(board: Weak<Board>, target: Weak<Target>, connector: Connector, http2: bool) {
    let mut pause = FIRST_TRY;
    loop {
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LAST_TRY);
        let (Some(board), Some(target)) = (board.upgrade(), target.upgrade()) else {
            return;
        };
        let is_done = target.state() != State::Away || board.is_overtaken(target.seal);
        if is_done {
            return;
        }
        if target.try_once(&connector, http2).await.is_ok() {
            tracing::info!(epoch = %target.seal.epoch, "can connect to the leader again; sending what was held");
            target.mark_back();
            board.changed.notify_waiters();
            return;
        }
    }
}

fn seal(leader: &Leader) -> Seal {
    Seal {
        epoch: leader.epoch,
        nonce: leader.nonce,
    }
}

/// All addresses of the endpoints that are looked for and published, in the order wanted.
fn addresses(leader: &Leader, looked: &Looked) -> Option<Vec<Upstream>> {
    let mut found = Vec::new();
    for name in &looked.endpoints {
        let Some(published) = leader.endpoints.get(name) else {
            continue;
        };
        match endpoint::read(published, looked.tls) {
            Ok(addresses) => found.extend(addresses),
            Err(error) => {
                tracing::warn!(endpoint = %name, epoch = %leader.epoch, %error, "cannot use the endpoint that the leader publishes; ignoring it");
            }
        }
    }
    found.truncate(endpoint::MOST_ADDRESSES);
    (!found.is_empty()).then_some(found)
}
