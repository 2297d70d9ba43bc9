//! From what is read in a store to what a follower receives.

use std::error::Error;
use std::time::Duration;

use incumbent_backend::outage::{News, Outage, Recovery};
use incumbent_backend::{Pace, causes};
use tokio::sync::watch;

use crate::decode::{DecodeError, Leader};

/// Pauses between attempts: short enough that a restart of a server goes unnoticed, long enough
/// that many clients that lost the same server do not overload the next one.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// How long a connection or a watch must have lasted for its end not to count as one more failure
/// in a row.
const HEALTHY: Duration = Duration::from_secs(5);

/// The sending side of a followed leader.
pub(crate) struct LeaderSender {
    /// `None` until it is known.
    sender: watch::Sender<Option<Option<Leader>>>,
    outage: Outage,
}

/// The receiving side: `None` until it is known who leads.
pub(crate) type LeaderReceiver = watch::Receiver<Option<Option<Leader>>>;

pub(crate) fn leader_channel() -> (LeaderSender, LeaderReceiver) {
    let (sender, receiver) = watch::channel(None);
    let outage = Outage::new();
    (LeaderSender { sender, outage }, receiver)
}

impl LeaderSender {
    /// Publishes who leads, if that is news.
    pub(crate) fn send(&self, leader: Option<Leader>) {
        self.sender.send_if_modified(|known| {
            let new = known.as_ref() != Some(&leader);
            if new {
                *known = Some(leader);
            }
            new
        });
    }

    /// The store was read: logs the end of an outage.
    pub(crate) fn note_success(&self) {
        if let Recovery::Over { failures } = self.outage.worked() {
            tracing::info!(
                failures,
                "the leader of the Flink cluster can be read again"
            );
        }
    }

    /// The store was not read: logs it if that is news. The next attempt comes after the pause.
    pub(crate) fn note_failure(&self, store: &str, why: &dyn Error, pause: Duration) {
        let why = causes(why);
        match self.outage.failed(&why) {
            News::Began | News::OtherReason => tracing::warn!(
                store,
                why,
                "the leader of the Flink cluster cannot be read; the last known leader stays; \
                 retrying in {pause:.1?}, then at least every {LONGEST_PAUSE:?}"
            ),
            News::Known => tracing::debug!(
                store,
                why,
                "the leader of the Flink cluster still cannot be read; retrying in {pause:.1?}"
            ),
        }
    }
}

/// Logs when a leader's entry becomes unreadable, and when it is readable again. On Kubernetes the
/// entry comes anew with each renewal of the lock, so most of its states are no news.
#[derive(Default)]
pub(crate) struct EntryLog {
    outage: Outage,
}

impl EntryLog {
    /// The leader, or `None` if the entry is unreadable.
    pub(crate) fn leader(
        &self,
        entry: &str,
        decoded: Result<Option<Leader>, DecodeError>,
    ) -> Option<Leader> {
        match decoded {
            Ok(leader) => {
                if let Recovery::Over { .. } = self.outage.worked() {
                    tracing::info!(entry, "Flink's entry of its leader is readable again");
                }
                leader
            }
            Err(error) => {
                let why = causes(&error);
                if self.outage.failed(&why) != News::Known {
                    tracing::warn!(
                        entry,
                        why,
                        "Flink's entry of its leader is unreadable; acting as if nobody led until \
                         Flink writes it again"
                    );
                }
                None
            }
        }
    }
}

/// The pauses between attempts to read a leader.
pub(crate) fn pace() -> Pace {
    Pace::new(FIRST_PAUSE, LONGEST_PAUSE).healthy_after(HEALTHY)
}
