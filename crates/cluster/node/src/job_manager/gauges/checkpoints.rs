//! What is counted about checkpoints.

use std::collections::HashMap;
use std::time::{Duration, SystemTime};

use incumbent_cluster_core::message::{Command, ContractOrder, Gang, Order};
use incumbent_cluster_core::{JobId, JobRecord, JobState};
use incumbent_core::Now;
use metrics::{counter, gauge, histogram};

/// What is known of the newest completed checkpoint of one job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Newest {
    /// Its number; 0 if there is none yet.
    number: u64,
    bytes: u64,
    took: Duration,
    /// When it was completed; if there is none, when this leader first heard of the job.
    at: SystemTime,
    /// Whether the job runs, so that another one should follow.
    is_running: bool,
}

impl Newest {
    /// `None` if the job does not checkpoint.
    pub(super) fn of(body: &JobRecord, now: Now) -> Option<Self> {
        body.spec.checkpoints.as_ref()?;
        let last = body.checkpoints.last();
        let at = last.and_then(|last| humantime::parse_rfc3339(&last.completed_at).ok());
        Some(Self {
            number: last.map_or(0, |last| last.number),
            bytes: last.map_or(0, |last| last.bytes),
            took: Duration::from_millis(last.map_or(0, |last| last.took_ms)),
            at: at.unwrap_or(now.wall),
            is_running: body.state == JobState::Running,
        })
    }

    /// Counts a checkpoint that a commit has completed.
    pub(super) fn count(&mut self, before: Self) {
        if self.number > before.number {
            counter!("incumbent_cluster_checkpoints_total", "outcome" => "completed").increment(1);
            counter!("incumbent_cluster_checkpoint_bytes_total").increment(self.bytes);
            histogram!("incumbent_cluster_checkpoint_seconds").record(self.took);
        } else if self.number == 0 {
            // Since when there is none does not begin anew with each commit.
            self.at = before.at;
        }
    }
}

/// Counts the checkpoints that were given up. The record does not say so; the orders do.
#[derive(Default)]
pub(super) struct Aborted {
    /// The highest number that was given up in the newest attempt of each job.
    numbers: HashMap<JobId, (Gang, u64)>,
}

impl Aborted {
    /// This order is going to be sent. Each TaskManager of a job gets one, perhaps more than once.
    pub(super) fn see(&mut self, order: &Order) {
        let Command::Contract {
            gang,
            order: ContractOrder::Aborted { number },
        } = order.command
        else {
            return;
        };
        let known = self.numbers.get(&gang.job);
        if known.is_some_and(|known| *known >= (gang, number)) {
            return;
        }
        self.numbers.insert(gang.job, (gang, number));
        counter!("incumbent_cluster_checkpoints_total", "outcome" => "aborted").increment(1);
    }

    /// The job is gone.
    pub(super) fn forget(&mut self, job: JobId) {
        self.numbers.remove(&job);
    }
}

/// Sets what all jobs have together.
pub(super) fn set(newest: impl Iterator<Item = Newest> + Clone, now: Option<Now>) {
    let bytes: u64 = newest.clone().map(|newest| newest.bytes).sum();
    #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
    gauge!("incumbent_cluster_checkpoint_bytes").set(bytes as f64);
    let running = newest.filter(|newest| newest.is_running);
    // Across machines this is for people; a clock that is behind shows no age.
    let age = |at| now.and_then(|now| now.wall.duration_since(at).ok());
    let oldest = running.filter_map(|newest| age(newest.at)).max();
    gauge!("incumbent_cluster_checkpoint_age_seconds").set(oldest.unwrap_or_default());
}

