//! [`Question`] and [`Answer`]: what people and programs want of a leader.

use crate::view::{ClusterView, JobView, SavepointView};
use crate::{JobId, SavepointId};

/// Names a question until it is answered. The JobManager draws them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

/// What somebody wants to know, or to have done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// All jobs.
    Jobs,
    /// One job. Held until its record is open.
    Job(JobId),
    /// The live job of this name, or else the one that ended last.
    JobNamed(String),
    /// The cluster: its nodes.
    Cluster,
    /// Cancel the job.
    Cancel(JobId),
    /// End the present attempt and begin another.
    Restart(JobId),
    /// Stop the job with a savepoint, and suspend it. Answered when the intent is written.
    Suspend {
        /// Which.
        job: JobId,
        /// The id that the client has drawn for the savepoint.
        savepoint: SavepointId,
    },
    /// Run a suspended job again, or withdraw an intent to stop it.
    Resume(JobId),
    /// Give the job another number of tasks. Answered when the intent is written.
    Rescale {
        /// Which.
        job: JobId,
        /// How many.
        tasks: u32,
    },
    /// Make a savepoint; the job goes on. Answered when the intent is written, and the same again
    /// when the savepoint is there.
    Savepoint {
        /// Which.
        job: JobId,
        /// The id that the client has drawn.
        savepoint: SavepointId,
    },
    /// All savepoints that open records have.
    Savepoints,
    /// Delete a savepoint: from its record, if it has one, then its files.
    RemoveSavepoint(SavepointId),
    /// Forget a terminal job: its record is erased.
    Remove(JobId),
    /// Move the tasks of this TaskManager elsewhere and give it no more. By nonce or name.
    Drain(String),
    /// A person says that this TaskManager, and all that it ran, is gone for good (R8).
    Forget(String),
}

/// What somebody is told.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// To [`Question::Jobs`].
    Jobs(Vec<JobView>),
    /// To questions about one job, after what was wanted is written down.
    Job(Box<JobView>),
    /// To [`Question::Savepoints`].
    Savepoints(Vec<SavepointView>),
    /// To [`Question::Cluster`]: the TaskManagers. The JobManager fills in the id of the cluster,
    /// itself as the leader, and the JobManagers.
    Cluster(Box<ClusterView>),
    /// To wishes about nodes and removals.
    Done,
    /// No such job or node.
    NotFound(String),
    /// It cannot be done as things stand, and why.
    Conflict(String),
    /// The record of this job is damaged: what is wrong, and what to do.
    Damaged(String),
    /// The store did not take it in time. It may or may not have been written.
    Unknown(String),
}
