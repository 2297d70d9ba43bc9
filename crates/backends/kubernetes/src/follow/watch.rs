//! Hints: one watch for all groups, however many listen.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use futures::future::join_all;
use futures::{StreamExt, stream};
use incumbent_backend::{GroupName, Hint, Key, Version, WatchStream};
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;
use tokio::task::AbortHandle;
use tokio::time::Instant;

use crate::api::{Metadata, Unlisted, View, Watched};
use crate::error::{KubernetesError, chain};
use crate::follow::events::{Ended, Event, Events};
use crate::follow::pod::POD;
use crate::object::content::resource_of;
use crate::object::resource::Resource;
use crate::object::version::ObjectVersion;
use crate::session::Session;

/// Changes kept for a listener that is slow. If it lags further behind, it is told that anything
/// may have changed.
const KEPT: usize = 1024;

/// Pauses before a watch that broke is begun again: short at first, for a server that restarts;
/// then such that many processes which all lost it do not keep it busy.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Longest pause if the server refuses. Somebody has to change a role first.
const LONGEST_REFUSED: Duration = Duration::from_secs(30);

/// After so much silence a watch is taken to be dead. Servers send a bookmark each minute or so.
pub(crate) const SILENCE: Duration = Duration::from_secs(150);

/// A watch that lasted so long was good: what follows is not a failure in a row.
const GOOD: Duration = Duration::from_secs(5);

/// What happened, as far as it is known.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    Anything,
    Of {
        key: Key,
        /// None if it was deleted.
        version: Option<Version>,
        /// What a root says about the leader's pod.
        pod: Option<Arc<str>>,
    },
}

/// Who listens.
#[derive(Default)]
pub(crate) struct Watches {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    groups: HashMap<GroupName, broadcast::Sender<Change>>,
    /// The task that watches, as long as anybody listens.
    task: Option<AbortHandle>,
}

/// Changes of one group, from when it was made. The watch ends with the last one.
pub(crate) struct Listener {
    group: GroupName,
    watches: Arc<Watches>,
    /// None only while it is dropped.
    changes: Option<broadcast::Receiver<Change>>,
}

impl Watches {
    pub(crate) fn hints(
        watches: &Arc<Self>,
        session: &Arc<Session>,
        group: &GroupName,
    ) -> WatchStream {
        let listener = Self::listen(watches, session, group);
        let hints = stream::unfold(listener, |mut listener| async {
            let hint = match listener.next().await {
                Change::Anything => Hint::anything(),
                Change::Of { key, version, .. } => Hint {
                    key: Some(key),
                    version,
                },
            };
            Some((hint, listener))
        });
        hints.boxed()
    }

    pub(crate) fn listen(
        watches: &Arc<Self>,
        session: &Arc<Session>,
        group: &GroupName,
    ) -> Listener {
        let mut state = watches.state();
        let sender = state.groups.entry(group.clone());
        let changes = sender
            .or_insert_with(|| broadcast::channel(KEPT).0)
            .subscribe();
        if state.task.is_none() {
            let (watches, session) = (Arc::clone(watches), Arc::clone(session));
            let follow = async move {
                let all = session.resources().iter();
                join_all(all.map(|resource| Watcher::new(&session, &watches, resource).run()))
                    .await;
            };
            state.task = Some(tokio::spawn(follow).abort_handle());
        }
        drop(state);
        Listener {
            group: group.clone(),
            watches: Arc::clone(watches),
            changes: Some(changes),
        }
    }

    fn tell_all(&self) {
        for sender in self.state().groups.values() {
            // Nobody may listen just now.
            let _ = sender.send(Change::Anything);
        }
    }

