//! What a JobManager does that stands by: it tells the leader that it is there, for people.

use std::time::Duration;

use incumbent_backend::causes;
use incumbent_backend::outage::{News, Outage, Recovery};
use incumbent_core::View;
use serde_json::Value;

use crate::node::{ENDPOINT, Node};
use crate::wire::{ANNOUNCEMENTS, Announcement, WireError};

/// How often.
const PERIOD: Duration = Duration::from_secs(5);

/// How long the leader may take to take it.
const PATIENCE: Duration = Duration::from_secs(2);

/// Announces this JobManager to the leader of the moment, and to each next one. Never ends.
pub(super) async fn announce(node: &Node) {
    let mut observer = node.group().observe();
    let mut leader = None;
    let refusals = Outage::new();
    loop {
        tokio::select! {
            view = observer.next() => leader = address(&view),
            () = tokio::time::sleep(PERIOD) => {}
        }
        let Some(leader) = &leader else { continue };
        let announcement = Announcement {
            nonce: node.nonce(),
            name: node.name().to_owned(),
            pid: node.pid(),
            address: node.address().to_owned(),
            advertise: node.options().advertise.clone(),
            version: Some(env!("CARGO_PKG_VERSION").to_owned()),
            common: node.common().clone(),
        };
        let client = node.client();
        let told = client.post::<Value>(leader, ANNOUNCEMENTS, &announcement, PATIENCE);
        let told = told.await;
        node.standing().note(&told);
        match told {
            Ok(_) => {
                if let Recovery::Over { .. } = refusals.worked() {
                    tracing::info!(to = leader, "the leader takes this JobManager as a standby");
                }
            }
            Err(error) => tell(leader, &error, &refusals),
        }
    }
}

/// Only a refusal is for people. If the leader does not answer or leads no more, the next one does.
fn tell(leader: &str, error: &WireError, refusals: &Outage) {
    let why = causes(error);
    let is_refusal = error.problem().is_some() && !error.is_not_leading();
    let news = is_refusal.then(|| refusals.failed(&why));
    if let Some(News::Began | News::OtherReason) = news {
        tracing::warn!(
            to = leader,
            why,
            "the leader refuses this JobManager as a standby; announcing it again"
        );
    } else {
        tracing::debug!(%error, "the leader was not told that this JobManager stands by");
    }
}

/// Where the leader of this view takes reports, if it is active.
pub(crate) fn address(view: &View) -> Option<String> {
    let endpoint = ENDPOINT.parse().expect("it is a name");
    view.active()?.endpoints.get(&endpoint).cloned()
}
