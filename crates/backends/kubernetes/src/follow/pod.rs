//! The leader's pod as a proof of its end: what the kubelet reports about the container, and
//! nothing else.
//!
//! ```text
//! leader:   writes a random mark into /dev/termination-log, and pod name and mark into the root, with its body
//! kubelet:  copies the text of that file into the pod's status when the container has ended, not before
//! standby:  reads the root and watches that pod; the mark in a terminated state is the proof
//! ```
//!
//! Each run of a container has a new file, so the mark names one run. Names, restart counts and
//! container ids do not: a process cannot know its own, and the API may still show those of the run
//! before.

use std::collections::HashSet;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use incumbent_backend::outage::{News, Outage, Recovery};
use incumbent_backend::{Gone, GroupName, Key, Nonce, Presence, causes, jitter};
use incumbent_core::root::Root;
use k8s_openapi::api::core::v1::{ContainerState, ContainerStatus, Pod as PodObject};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::api::list::{Unlisted, Watched};
use crate::api::throttle::Lane;
use crate::api::{Metadata, View};
use crate::error::KubernetesError;
use crate::follow::events::{Event, Events};
use crate::follow::pauses;
use crate::follow::watch::{Change, SILENCE, Watches};
use crate::object::content::resource_of;
use crate::object::names::LEADER_POD;
use crate::object::resource::PODS;
use crate::session::Session;

/// The usual `terminationMessagePath`: where the kubelet reads the termination message of a
/// container.
const USUAL_LOG: &str = "/dev/termination-log";

/// The pod that this process runs in, for `pod=on`.
///
/// A leader leaves a random mark in the file from which the kubelet reads a container's termination
/// message, and names its pod and the mark in the root. When the container has ended, the kubelet
/// copies the message into the pod's status, and a standby that sees the mark there takes over at
/// once. Nothing else is a proof: processes may still run although the pod object is gone, failed
/// or marked for deletion, or its node is lost.
///
/// The proof is for the *container* that this process runs in. It says nothing about work that the
/// process started elsewhere, such as in another container of the pod.
///
/// All candidates need `pod=on` and the rights to `get` and `watch` `pods`. The records must be in
/// the pod's namespace. A program that overwrites the file, or appends more than 4 KiB to it,
/// removes the proof; then standbys wait for the lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pod {
    /// Its name.
    pub name: String,
    /// Its id, if known.
    pub uid: Option<String>,
    /// The file from which the kubelet reads the container's termination message:
    /// `terminationMessagePath`.
    pub termination_log: PathBuf,
}

impl Pod {
    /// From the environment: `POD_NAME` (or `HOSTNAME`, which is the same unless the pod uses the
    /// host's network), `POD_UID` and `TERMINATION_LOG`. `None` without a name.
    pub fn from_env() -> Option<Self> {
        Self::from(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
    }

    fn from(environment: impl Fn(&str) -> Option<String>) -> Option<Self> {
        Some(Self {
            name: environment("POD_NAME").or_else(|| environment("HOSTNAME"))?,
            uid: environment("POD_UID"),
            termination_log: environment("TERMINATION_LOG")
                .map_or_else(|| USUAL_LOG.into(), PathBuf::from),
        })
    }
}

/// What a leader writes into the root about its pod.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Note {
    /// The nonce of its term.
    nonce: Nonce,
    name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    uid: Option<String>,
    /// What the container's termination message has when it has ended.
    mark: String,
}

/// This process in its pod.
pub(crate) struct Here {
    pod: Pod,
    mark: String,
    /// The terms that it holds. Other processes write the root too, to ask for a handover, and must
    /// not put their pod there.
    terms: Mutex<HashSet<(GroupName, Nonce)>>,
}

impl Here {
    /// Leaves a mark for the kubelet.
    pub(crate) fn mark(pod: Pod) -> io::Result<Arc<Self>> {
        let mark = format!("incumbent-process-{:032x}", rand::random::<u128>());
        // In a container the file exists. A program may have written to it already.
        let mut log = OpenOptions::new().append(true).open(&pod.termination_log)?;
        log.write_all(format!("{mark}\n").as_bytes())?;
        let terms = Mutex::default();
        Ok(Arc::new(Self { pod, mark, terms }))
    }

