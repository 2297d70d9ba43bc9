//! What a JobManager does that stands by: it tells the leader that it is there, for people.

use std::time::Duration;

use incumbent_core::View;
use serde_json::Value;

use crate::node::{ENDPOINT, Node};
use crate::wire::{ANNOUNCEMENTS, Announcement};

/// How often.
const PERIOD: Duration = Duration::from_secs(5);

/// How long the leader may take to take it.
const PATIENCE: Duration = Duration::from_secs(2);

/// Announces this JobManager to the leader of the moment, and to each next one. Never ends.
pub(super) async fn announce(node: &Node) {
    let mut observer = node.group().observe();
    let mut leader = None;
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
        };
        let client = node.client();
        let told = client.post::<Value>(leader, ANNOUNCEMENTS, &announcement, PATIENCE);
        if let Err(error) = told.await {
            tracing::debug!(%error, "the leader was not told that this JobManager stands by");
        }
    }
}

/// Where the leader of this view takes reports, if it is active.
pub(crate) fn address(view: &View) -> Option<String> {
    let endpoint = ENDPOINT.parse().expect("it is a name");
    view.active()?.endpoints.get(&endpoint).cloned()
}
