//! The pods of the cluster, listed and then watched: again after each break.

use std::time::Duration;

use futures::StreamExt;
use incumbent_backend::outage::{News, Outage, Recovery};
use incumbent_backend::{Pace, causes, jitter};
use incumbent_backend_kubernetes::quietly;
use incumbent_cluster_core::pods::PodsEvent;
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::{ListParams, WatchEvent, WatchParams};
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::calls::{Failed, all_seen, sent};
use crate::status::{seen, shortened};

/// Pods in one answer of a list.
const PART: u32 = 500;

/// First and longest pause before a list is tried again, and the longest if it is refused: a person
/// has to change a role first.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));
const LONGEST_REFUSED: Duration = Duration::from_secs(30);

/// A watch that lasted this long was healthy.
const HEALTHY: Duration = Duration::from_secs(5);

/// How long a watch lasts at most; the server ends it then.
const WATCH_SECONDS: u32 = 290;

/// A watch that is silent for this long counts as dead. Servers send a bookmark about each minute.
const SILENCE: Duration = Duration::from_secs(150);

/// Lists and watches without end, and tells what is seen. Ends when nobody listens.
pub(crate) async fn follow(pods: Api<Pod>, selector: String, tell: mpsc::Sender<PodsEvent>) {
    let (first, longest) = PAUSES;
    let mut pace = Pace::new(first, longest).healthy_after(HEALTHY);
    let mut refused = Pace::new(first, LONGEST_REFUSED).healthy_after(HEALTHY);
    let outage = Outage::new();
    loop {
        let begun = Instant::now();
        let pause = match once(&pods, &selector, &tell, &outage).await {
            Ok(why) => {
                tracing::debug!(why, "the watch of pods has ended; they are listed again");
                refused.reset();
                pace.after_run(begun.elapsed(), jitter())
            }
            Err(Ended::Unheard) => return,
            Err(Ended::Failed(failed)) => {
                let why = failed.words();
                warn_of(&outage, &why);
                if tell.send(PodsEvent::Unlisted(why)).await.is_err() {
                    return;
                }
                match failed.is_refusal() {
                    true => refused.after_failure(jitter()),
                    false => pace.after_failure(jitter()),
                }
            }
        };
        tokio::time::sleep(pause).await;
    }
}

/// A person has to know of it even if nobody asks why a job waits.
fn warn_of(outage: &Outage, why: &str) {
    match outage.failed(why) {
        News::Began | News::OtherReason => {
            tracing::warn!(why, "the pods of the cluster cannot be listed; retrying");
        }
        News::Known => {
            tracing::debug!(why, "the pods of the cluster still cannot be listed");
        }
    }
}

enum Ended {
    /// Nobody listens any more.
    Unheard,
    Failed(Failed),
}

impl From<Failed> for Ended {
    fn from(failed: Failed) -> Self {
        Self::Failed(failed)
    }
}

/// Lists, and watches from there until that ends; says why it has ended.
async fn once(
    pods: &Api<Pod>,
    selector: &str,
    tell: &mpsc::Sender<PodsEvent>,
    outage: &Outage,
) -> Result<String, Ended> {
    say(tell, PodsEvent::Listing).await?;
    let (mut all, mut after) = (Vec::new(), None);
    let version = loop {
        let params = ListParams {
            label_selector: Some(selector.to_owned()),
            limit: Some(PART),
            continue_token: after.take(),
            ..ListParams::default()
        };
        let part = sent(pods.list(&params)).await?;
        all.extend(all_seen(&part.items));
        match part.metadata.continue_.filter(|next| !next.is_empty()) {
            Some(next) => after = Some(next),
            None => break part.metadata.resource_version.unwrap_or_default(),
        }
    };
    say(tell, PodsEvent::Listed(all)).await?;
    let params = WatchParams::default()
        .labels(selector)
        .timeout(WATCH_SECONDS);
    let mut events = std::pin::pin!(sent(pods.watch(&params, &version)).await?);
    // Not sooner: a role that may list and not watch would end the outage with each list.
    if let Recovery::Over { failures } = outage.worked() {
        tracing::info!(failures, "the pods of the cluster are listed again");
    }
    loop {
        let event = match tokio::time::timeout(SILENCE, quietly(events.next())).await {
            Ok(Some(Ok(event))) => event,
            Ok(Some(Err(error))) => return Ok(shortened(&causes(&error))),
            Ok(None) => return Ok("the server has ended it".to_owned()),
            Err(_) => return Ok(format!("nothing came for {SILENCE:?}")),
        };
        match event {
            WatchEvent::Added(pod) | WatchEvent::Modified(pod) => {
                if let Some(seen) = seen(&pod) {
                    say(tell, PodsEvent::Seen(Box::new(seen))).await?;
                }
            }
            WatchEvent::Deleted(pod) => {
                if let Some(seen) = seen(&pod) {
                    let (name, uid) = (seen.name, seen.uid);
                    say(tell, PodsEvent::Gone { name, uid }).await?;
                }
            }
            WatchEvent::Bookmark(_) => {}
            WatchEvent::Error(status) => return Ok(Failed::Answered(status).words()),
        }
    }
}

async fn say(tell: &mpsc::Sender<PodsEvent>, event: PodsEvent) -> Result<(), Ended> {
    tell.send(event).await.map_err(|_| Ended::Unheard)
}
