//! Hints: one watch for all groups, however many listeners there are.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use futures::{StreamExt, stream};
use incumbent_backend::hints::{Feeds, Hints, Listener};
use incumbent_backend::outage::{News, Outage, Recovery};
use incumbent_backend::{GroupName, Hint, Key, Version, WatchStream, causes, jitter};
use tokio::time::Instant;

use crate::api::list::{Unlisted, Watched};
use crate::api::{Metadata, View};
use crate::error::KubernetesError;
use crate::follow::events::{Ended, Event, Events};
use crate::follow::pauses;
use crate::object::content::resource_of;
use crate::object::names::LEADER_POD;
use crate::object::resource::Resource;
use crate::object::version::ObjectVersion;
use crate::session::Session;

/// A watch that is silent for this long counts as dead. Servers send a bookmark about each minute.
pub(crate) const SILENCE: Duration = Duration::from_secs(150);

/// A change in a group.
#[derive(Clone, Debug, Default)]
pub(crate) enum Change {
    /// Anything may have changed.
    #[default]
    Anything,
    Of {
        key: Key,
        /// `None` if it was deleted.
        version: Option<Version>,
        /// The annotation of a root about the leader's pod.
        pod: Option<Arc<str>>,
    },
}

/// The watch of all groups. It runs while there are listeners.
pub(crate) struct Watches(Arc<Hints<Change>>);

impl Watches {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self(Hints::new(Feeds::One)))
    }

    pub(crate) fn hints(&self, session: &Arc<Session>, group: &GroupName) -> WatchStream {
        let listener = self.listen(session, group);
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

    pub(crate) fn listen(&self, session: &Arc<Session>, group: &GroupName) -> Listener<Change> {
        self.0.listen(group, || {
            let (changes, session) = (Arc::clone(&self.0), Arc::clone(session));
            let watch = async move {
                let all = session.resources().iter();
                let all = all.map(|resource| Watcher::new(&session, &changes, resource).run());
                join_all(all).await;
            };
            Some(tokio::spawn(watch).abort_handle())
        })
    }
}

/// Watches one kind of object.
struct Watcher<'a> {
    session: &'a Session,
    changes: &'a Hints<Change>,
    resource: &'static Resource,
    selector: String,
    /// The revision up to which everything was reported; `None` if it has to be asked for.
    from: Option<String>,
    refusals: Outage,
}

/// How a watch ended.
enum WatchEnd {
    /// It had begun, and lasted this long.
    After(Duration),
    /// It did not begin. The server may ask to wait.
    Failed(Option<Duration>),
    /// The server refused it, and asks for no wait.
    Refused(KubernetesError),
}

impl<'a> Watcher<'a> {
    fn new(session: &'a Session, changes: &'a Hints<Change>, resource: &'static Resource) -> Self {
        Self {
            session,
            changes,
            resource,
            selector: session.cluster.selector(None),
            from: None,
            refusals: Outage::new(),
        }
    }

    async fn run(mut self) {
        let mut pace = pauses::after_break();
        let mut refused_pace = pauses::after_refusal();
        loop {
            let pause = match self.follow().await {
                WatchEnd::After(lasted) => {
                    refused_pace.reset();
                    pace.after_run(lasted, jitter())
                }
                WatchEnd::Failed(wait) => {
                    pace.after_failure(jitter()).max(wait.unwrap_or_default())
                }
                WatchEnd::Refused(error) => {
                    let pause = refused_pace.after_failure(jitter());
                    let error = causes(&error);
                    if self.refusals.failed(&error) == News::Began {
                        tracing::warn!(
                            %error,
                            resource = self.resource.plural,
                            "the watch is refused, so changes are seen only when leases are checked; retrying"
                        );
                    }
                    pause
                }
            };
            tokio::time::sleep(pause).await;
        }
    }

    /// Watches, once, until that ends.
    async fn follow(&mut self) -> WatchEnd {
        let (api, resource) = (&self.session.api, self.resource);
        let from = match self.from.take() {
            Some(from) => from,
            None => match api.revision(resource, &self.selector).await {
                Ok(from) => from,
                Err(unlisted) => return end_of(unlisted),
            },
        };
        let of = Watched::Selected(&self.selector);
        let mut events = match api.watch(resource, of, &from, View::Metadata).await {
            Ok(chunks) => Events::new(chunks),
            Err(Unlisted::Expired) => return WatchEnd::Failed(None),
            Err(unlisted) => {
                // The next one can still continue from there.
                self.from = Some(from);
                return end_of(unlisted);
            }
        };
        self.from = Some(from);
        if let Recovery::Over { .. } = self.refusals.worked() {
            tracing::info!(resource = resource.plural, "the watch is allowed again");
        }
        // Nobody reported what happened before.
        self.changes.tell_all();
        let begun = Instant::now();
        let ended = self.take(&mut events).await;
        tracing::debug!(resource = resource.plural, ?ended, "the watch ended");
        WatchEnd::After(begun.elapsed())
    }

    /// Takes events until there are no more.
    async fn take(&mut self, events: &mut Events) -> Ended {
        loop {
            let event = match tokio::time::timeout(SILENCE, events.next::<Metadata>()).await {
                Ok(Ok(event)) => event,
                Ok(Err(ended)) => return ended,
                Err(_) => {
                    return Ended::Broken(format!("no event and no bookmark came for {SILENCE:?}"));
                }
            };
            match event {
                Event::Applied(object) => self.tell(object, true),
                Event::Deleted(object) => self.tell(object, false),
                Event::Bookmark(object) => self.note(&object),
                Event::Expired => {
                    self.from = None;
                    return Ended::Broken(
                        "the server has dropped the history that it continues from".into(),
                    );
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
        let pod = annotations
            .remove(LEADER_POD)
            .filter(|_| exists && key.is_root());
        let group = key.group().clone();
        let change = Change::Of {
            key,
            version: version.map(|version| version.version()),
            pod: pod.map(Arc::from),
        };
        self.changes.tell(&group, change);
    }

    /// Everything up to this object's revision was reported.
    fn note(&mut self, object: &Metadata) {
        if let Some(version) = &object.metadata.resource_version {
            self.from = Some(version.clone());
        }
    }
}

fn end_of(unlisted: Unlisted) -> WatchEnd {
    match unlisted {
        Unlisted::Expired => WatchEnd::Failed(None),
        Unlisted::Failed {
            error: error @ KubernetesError::Refused { .. },
            wait: None,
        } => WatchEnd::Refused(error),
        Unlisted::Failed { wait, .. } => WatchEnd::Failed(wait),
    }
}
