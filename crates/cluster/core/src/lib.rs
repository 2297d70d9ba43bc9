//! Pure decisions of the cluster: what becomes of a job, where its tasks run, when the next attempt
//! may begin.
//!
//! Nothing in this crate reads a clock, opens a socket, draws a random number or awaits.
//!
//! ```text
//!      records, reports, questions + time                   commits, orders, answers
//!   ─────────────────────────────────────►  Leader       ─────────────────────────────►  JobManager
//!      orders, ends of tasks, acks + time                   start, end, extend, report
//!   ─────────────────────────────────────►  TaskManager  ─────────────────────────────►  TaskManager
//! ```
//!
//! The rules are those of `docs/design/0011-cluster.md` (R1 to R4, R7 to R11) and
//! `0013-checkpoints.md` (R5, R6, R12 to R15). Start reading in `record.rs`
//! (what a job's one record holds) and `message.rs` (what is said between the two), then in
//! `leader/` and `task_manager/`.

pub mod checkpoint;
pub mod demand;
mod dice;
pub mod exit;
mod id;
pub mod job_file;
pub mod leader;
pub mod message;
mod moment;
mod nearest;
mod plural;
pub mod pods;
pub mod record;
mod spec;
pub mod task_manager;
pub mod template;
#[cfg(test)]
mod tests;
pub mod view;

pub use id::{
    Attempt, BadId, Incarnation, JOBS, JobId, NodeNonce, Rank, SavepointId, TaskId, cluster_record,
};
pub use incumbent_core::{Seal, Time};
pub use record::{Cause, CauseKind, Desired, JobRecord, JobState};
pub use spec::{
    Artifact, Checkpointing, DEFAULT_ISOLATION, Isolation, JobSpec, LARGEST_SPEC, LONGEST_JOB_NAME,
    MOST_TASKS, Restart,
};
