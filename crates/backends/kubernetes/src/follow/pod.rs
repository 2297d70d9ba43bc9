//! The leader's pod as a proof of its end: what the kubelet says about the container, and nothing
//! else.
//!
//! ```text
//! leader:   writes a random mark into /dev/termination-log, and name of pod and mark into the root, with its body
//! kubelet:  when the container has ended, and not before: the text of that file into the pod's status
//! standby:  reads the root, watches that pod; the mark in a terminated state is the proof
//! ```
//!
//! Each container has that file anew each time it is started, so the mark names one run of it.
//! Names, restart counts and container ids would not do: a process cannot know its own, and what
//! the API says of them may be of the run before.

use std::collections::HashSet;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use incumbent_backend::{Gone, GroupName, Key, Nonce, Presence};
use incumbent_core::root::Root;
use k8s_openapi::api::core::v1::{ContainerState, ContainerStatus, Pod as PodObject};
use serde::{Deserialize, Serialize};

use crate::api::throttle::Lane;
use crate::api::{Metadata, Unlisted, View, Watched};
use crate::error::{KubernetesError, chain};
use crate::follow::events::{Event, Events};
use crate::follow::watch::{Change, SILENCE, Watches, pauses};
use crate::object::content::resource_of;
use crate::object::resource::PODS;
use crate::session::Session;

/// The annotation of a root that says in which pod its holder runs.
pub(crate) const POD: &str = "incumbent/pod";

/// Where Kubernetes reads a container's last words, if its manifest says nothing else.
const USUAL_LOG: &str = "/dev/termination-log";

/// Longest pause before a pod is looked at again that could not be watched.
const LONGEST_PAUSE: std::time::Duration = std::time::Duration::from_secs(30);

/// The pod that this process runs in, for `pod=on`.
///
/// A leader leaves a random mark in the file where the kubelet looks for a container's last words,
/// and names its pod and the mark in the root. When the container has ended, the kubelet puts these
/// words into the pod's status, and a standby that sees the mark there takes over at once. Nothing
/// else is a proof: a pod object that is gone or failed, that is marked for deletion, or whose node
/// is lost may have processes that run.
///
/// The proof is of the *container* that this process runs in. Work that it starts elsewhere, in
/// another container of the pod too, is not known to have ended.
///
/// All candidates have to say `pod=on`, and may `get` and `watch` `pods`. The records have to be in
/// the pod's namespace. A program that writes more than 4 KiB into the file after us, or overwrites
/// it, takes the proof away; then there is the lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pod {
    /// Its name.
    pub name: String,
    /// Its id, if known.
    pub uid: Option<String>,
    /// The file in which the kubelet finds the container's last words: `terminationMessagePath`.
    pub termination_log: PathBuf,
}

impl Pod {
    /// As the environment says: `POD_NAME` (or `HOSTNAME`, which is the same unless the pod uses
    /// the host's network), `POD_UID` and `TERMINATION_LOG`. `None` if it does not.
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

/// What a leader writes about itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Note {
    /// Of which term this is.
    nonce: Nonce,
    name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    uid: Option<String>,
    /// What is in the last words of the container when it has ended.
    mark: String,
}

/// This process, in its pod.
pub(crate) struct Here {
    pod: Pod,
    mark: String,
    /// The terms that it holds. Others write the root, too (to ask for a handover), and must not
    /// put their pod there.
    terms: Mutex<HashSet<(GroupName, Nonce)>>,
}

impl Here {
    /// Leaves a mark for the kubelet.
    pub(crate) fn mark(pod: Pod) -> io::Result<Arc<Self>> {
        let mark = format!("incumbent-process-{:032x}", rand::random::<u128>());
        // It is there in a container. A program may have written to it already.
        let mut log = OpenOptions::new().append(true).open(&pod.termination_log)?;
        log.write_all(format!("{mark}\n").as_bytes())?;
        let terms = Mutex::default();
        Ok(Arc::new(Self { pod, mark, terms }))
    }

