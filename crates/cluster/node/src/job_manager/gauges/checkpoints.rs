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
