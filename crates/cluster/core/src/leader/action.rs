//! [`LeaderAction`]: what a leader wants done.

use super::{Answer, Ticket};
use crate::message::{Ack, Order};
use crate::record::PlacedNode;
use crate::{Attempt, JobId, JobRecord, NodeNonce};

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
        /// The body to keep in a blob, if it is to be kept.
        archive: Option<Box<JobRecord>>,
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
    /// Log a line.
    Tell(Story),
    /// The term is over: a TaskManager has seen a newer one.
    StepDown,
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
