//! [`Leader`]: one term of a leading JobManager, over all jobs and TaskManagers.
//!
//! ```text
//!   the list, opened records, outcomes of commits ──►┌────────┐──► List, Open, Commit, Erase
//!   reports, verdicts on TaskManagers             ──►│ Leader │──► Order, Acknowledge, Watch
//!   questions and wishes, each with a ticket      ──►└────────┘──► Answer
//! ```
//!
//! It begins with nothing (R10): the JobManager lists and opens the records while reports come in.

use std::time::Duration;

use incumbent_core::{Now, Seal, Time};

use crate::message::{Ack, Order, Report};
use crate::record::PlacedNode;
use crate::view::{ClusterView, JobView};
use crate::{JobId, JobRecord, NodeNonce};

/// The numbers of a leader.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaderConfig {
    /// Silence after which a TaskManager counts as gone, for fenced jobs (R8), and how long a new
    /// leader waits for their ranks (R10).
    pub silence: Duration,
    /// The lease of the election: for how long a deposed leader may have acknowledged.
    pub lease: Duration,
    /// After which a waiting gang reserves slots as they come free (R2).
    pub reserve_after: Duration,
    /// How many records are opened at a time.
    pub most_opening: usize,
    /// How many terminal jobs stay in the store (R11).
    pub most_terminal: usize,
    /// Where TaskManagers send their reports: `http://host:port` of this JobManager.
    pub address: String,
}

/// Names a question until it is answered. The JobManager draws them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

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
    /// The commit under way did not, or may not have.
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
    /// A TaskManager refused an order. A [`Refused::Older`](crate::message::Refused) ends the term.
    OrderRefused {
        /// Which TaskManager.
        by: NodeNonce,
        /// The order.
        order: Box<Order>,
        /// Why.
        why: crate::message::Refused,
    },
    /// Somebody asks.
    Asked {
        /// To name the answer by.
        ticket: Ticket,
        /// What.
        question: Question,
    },
    /// Nothing but the time has changed.
    Tick,
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
    /// To [`Question::Cluster`].
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

/// What a leader wants done.
#[derive(Clone, Debug)]
pub enum LeaderAction {
    /// List the records of jobs.
    List,
    /// Open this record: read it, then seal it.
    Open(JobId),
    /// Commit this body to the open record. At most one a job is under way.
    Commit(Box<JobRecord>),
    /// Erase the open record of a terminal job, moving it to a blob first if told so (R11).
    Erase {
        /// Which.
        job: JobId,
        /// The body to keep in a blob, if it is to be kept.
        archive: Option<Box<JobRecord>>,
    },
    /// Dial a TaskManager that a record names and that has not reported to this term (R10).
    Dial(PlacedNode),
    /// Send this order.
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
    Tell(crate::leader::Story),
    /// The term is over: a TaskManager has seen a newer one.
    StepDown,
}

/// What is worth a line in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Story {
    /// The job, if it is about one.
    pub job: Option<JobId>,
    /// Its attempt.
    pub attempt: Option<crate::Attempt>,
    /// Whether a person should look.
    pub is_warning: bool,
    /// What happened, to what, why, what happens next.
    pub text: String,
}

/// One term of a leading JobManager.
#[derive(Debug)]
pub struct Leader {
    seal: Seal,
    config: LeaderConfig,
}

impl Leader {
    /// The term begins: `now` is not before the grant.
    pub fn new(config: LeaderConfig, seal: Seal, now: Now) -> Self {
        let _ = now;
        Self { seal, config }
    }

    /// Learns something, and says what to do.
    pub fn step(&mut self, now: Now, event: LeaderEvent) -> Vec<LeaderAction> {
        let _ = (now, event, &self.config);
        Vec::new()
    }

    /// When it wants a [`LeaderEvent::Tick`] at the latest.
    pub fn next_wake(&self) -> Option<Time> {
        None
    }

    /// The seal of the term.
    pub fn seal(&self) -> Seal {
        self.seal
    }
}