    /// Writes it into the root from now on, until what is returned is dropped.
    pub(crate) fn appear(here: &Arc<Self>, group: &GroupName, nonce: Nonce) -> Presence {
        let term = (group.clone(), nonce);
        here.terms().insert(term.clone());
        Presence::new(Shown {
            here: Arc::clone(here),
            term,
        })
    }

    /// The annotation for this body of a root; nothing unless it is of a term that is held here.
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

/// Ends when the kubelet says that the container of this term's holder has ended. It may never end.
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

/// Waits until the root says in which pod the holder of this term runs.
async fn find(
    session: &Arc<Session>,
    watches: &Arc<Watches>,
    group: &GroupName,
    nonce: Nonce,
) -> Note {
    let mut changes = Watches::listen(watches, session, group);
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
                // What happened is not known: look again.
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

/// What the root says now; nothing if it cannot be read, for then the watch has more to say soon.
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
    found?.metadata.annotations?.remove(POD)
}

/// Follows a pod until its container has ended, and says how; `None` if that cannot be known any
/// more.
async fn follow(session: &Session, note: &Note) -> Option<String> {
    let api = &session.api;
    let mut pauses = pauses(LONGEST_PAUSE);
    let mut said = false;
    let mut say = |error: &KubernetesError| {
        if !std::mem::replace(&mut said, true) {
            let error = chain(error);
            tracing::warn!(%error, pod = note.name, "the leader's pod is not watched; it is tried again");
        }
    };
    loop {
        let found: Result<Option<PodObject>, _> =
            api.get(Lane::Data, &PODS, &note.name, View::Whole).await;
        match found {
            // A pod that is gone proves nothing: it can be removed by force, while its node is cut
            // off and goes on.
            Ok(None) => return None,
            Ok(Some(pod)) => {
                if let Some(verdict) = verdict(note, &pod) {
                    return verdict;
                }
                let from = pod.metadata.resource_version.unwrap_or_default();
                match follow_from(session, note, &from).await {
                    Ok(Some(verdict)) => return verdict,
                    Ok(None) => {}
                    Err(error) => say(&error),
                }
            }
            Err(error) => say(&error),
        }
        tokio::time::sleep(pauses.next().unwrap_or(LONGEST_PAUSE)).await;
    }
}

/// `None` if the watch ended before there was a verdict.
async fn follow_from(
    session: &Session,
    note: &Note,
    from: &str,
) -> Result<Option<Option<String>>, KubernetesError> {
    let watch = session
        .api
        .watch(&PODS, Watched::Named(&note.name), from, View::Whole);
    let mut events = match watch.await {
        Ok(chunks) => Events::new(chunks),
        Err(Unlisted::Expired) => return Ok(None),
        Err(Unlisted::Failed { error, .. }) => return Err(error),
    };
    loop {
        // However it ends, the pod is looked at again.
        let Ok(Ok(event)) = tokio::time::timeout(SILENCE, events.next::<PodObject>()).await else {
            return Ok(None);
        };
        match event {
            Event::Applied(pod) => {
                if let Some(verdict) = verdict(note, &pod) {
                    return Ok(Some(verdict));
                }
            }
            // Its last state may have it.
            Event::Deleted(pod) => return Ok(Some(verdict(note, &pod).flatten())),
            Event::Bookmark(_) => {}
            Event::Expired | Event::Failed(_) => return Ok(None),
        }
    }
}

/// What a pod says about the process: that it has ended, and how; or that nobody will know. `None`:
/// nothing yet.
fn verdict(note: &Note, pod: &PodObject) -> Option<Option<String>> {
    // Another pod of the same name.
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

/// How the process ended, if it is in a run of this container that has ended.
fn ended(note: &Note, container: &ContainerStatus) -> Option<String> {
    let runs = [&container.state, &container.last_state];
    let runs = runs.into_iter().flatten();
    let marked = runs
        .filter_map(|run: &ContainerState| run.terminated.as_ref())
        .find(|run| {
            run.message
                .as_ref()
                .is_some_and(|last_words| last_words.contains(&note.mark))
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
