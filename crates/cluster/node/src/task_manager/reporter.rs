//! Sends reports to the leader, and says in the log when it does not take them.

use std::sync::Arc;
use std::time::Duration;

use incumbent_backend::causes;
use incumbent_backend::outage::{News, Outage, Recovery};
use incumbent_cluster_core::Time;
use incumbent_cluster_core::message::{Ack, Report};

use super::metrics;
use super::tasks::Tasks;
use crate::wire::{Client, REPORTS, WireError};

/// Reports of one TaskManager.
#[derive(Debug)]
pub(super) struct Reporter {
    outage: Outage,
    tasks: Arc<Tasks>,
}

/// What became of a report.
#[derive(Debug)]
pub(super) struct Reported {
    pub(super) seq: u64,
    /// Before it was sent, on this process's clock (R8).
    pub(super) sent_at: Time,
    pub(super) to: String,
    pub(super) outcome: Result<Ack, WireError>,
}

impl Reporter {
    /// Says to `tasks` how it is, for those who ask.
    pub(super) fn new(tasks: Arc<Tasks>) -> Self {
        Self {
            outage: Outage::new(),
            tasks,
        }
    }

    /// Logs what became of a report, if that is news.
    pub(super) fn tell(&self, reported: &Reported) {
        let is_acknowledged = reported.outcome.is_ok();
        ::metrics::counter!(metrics::REPORTS, "acknowledged" => is_acknowledged.to_string())
            .increment(1);
        match &reported.outcome {
            Ok(ack) => {
                self.tasks.set_unreported(ack.refused.clone());
                if let Recovery::Over { failures } = self.outage.worked() {
                    let to = &reported.to;
                    tracing::info!(to, failures, "the leader takes reports again");
                }
            }
            // A change of leader is no news here: the next one is looked for and found.
            Err(error) if error.is_not_leading() => {
                tracing::debug!(to = reported.to, "the report met a node that does not lead");
            }
            Err(error) => {
                let why = causes(error);
                self.tasks.set_unreported(Some(why.clone()));
                match self.outage.failed(&why) {
                    News::Began | News::OtherReason => tracing::warn!(
                        to = reported.to,
                        why,
                        "the leader does not take reports; tasks go on, reporting again"
                    ),
                    News::Known => tracing::debug!(to = reported.to, why, "not reported"),
                }
            }
        }
    }
}

/// Sends a report, and waits for its acknowledgement.
pub(super) async fn send(
    client: Client,
    to: String,
    report: Box<Report>,
    sent_at: Time,
    patience: Duration,
) -> Reported {
    let seq = report.seq;
    let outcome = client.post(&to, REPORTS, &*report, patience).await;
    Reported {
        seq,
        sent_at,
        to,
        outcome,
    }
}
