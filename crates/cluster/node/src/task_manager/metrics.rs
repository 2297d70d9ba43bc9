//! Names of the metrics of a TaskManager.

use incumbent_cluster_core::message::EndedHow;
use metrics::{counter, describe_counter, describe_gauge, describe_histogram};

pub(super) const RUNNING: &str = "incumbent_cluster_task_processes";
pub(super) const SLOTS: &str = "incumbent_cluster_task_slots";
pub(super) const ENDED: &str = "incumbent_cluster_task_ends_total";
pub(super) const START_SECONDS: &str = "incumbent_cluster_task_start_seconds";
pub(super) const LOG_BYTES: &str = "incumbent_cluster_task_log_bytes_total";
pub(super) const LOG_REFUSED: &str = "incumbent_cluster_task_log_refused_bytes_total";
pub(super) const KEPT_LOGS: &str = "incumbent_cluster_task_kept_logs";
pub(super) const ARTIFACT_FETCHES: &str = "incumbent_cluster_task_artifact_fetches_total";
pub(super) const ARTIFACT_HITS: &str = "incumbent_cluster_task_artifact_hits_total";
pub(super) const ARTIFACT_BYTES: &str = "incumbent_cluster_task_artifact_cache_bytes";
pub(super) const REPORTS: &str = "incumbent_cluster_task_reports_total";

/// Describes the metrics of a TaskManager to the recorder of this process.
pub(super) fn describe() {
    describe_gauge!(
        RUNNING,
        "Tasks of this TaskManager that were ordered and have not ended"
    );
    describe_gauge!(SLOTS, "Slots of this TaskManager");
    describe_counter!(ENDED, "Tasks that have ended, by how");
    describe_histogram!(
        START_SECONDS,
        "From the order of a task to its running process"
    );
    describe_counter!(LOG_BYTES, "Bytes that tasks have printed");
    describe_counter!(
        LOG_REFUSED,
        "Bytes that tasks have printed and the disk did not take"
    );
    describe_gauge!(KEPT_LOGS, "Logs of ended tasks that are kept here");
    describe_counter!(
        ARTIFACT_FETCHES,
        "Artifacts that were fetched from the blobs"
    );
    describe_counter!(ARTIFACT_HITS, "Artifacts that were in the cache");
    describe_gauge!(ARTIFACT_BYTES, "Bytes of artifacts in the cache");
    describe_counter!(
        REPORTS,
        "Reports to the leader, by whether they were acknowledged"
    );
}

/// Counts an end.
pub(super) fn ended(how: &EndedHow) {
    let how = match how {
        EndedHow::Exited { code: 0 } => "exited-0",
        EndedHow::Exited { .. } => "exited",
        EndedHow::Signaled { .. } => "signaled",
        EndedHow::Ordered => "ordered",
        EndedHow::Isolated => "isolated",
        EndedHow::NotStarted { .. } => "not-started",
        EndedHow::NotRestored { .. } => "not-restored",
        EndedHow::Unknown => "unknown",
    };
    counter!(ENDED, "how" => how).increment(1);
}
