//! [`News`]: hears when the cluster changes, as the pages do: from `/v1/events` of any node.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::timeout;

use crate::cluster::client::{Ask, Client, Events};

/// Pause before a stream is opened again: it ended, or none was to be had.
const PAUSE: Duration = Duration::from_secs(1);

/// The longest time without an event before the stream is opened again: its node may be gone
/// without a word. Each stream begins with what is known, so nothing is lost.
const LONGEST_SILENCE: Duration = Duration::from_secs(30);

/// Whether a node says when the cluster changes.
#[derive(Debug, Default)]
pub(super) struct News(AtomicBool);

impl News {
    /// Whether changes are heard of. If not, somebody has to look for them.
    pub(super) fn come(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Hears of changes, and hurries for each. Goes on at any node, and never ends.
    pub(super) async fn listen(self: Arc<Self>, client: Arc<Client>, hurry: Arc<Notify>) {
        let ask = Ask::get("/v1/events").header("accept", "text/event-stream");
        loop {
            // A node of an earlier version has none, and one may have too many listeners.
            if let Ok(answer) = client.open(&ask).await {
                let mut events = Events::of(answer);
                self.0.store(true, Ordering::Relaxed);
                while let Ok(Some(_)) = timeout(LONGEST_SILENCE, events.next()).await {
                    hurry.notify_one();
                }
                self.0.store(false, Ordering::Relaxed);
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}