/// Says what these metrics mean.
pub(super) fn describe() {
    use metrics::{Unit, describe_counter, describe_gauge, describe_histogram};
    describe_counter!(
        "incumbent_cluster_checkpoints_total",
        "Checkpoints by outcome: completed, or aborted."
    );
    describe_counter!(
        "incumbent_cluster_checkpoint_bytes_total",
        Unit::Bytes,
        "Size of the checkpoints that were completed."
    );
    describe_gauge!(
        "incumbent_cluster_checkpoint_bytes",
        Unit::Bytes,
        "Size of the newest completed checkpoints of all jobs together."
    );
    describe_gauge!(
        "incumbent_cluster_checkpoint_age_seconds",
        Unit::Seconds,
        "Age of the newest completed checkpoint of the running job that has waited longest for one."
    );
    describe_histogram!(
        "incumbent_cluster_checkpoint_seconds",
        Unit::Seconds,
        "From the trigger of a checkpoint to its last acknowledgement."
    );
    describe_histogram!(
        "incumbent_cluster_manifest_seconds",
        Unit::Seconds,
        "How long it took to write a manifest, with waiting for its turn and with retries."
    );
    describe_counter!(
        "incumbent_cluster_janitor_rounds_total",
        "Jobs that the janitor has looked at, by outcome: done; outage of the blobs; foreign, if \
         the blobs belong to another cluster; unreadable, if a manifest could not be read."
    );
    describe_counter!(
        "incumbent_cluster_janitor_deleted_total",
        "Files that the janitor has deleted."
    );
    describe_counter!(
        "incumbent_cluster_janitor_deleted_bytes_total",
        Unit::Bytes,
        "Size of the files that the janitor has deleted."
    );
}

#[cfg(test)]
mod tests {
    use incumbent::{Epoch, Nonce, Seal, Time};
    use incumbent_cluster_core::checkpoint::{Checkpoint, ManifestPointer};
    use incumbent_cluster_core::{Attempt, Incarnation, NodeNonce};
    use metrics_exporter_prometheus::PrometheusBuilder;
    use serde_json::json;

    use super::*;

    fn now(seconds: u64) -> Now {
        Now {
            time: Time::default(),
            wall: SystemTime::UNIX_EPOCH + Duration::from_secs(seconds),
        }
    }

    fn record(number: u64) -> JobRecord {
        let spec = json!({ "name": "a", "command": ["true"], "checkpoints": {} });
        let spec = serde_json::from_value(spec).unwrap();
        let (id, incarnation) = (JobId::new(1), Incarnation::new(2));
        let mut record = JobRecord::new(id, incarnation, spec, String::new(), 0);
        record.state = JobState::Running;
        record.checkpoints.push(Checkpoint {
            number,
            attempt: Attempt(1),
            tasks: 1,
            savepoint: None,
            manifest: ManifestPointer {
                object: String::new(),
                sha256: String::new(),
            },
            bytes: 10,
            completed_at: "1970-01-01T00:01:00Z".to_owned(),
            took_ms: 5,
        });
        record
    }

    fn aborted(attempt: u32, number: u64, to: u128) -> Order {
        Order {
            seal: Seal {
                epoch: Epoch::new(1),
                nonce: Nonce::new(1),
            },
            to: NodeNonce::new(to),
            seq: 1,
            command: Command::Contract {
                gang: Gang {
                    job: JobId::new(1),
                    incarnation: Incarnation::new(2),
                    attempt: Attempt(attempt),
                },
                order: ContractOrder::Aborted { number },
            },
        }
    }

    #[test]
    fn each_checkpoint_is_counted_once() {
        let recorder = PrometheusBuilder::new().build_recorder();
        metrics::with_local_recorder(&recorder, || {
            let before = Newest::of(&record(1), now(60)).unwrap();
            let mut same = Newest::of(&record(1), now(60)).unwrap();
            same.count(before);
            let mut next = Newest::of(&record(2), now(60)).unwrap();
            next.count(same);
            set([next].into_iter(), Some(now(90)));
            let mut given_up = Aborted::default();
            for (attempt, number, to) in [(1, 3, 1), (1, 3, 2), (1, 4, 1), (2, 4, 1), (1, 4, 1)] {
                given_up.see(&aborted(attempt, number, to));
            }
        });
        let text = recorder.handle().render();
        for line in [
            "incumbent_cluster_checkpoints_total{outcome=\"completed\"} 1",
            "incumbent_cluster_checkpoints_total{outcome=\"aborted\"} 3",
            "incumbent_cluster_checkpoint_bytes_total 10",
            "incumbent_cluster_checkpoint_bytes 10",
            "incumbent_cluster_checkpoint_age_seconds 30",
        ] {
            assert!(text.contains(line), "{line} in {text}");
        }
    }
}
