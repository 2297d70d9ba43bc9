//! [`Ledger`]: the record `leadership`, in which each leader writes that it leads, since when, and
//! why the one before led no more. For people: nothing is decided by it.

use std::time::Duration;

use incumbent::{Leadership, RecordName};
use incumbent_backend::causes;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use utoipa::ToSchema;

use crate::node::Node;

/// Most changes that are kept: the newest. A record of them has about 30 KiB.
pub(crate) const MOST_CHANGES: usize = 100;

/// The only format of the record.
const FORMAT: u32 = 1;

/// How often a write that failed is tried. What nobody wrote down is in the logs.
const TRIES: u32 = 5;

/// Pause before the next try.
const PAUSE: Duration = Duration::from_secs(1);

/// The body of the record `leadership`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Ledger {
    format: u32,
    /// Oldest first.
    pub(crate) changes: Vec<LeaderChange>,
}

/// A leader that began to lead.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LeaderChange {
    /// The epoch of its term.
    pub epoch: u64,
    /// Its name.
    pub leader: String,
    /// Where it is reached, as a URL.
    pub address: String,
    /// Its process id; 0 if that is not known.
    pub pid: u32,
    /// Since when it leads, on its own clock.
    pub since: String,
    /// Why the leader before it led no more.
    pub why: String,
    /// How long nobody led, in milliseconds: until this leader was active, from when it noticed
    /// that nobody led, or from the last sign of a leader whose lease had to expire.
    pub nobody_led_ms: u64,
}

/// The name of the record.
pub(crate) fn ledger_record() -> RecordName {
    "leadership".parse().expect("it is a name")
}

/// Writes down that this process leads since now, once it is active. Tries a few times; nothing
/// waits for it.
///
/// # Cancel safety
///
/// Dropping the future is an unknown outcome: it may be written down all the same.
pub(super) async fn write_down(leadership: &Leadership, node: &Node, granted_at: Instant) {
    let taken = leadership.taken();
    let unled = taken.unled + granted_at.elapsed();
    let change = LeaderChange {
        epoch: leadership.epoch().get(),
        leader: node.name().to_owned(),
        address: node.url(),
        pid: node.pid(),
        since: humantime::format_rfc3339_millis(node.now().wall).to_string(),
        why: taken.because.to_owned(),
        nobody_led_ms: u64::try_from(unled.as_millis()).unwrap_or(u64::MAX),
    };
    for _ in 0..TRIES {
        let Err(error) = add(leadership, &change).await else {
            return;
        };
        let (name, epoch, why) = (node.name(), change.epoch, causes(&error));
        match error {
            incumbent::Error::Fenced { .. } => return,
            // Somebody wrote something else there.
            incumbent::Error::Damaged { .. } | incumbent::Error::WrongType { .. } => {
                tracing::warn!(
                    node = name,
                    epoch,
                    why,
                    "the record `leadership` cannot be read; changes of the leader are not written \
                     down until it is repaired or deleted"
                );
                return;
            }
            _ => tracing::debug!(
                node = name,
                epoch,
                why,
                "cannot write down that this JobManager leads; trying again"
            ),
        }
        tokio::time::sleep(PAUSE).await;
    }
    tracing::warn!(
        node = node.name(),
        epoch = change.epoch,
        "the record `leadership` was not written; this change of the leader is in the logs only"
    );
}

async fn add(leadership: &Leadership, change: &LeaderChange) -> Result<(), incumbent::Error> {
    let mut record = leadership.open::<Ledger>(&ledger_record()).await?;
    let changes = record
        .data()
        .map(|ledger| ledger.changes.clone())
        .unwrap_or_default();
    record
        .commit(Ledger {
            format: FORMAT,
            changes: with(changes, change),
        })
        .await
}

/// The changes with this one, once, and without the oldest.
fn with(mut changes: Vec<LeaderChange>, change: &LeaderChange) -> Vec<LeaderChange> {
    // An earlier try may have been written.
    changes.retain(|other| other.epoch != change.epoch);
    changes.push(change.clone());
    let too_many = changes.len().saturating_sub(MOST_CHANGES);
    changes.drain(..too_many);
    changes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(epoch: u64) -> LeaderChange {
        LeaderChange {
            epoch,
            leader: "a".into(),
            address: "http://a:1".into(),
            pid: 1,
            since: String::new(),
            why: "the last leader is dead".into(),
            nobody_led_ms: 1,
        }
    }

    #[test]
    fn only_the_newest_changes_are_kept_and_each_of_them_once() {
        let mut changes = Vec::new();
        for epoch in 1..=150 {
            changes = with(changes, &change(epoch));
            changes = with(changes, &change(epoch));
        }
        let epochs: Vec<u64> = changes.iter().map(|change| change.epoch).collect();
        assert_eq!(epochs, (51..=150).collect::<Vec<_>>());
    }
}