    fn tell(&self, change: Change) {
        let Change::Of { key, .. } = &change else {
            return self.tell_all();
        };
        if let Some(sender) = self.state().groups.get(key.group()) {
            let _ = sender.send(change);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Listener {
    /// The next change; it never ends.
    pub(crate) async fn next(&mut self) -> Change {
        let changes = self.changes.as_mut().expect("it is not dropped");
        match changes.recv().await {
            Ok(change) => change,
            Err(RecvError::Lagged(_)) => Change::Anything,
            // The sender is there as long as somebody listens.
            Err(RecvError::Closed) => std::future::pending().await,
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let mut state = self.watches.state();
        self.changes = None;
        let alone = state
            .groups
            .get(&self.group)
            .is_some_and(|sender| sender.receiver_count() == 0);
        if alone {
            state.groups.remove(&self.group);
        }
        if state.groups.is_empty()
            && let Some(task) = state.task.take()
        {
            task.abort();
        }
    }
}

/// Watches one kind of objects.
struct Watcher<'a> {
    session: &'a Session,
    watches: &'a Watches,
    resource: &'static Resource,
    selector: String,
    /// Up to where all is known; none if it has to be asked.
    from: Option<String>,
}

/// Why a watch is to be begun again.
enum Again {
    /// It ended in order, or was good for long enough.
    Good,
    Broken(Option<Duration>),
    Refused(KubernetesError),
}

impl<'a> Watcher<'a> {
    fn new(session: &'a Session, watches: &'a Watches, resource: &'static Resource) -> Self {
        Self {
            session,
            watches,
            resource,
            selector: session.cluster.selector(None),
            from: None,
        }
    }

    async fn run(mut self) {
        let mut pauses = pauses(LONGEST_PAUSE);
        let mut slow_pauses = self::pauses(LONGEST_REFUSED);
        let mut said = false;
        loop {
            let pause = match self.follow().await {
                Again::Good => {
                    (pauses, slow_pauses) =
                        (self::pauses(LONGEST_PAUSE), self::pauses(LONGEST_REFUSED));
                    said = false;
                    continue;
                }
                Again::Broken(wait) => pauses.next().max(wait),
                Again::Refused(error) => {
                    if !said {
                        let error = chain(&error);
                        tracing::warn!(%error, "changes are not watched, and so noticed late; it is tried again");
                        said = true;
                    }
                    slow_pauses.next()
                }
            };
            tokio::time::sleep(pause.unwrap_or(LONGEST_PAUSE)).await;
        }
    }

    /// Watches, once, until that ends.
    async fn follow(&mut self) -> Again {
        let (api, resource) = (&self.session.api, self.resource);
        let from = match self.from.take() {
            Some(from) => from,
            None => match api.revision(resource, &self.selector).await {
                Ok(from) => from,
                Err(unlisted) => return again(unlisted),
            },
        };
        let of = Watched::Selected(&self.selector);
        let mut events = match api.watch(resource, of, &from, View::Metadata).await {
            Ok(chunks) => Events::new(chunks),
            Err(Unlisted::Expired) => return Again::Broken(None),
            Err(unlisted) => {
                // From there it can still go on.
                self.from = Some(from);
                return again(unlisted);
            }
        };
        self.from = Some(from);
        // What happened before, nobody told.
        self.watches.tell_all();
        let begun = Instant::now();
        let ended = self.take(&mut events).await;
        tracing::debug!(resource = resource.plural, ?ended, "the watch ended");
        match ended {
            _ if begun.elapsed() >= GOOD => Again::Good,
            Ended::InOrder | Ended::Broken(_) => Again::Broken(None),
        }
    }

    /// Takes events until there are no more.
    async fn take(&mut self, events: &mut Events) -> Ended {
        loop {
            let event = match tokio::time::timeout(SILENCE, events.next::<Metadata>()).await {
                Ok(Ok(event)) => event,
                Ok(Err(ended)) => return ended,
                Err(_) => return Ended::Broken(format!("nothing was heard for {SILENCE:?}")),
            };
            match event {
                Event::Applied(object) => self.tell(object, true),
                Event::Deleted(object) => self.tell(object, false),
                Event::Bookmark(object) => self.note(&object),
                Event::Expired => {
                    self.from = None;
                    return Ended::Broken("what it would go on from is forgotten".into());
                }
                Event::Failed(why) => return Ended::Broken(why),
            }
        }
    }

    fn tell(&mut self, object: Metadata, exists: bool) {
        self.note(&object);
        let Some(key) = self.session.cluster.key_of(&object.metadata) else {
            return;
        };
        if resource_of(&key, self.session.root) != self.resource {
            return;
        }
        let version = ObjectVersion::of(&object.metadata).filter(|_| exists);
        let mut annotations = object.metadata.annotations.unwrap_or_default();
        let pod = annotations.remove(POD).filter(|_| exists && key.is_root());
        self.watches.tell(Change::Of {
            key,
            version: version.map(|version| version.version()),
            pod: pod.map(Arc::from),
        });
    }

    /// Up to here all is known.
    fn note(&mut self, object: &Metadata) {
        if let Some(version) = &object.metadata.resource_version {
            self.from = Some(version.clone());
        }
    }
}

fn again(unlisted: Unlisted) -> Again {
    match unlisted {
        Unlisted::Expired => Again::Broken(None),
        Unlisted::Failed {
            error: error @ KubernetesError::Refused { .. },
            wait: None,
        } => Again::Refused(error),
        Unlisted::Failed { wait, .. } => Again::Broken(wait),
    }
}

/// Ever longer pauses, each drawn at random, so that many processes do not come at once.
pub(crate) fn pauses(longest: Duration) -> impl Iterator<Item = Duration> {
    let pauses = ExponentialBuilder::new()
        .with_min_delay(FIRST_PAUSE)
        .with_max_delay(longest)
        .without_max_times()
        .build();
    pauses.map(|pause| pause.mul_f64(rand::random_range(0.5..1.0)))
}
