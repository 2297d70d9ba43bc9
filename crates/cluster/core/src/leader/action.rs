//! [`LeaderAction`]: what a leader wants done.

use super::{Answer, Ticket};
use crate::checkpoint::{Manifest, RestorePoint, Savepoint};
use crate::message::{Ack, Order};
use crate::record::PlacedNode;
use crate::{Attempt, Incarnation, JobId, JobRecord, NodeNonce, SavepointId};

/// What a leader wants done.
#[derive(Clone, Debug)]
pub enum LeaderAction {
    /// List the records of jobs.
    List,
    /// Open this record: read it, then seal it. A record of a terminal job needs no seal before it
    /// is erased: nothing follows by itself, and nobody else writes it.
    Open(JobId),
    /// Commit this body to the open record. At most one a job is under way.
    Commit(Box<JobRecord>),
    /// Erase the record of a terminal job, moving it to a blob first if told so (R11). The answer
    /// is [`LeaderEvent::Erased`](super::LeaderEvent) or `NotCommitted`.
    Erase {
        /// Which.
        job: JobId,
        /// Its body: its savepoints are marked first, as [`LeaderAction::MarkSavepoint`] says.
        record: Box<JobRecord>,
        /// Whether the body is kept in a blob first.
        is_archived: bool,
    },
    /// Remember where this TaskManager is: a record names it, and it has not reported to this term
    /// (R10). The order to report follows, and again every few seconds until it does.
    Dial(PlacedNode),
    /// Send this order. Orders to one TaskManager arrive in the order in which they are given.
    Order(Box<Order>),
    /// Answer this report, if the guard of the term is valid at that moment.
    Acknowledge {
        /// Who reported.
        to: NodeNonce,
        /// The answer.
        ack: Ack,
    },
    /// Stay connected to the liveness endpoint of this TaskManager.
    Watch(PlacedNode),
    /// Stop that.
    Unwatch(NodeNonce),
    /// Answer a question.
    Answer {
        /// Which.
        ticket: Ticket,
        /// The answer.
        answer: Answer,
    },
    /// All ranks have acknowledged this checkpoint: write its manifest. The answer is a
    /// [`LeaderEvent::ManifestStored`](super::LeaderEvent) or `ManifestNotStored`.
    StoreManifest(Box<Manifest>),
    /// Look in the blobs for a savepoint that no open record has. The answer is a
    /// [`LeaderEvent::SavepointFound`](super::LeaderEvent).
    FindSavepoint(SavepointId),
    /// A record has this savepoint: say so beside its files, so that it is found when the record is
    /// gone. Not waited for; it is done again before the record is erased.
    MarkSavepoint {
        /// Whose it is.
        job: JobId,
        /// Which job of that id.
        incarnation: Incarnation,
        /// Its name, for people.
        name: String,
        /// What it is.
        savepoint: Box<Savepoint>,
    },
    /// No record names this savepoint (any more): delete its files. The answer is a
    /// [`LeaderEvent::SavepointRemoved`](super::LeaderEvent).
    RemoveSavepoint(SavepointId),
    /// This is listed now, and all else of the job may go as the janitor's rule says (R15). Given
    /// when a committed record has dropped something, or an attempt has ended; not waited for, and
    /// only the newest of a job counts.
    Tidy(Box<Tidy>),
    /// Log a line.
    Tell(Story),
    /// The term is over: a TaskManager has seen a newer one.
    StepDown,
}

/// What the janitor has to leave alone of one job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tidy {
    /// The job, whose record this term holds open.
    pub job: JobId,
    /// Which job of that id.
    pub incarnation: Incarnation,
    /// The present attempt.
    pub attempt: Attempt,
    /// Whether the ranks of lower attempts are gone, or count as gone (R8): what one of a fenced
    /// job that is cut off still stores is named by nothing, and goes the next time.
    pub are_older_gone: bool,
    /// All that is listed: checkpoints of the record, and what other jobs start from. Savepoints
    /// are not among them; their files lie elsewhere.
    pub listed: Vec<RestorePoint>,
}

/// What is worth a line in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Story {
    /// The job, if it is about one.
    pub job: Option<JobId>,
    /// Its attempt.
    pub attempt: Option<Attempt>,
    /// Whether a person should look.
    pub is_warning: bool,
    /// What happened, to what, why, what happens next.
    pub text: String,
}
