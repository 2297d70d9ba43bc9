//! [`LeaderEvent`]: what a leader learns.

use super::{Question, Ticket};
use crate::checkpoint::{CheckpointId, ManifestPointer, RestorePoint};
use crate::demand::Supply;
use crate::message::{Order, Refused, Report};
use crate::{JobId, JobRecord, NodeNonce, SavepointId};

/// What a leader learns.
#[derive(Clone, Debug)]
pub enum LeaderEvent {
    /// The records of jobs that there are, read within this term.
    Listed(Vec<JobId>),
    /// A record of a job may be new or changed: one that was created without leading.
    Hinted(JobId),
    /// A record was opened.
    Opened {
        /// Which.
        job: JobId,
        /// What was found.
        found: Opened,
    },
    /// The commit under way took effect.
    Committed(JobId),
    /// The commit or the erasure under way did not, or may not have.
    NotCommitted {
        /// Which.
        job: JobId,
        /// Why.
        why: Unwritten,
    },
    /// The record is gone from the store.
    Erased(JobId),
    /// A TaskManager reported. Its address was verified by connecting back, if the report is full.
    Reported {
        /// The report.
        report: Box<Report>,
        /// Where its orders go, if the report is full.
        address: Option<String>,
    },
    /// A TaskManager is proven dead, and so are all its tasks: its liveness endpoint is gone, for
    /// which each guard holds a copy (R9).
    Dead(NodeNonce),
    /// An order did not reach its TaskManager; it may have been carried out.
    Undelivered {
        /// Which TaskManager.
        to: NodeNonce,
        /// The order.
        order: Box<Order>,
        /// Why, for people.
        why: String,
    },
    /// All orders to this TaskManager up to this one arrived. Those that were refused came as
    /// [`LeaderEvent::OrderRefused`] before this.
    Delivered {
        /// Which TaskManager.
        to: NodeNonce,
        /// The number of the last one.
        seq: u64,
    },
    /// A TaskManager refused an order. A [`Refused::Older`] ends the term.
    OrderRefused {
        /// Which TaskManager.
        by: NodeNonce,
        /// The order.
        order: Box<Order>,
        /// Why.
        why: Refused,
    },
    /// Somebody asks.
    Asked {
        /// To name the answer by.
        ticket: Ticket,
        /// What.
        question: Question,
    },
    /// The manifest is durable.
    ManifestStored {
        /// Of which checkpoint.
        checkpoint: Box<CheckpointId>,
        /// Where it is.
        manifest: Box<ManifestPointer>,
    },
    /// The manifest could not be written, and will not be.
    ManifestNotStored {
        /// Of which checkpoint.
        checkpoint: Box<CheckpointId>,
        /// Why, for people.
        why: String,
        /// Whether the blobs are out: that does not count against the job.
        is_outage: bool,
    },
    /// What the blobs know of a savepoint whose job has no record any more, as
    /// [`LeaderAction::FindSavepoint`](super::LeaderAction) wanted.
    SavepointFound {
        /// Which.
        savepoint: SavepointId,
        /// What is known of it.
        found: FoundSavepoint,
    },
    /// The files of a savepoint that was asked to be removed are gone, or not.
    SavepointRemoved {
        /// Which.
        savepoint: SavepointId,
        /// Why not, if not: it may be tried again.
        why_not: Option<String>,
    },
    /// What is done about the slots that are missing, by the maker of TaskManagers.
    Supplied(Box<Supply>),
    /// The TaskManager of this name is not needed: it is to leave, if nothing is in it.
    Retire(String),
    /// Nothing but the time has changed.
    Tick,
}

/// What the blobs know of a savepoint.
#[derive(Clone, Debug)]
pub enum FoundSavepoint {
    /// It was committed.
    Found(Box<RestorePoint>),
    /// There is none.
    Absent,
    /// It cannot be read, and why: another version wrote it, or it is damaged.
    Damaged(String),
    /// The blobs do not answer: it may be tried again.
    Unavailable,
}

/// What opening a record found.
#[derive(Clone, Debug)]
pub enum Opened {
    /// It is sealed, and this is the state.
    Record(Box<JobRecord>),
    /// There is none, or it was deleted.
    Absent,
    /// It cannot be read. It is left alone, and so are its tasks (R10).
    Damaged(String),
    /// The store did not answer. Nothing is known; it is to be opened again.
    Unavailable,
}

/// Why a commit did not take effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unwritten {
    /// It did not. It may be tried again.
    NotApplied,
    /// It may have. The record must be opened again before anything is decided (R3).
    Unknown,
}