    /// From now on, until the returned value is dropped, the term's root names this pod.
    pub(crate) fn appear(here: &Arc<Self>, group: &GroupName, nonce: Nonce) -> Presence {
        let term = (group.clone(), nonce);
        here.terms().insert(term.clone());
        Presence::new(Shown {
            here: Arc::clone(here),
            term,
        })
    }

    /// The annotation for this body of a root; `None` unless its term is held here.
    pub(crate) fn note(&self, key: &Key, body: &[u8]) -> Option<String> {
        key.is_root().then_some(())?;
        let nonce = Root::from_bytes(body).ok()?.nonce;
        self.terms()
            .contains(&(key.group().clone(), nonce))
            .then_some(())?;
        let note = Note {
            nonce,
            name: self.pod.name.clone(),
            uid: self.pod.uid.clone(),
            mark: self.mark.clone(),
        };
        Some(serde_json::to_string(&note).expect("a note is always JSON"))
    }

    fn terms(&self) -> MutexGuard<'_, HashSet<(GroupName, Nonce)>> {
        self.terms.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Shown {
    here: Arc<Here>,
    term: (GroupName, Nonce),
}

impl Drop for Shown {
    fn drop(&mut self) {
        self.here.terms().remove(&self.term);
    }
}

/// Ends when the kubelet reports that the container of this term's holder has ended. It may never
/// end.
pub(crate) async fn vanished(
    session: Arc<Session>,
    watches: Arc<Watches>,
    group: GroupName,
    nonce: Nonce,
) -> Gone {
    let note = find(&session, &watches, &group, nonce).await;
    match follow(&session, &note).await {
        Some(how) => Gone::Ended(how),
        None => std::future::pending().await,
    }
}

/// Waits until the root names the pod of this term's holder.
async fn find(
    session: &Arc<Session>,
    watches: &Arc<Watches>,
    group: &GroupName,
    nonce: Nonce,
) -> Note {
    let mut changes = watches.listen(session, group);
    let of_term = |text: &str| {
        let note: Option<Note> = serde_json::from_str(text).ok();
        note.filter(|note| note.nonce == nonce)
    };
    loop {
        if let Some(note) = look(session, group).await.as_deref().and_then(of_term) {
            return note;
        }
        loop {
            match changes.next().await {
                // Anything may have happened: look again.
                Change::Anything => break,
                Change::Of {
                    pod: Some(text), ..
                } => {
                    if let Some(note) = of_term(&text) {
                        return note;
                    }
                }
                Change::Of { pod: None, .. } => {}
            }
        }
    }
}

/// The annotation of the root now; `None` if it cannot be read. Then the watch fails too, and
/// reports a change when it works again.
async fn look(session: &Session, group: &GroupName) -> Option<String> {
    let key = Key::root(group.clone());
    let (resource, name) = (
        resource_of(&key, session.root),
        session.cluster.object_name(&key),
    );
    let found: Option<Metadata> = session
        .api
        .get(Lane::Data, resource, &name, View::Metadata)
        .await
        .ok()?;
    found?.metadata.annotations?.remove(LEADER_POD)
}

/// Follows a pod until its container has ended, and returns how; `None` if that can no longer
/// become known.
async fn follow(session: &Session, note: &Note) -> Option<String> {
    let api = &session.api;
    let mut pace = pauses::after_break();
    let mut refused_pace = pauses::after_refusal();
    let outage = Outage::new();
    loop {
        let found: Result<Option<PodObject>, _> =
            api.get(Lane::Data, &PODS, &note.name, View::Whole).await;
        let watched = match found {
            // A pod that is gone proves nothing: it can be deleted by force while its node is cut
            // off and its processes run.
            Ok(None) => return None,
            Ok(Some(pod)) => {
                if let Some(verdict) = verdict(note, &pod) {
                    return verdict;
                }
                let from = pod.metadata.resource_version.unwrap_or_default();
                follow_from(session, note, &from, &outage).await
            }
            Err(error) => Err(error),
        };
        let pause = match watched {
            Ok(PodWatchEnd::Verdict(verdict)) => return verdict,
            Ok(PodWatchEnd::After(lasted)) => {
                refused_pace.reset();
                pace.after_run(lasted, jitter())
            }
            Err(error) => {
                let pause = match &error {
                    KubernetesError::Refused { .. } => refused_pace.after_failure(jitter()),
                    _ => pace.after_failure(jitter()),
                };
                let error = causes(&error);
                if outage.failed(&error) == News::Began {
                    tracing::warn!(
                        %error,
                        pod = note.name,
                        "cannot watch the leader's pod, so its end is seen only when its lease ends; retrying"
                    );
                }
                pause
            }
        };
        tokio::time::sleep(pause).await;
    }
}

/// How a watch of a pod ended.
enum PodWatchEnd {
    /// As [`verdict`] returns it.
    Verdict(Option<String>),
    /// It ended without a verdict, after this time.
    After(Duration),
}

async fn follow_from(
    session: &Session,
    note: &Note,
    from: &str,
    outage: &Outage,
) -> Result<PodWatchEnd, KubernetesError> {
    let watch = session
        .api
        .watch(&PODS, Watched::Named(&note.name), from, View::Whole);
    let mut events = match watch.await {
        Ok(chunks) => Events::new(chunks),
        Err(Unlisted::Expired) => return Ok(PodWatchEnd::After(Duration::ZERO)),
        Err(Unlisted::Failed { error, .. }) => return Err(error),
    };
    if let Recovery::Over { .. } = outage.worked() {
        tracing::info!(pod = note.name, "the leader's pod is watched again");
    }
    let begun = Instant::now();
    loop {
        // However the watch ends, the pod is read again.
        let Ok(Ok(event)) = tokio::time::timeout(SILENCE, events.next::<PodObject>()).await else {
            return Ok(PodWatchEnd::After(begun.elapsed()));
        };
        match event {
            Event::Applied(pod) => {
                if let Some(verdict) = verdict(note, &pod) {
                    return Ok(PodWatchEnd::Verdict(verdict));
                }
            }
            // Its last state may have it.
            Event::Deleted(pod) => {
                return Ok(PodWatchEnd::Verdict(verdict(note, &pod).flatten()));
            }
            Event::Bookmark(_) => {}
            Event::Expired | Event::Failed(_) => return Ok(PodWatchEnd::After(begun.elapsed())),
        }
    }
}

/// What a pod's status tells about the process: how it has ended, or that this will never be known.
/// `None`: nothing yet.
fn verdict(note: &Note, pod: &PodObject) -> Option<Option<String>> {
    // It is another pod of the same name.
    if note.uid.is_some() && note.uid != pod.metadata.uid {
        return Some(None);
    }
    let status = pod.status.as_ref()?;
    let lists = [
        &status.container_statuses,
        &status.init_container_statuses,
        &status.ephemeral_container_statuses,
    ];
    let containers = lists.into_iter().flatten().flatten();
    containers
        .filter_map(|container| ended(note, container))
        .next()
        .map(Some)
}

/// How the process ended, if it was in a run of this container that has ended.
fn ended(note: &Note, container: &ContainerStatus) -> Option<String> {
    let runs = [&container.state, &container.last_state];
    let runs = runs.into_iter().flatten();
    let marked = runs
        .filter_map(|run: &ContainerState| run.terminated.as_ref())
        .find(|run| {
            run.message
                .as_ref()
                .is_some_and(|message| message.contains(&note.mark))
        })?;
    let reason = marked.reason.as_deref().unwrap_or("no reason given");
    Some(format!(
        "container {} of pod {} ended: {reason}, exit code {}",
        container.name, note.name, marked.exit_code
    ))
}

#[cfg(test)]
#[path = "pod_tests.rs"]
mod tests;
