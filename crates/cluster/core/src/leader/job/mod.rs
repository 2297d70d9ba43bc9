//! [`Job`]: one job in one term.
//!
//! ```text
//!                  slots                 a rank fails, a TaskManager is gone
//!   waiting ─────────────────► running ────────────────────────────────────► restarting
//!      │                       │  │ ▲                                          │   │
//!      │                       │  │ └──────────────────────────────────────────┘   │
//!      │              all ranks│  │        old ranks gone, delay over, slots       │
//!      │              exited 0 │  │cancel                                          │cancel
//!      │cancel                 ▼  ▼                                                ▼
//!      └──► canceled       finished, stopping ───── old ranks gone ────► canceled ◄┘
//! ```
//!
//! What the record says is the state: every arrow is one commit, and nothing is ordered on the
//! strength of a commit that is not known to have happened (R3). Everything else here is in memory:
//! what TaskManagers report about the ranks of the record's attempt.
//!
//! `decide.rs` says which commit is next, `orders.rs` what is ordered meanwhile, `change.rs` makes
//! the next record, `rank.rs` is one rank, `cause.rs` words what failed.

pub(super) mod cause;
pub(super) mod change;
pub(super) mod checkpoints;
pub(super) mod decide;
pub(super) mod intents;
pub(super) mod orders;
pub(super) mod rank;

use std::time::Duration;

use incumbent_core::{Pace, Time};

use self::checkpoints::Checkpoints;
use self::intents::Wish;
use self::rank::{Rank, RankState};
use super::gangs;
use super::names::NameClaim;
use super::nodes::Nodes;
use super::restart;
use crate::checkpoint::{Goal, Intent};
use crate::exit;
use crate::message::{Refused, TaskReport, TaskState};
use crate::{
    Attempt, Cause, CauseKind, Desired, JobRecord, JobState, NodeNonce, SavepointId, TaskId,
};

/// First and longest pause before a commit that did not take effect is tried again.
const COMMIT_PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));

/// How long the end of a rank that has lost another one waits for that one's: reports of two
/// TaskManagers may overtake each other. While it passes, nothing of the job works.
const CAUSE_TIME: Duration = Duration::from_secs(1);

/// A job whose record is open.
#[derive(Debug)]
pub(super) struct Job {
    /// The record as it was committed last, or found.
    pub(super) record: JobRecord,
    /// What is under way with the record.
    pub(super) write: Write,
    /// The ranks of the record's attempt.
    pub(super) ranks: Vec<Rank>,
    /// What failed first in this attempt, or what seems to be the cause of that.
    pub(super) failure: Option<Cause>,
    /// Since when `failure` is the loss of another rank, whose own failure is waited for.
    failed_by_loss_at: Option<Time>,
    /// When the next attempt may begin, as far as the restart strategy goes.
    pub(super) ready_at: Time,
    /// Since when all ranks of this attempt run, or are done.
    pub(super) running_since: Option<Time>,
    /// Since when it wants slots that are not there.
    pub(super) waiting_since: Option<Time>,
    pub(super) claim: NameClaim,
    pub(super) wishes: Wishes,
    /// The slots that are held for it.
    pub(super) held: Vec<(NodeNonce, u32)>,
    /// Whether an earlier term placed this attempt.
    pub(super) is_adopted: bool,
    pub(super) checkpoints: Checkpoints,
    /// Whether the janitor is to be told what is listed, when it can be.
    pub(super) is_tidy_due: bool,
    pace: Pace,
}

/// What is under way with the record of a job. At most one thing is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Write {
    /// Nothing: the record is known.
    Idle,
    /// This body is being committed.
    UnderWay(Box<JobRecord>),
    /// A commit did not take effect: nothing is written before this moment.
    Pausing(Time),
    /// Its outcome is unknown: the record is being opened again (R3).
    Reopening,
    /// It is being erased.
    Erasing,
}

/// What people want, until it is written down.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Wishes {
    pub(super) cancel: bool,
    /// End this attempt and begin another.
    pub(super) restart: Option<Attempt>,
    pub(super) remove: bool,
    /// What needs a checkpoint, a stop or slots. It is looked at anew each time.
    pub(super) change: Option<Wish>,
    /// The savepoint that is to be removed from the record.
    pub(super) unlist: Option<SavepointId>,
}

impl Job {
    /// A job whose record was opened.
    pub(super) fn new(record: JobRecord, nodes: &Nodes, now: Time) -> Self {
        let (first, longest) = COMMIT_PAUSES;
        let is_adopted = !record.placements.is_empty();
        let mut job = Self {
            ranks: Vec::new(),
            record,
            write: Write::Idle,
            failure: None,
            failed_by_loss_at: None,
            ready_at: now,
            running_since: None,
            waiting_since: None,
            claim: NameClaim::Undecided,
            wishes: Wishes::default(),
            held: Vec::new(),
            is_adopted,
            checkpoints: Checkpoints::default(),
            is_tidy_due: false,
            pace: Pace::new(first, longest),
        };
        job.checkpoints.record_is(&job.record, true);
        job.begin_attempt(nodes);
        job.begin_state(now);
        job
    }

    /// The record is this now: a commit took effect, or it was opened again.
    ///
    /// Returns whether its ranks are others than before.
    pub(super) fn replace(&mut self, record: JobRecord, nodes: &Nodes, now: Time) -> bool {
        let before = (self.record.incarnation, self.record.attempt);
        let is_new_attempt = before != (record.incarnation, record.attempt);
        let is_new_state = is_new_attempt || self.record.state != record.state;
        // A job that is resumed has no ranks until it is placed.
        let has_left = record.placements.is_empty() && !self.ranks.is_empty();
        self.checkpoints.record_is(&record, is_new_attempt);
        self.wishes.change = None;
        let is_listed = |id: &SavepointId| record.savepoint(*id).is_some();
        self.wishes.unlist = self.wishes.unlist.filter(is_listed);
        self.record = record;
        self.write = Write::Idle;
        self.pace.reset();
        if is_new_attempt || has_left {
            self.is_adopted = false;
            self.begin_attempt(nodes);
        }
        if is_new_state {
            self.begin_state(now);
        }
        is_new_attempt || has_left
    }

    /// The commit under way did not take effect.
    pub(super) fn pause(&mut self, now: Time, random: u64) {
        self.write = Write::Pausing(now + self.pace.after_failure(random));
    }

    fn begin_attempt(&mut self, nodes: &Nodes) {
        self.failure = None;
        self.failed_by_loss_at = None;
        self.running_since = None;
        // Of a job that had ended before this term, every task that is reported is unknown.
        let has_ranks = !(self.record.state.is_at_rest() && self.is_adopted);
        let placements = self.record.placements.iter().filter(|_| has_ranks);
        self.ranks = placements
            .map(|placement| {
                let node = self.record.nodes.get(placement.node as usize);
                let is_known = node
                    .and_then(|node| nodes.get(node.nonce))
                    .is_some_and(|node| node.is_registered);
                Rank::new(if is_known {
                    RankState::Absent
                } else {
                    RankState::Unreported
                })
            })
            .collect();
    }

    fn begin_state(&mut self, now: Time) {
        self.waiting_since = None;
        if self.record.state == JobState::Restarting {
            self.ready_at = now + restart::delay(&self.record);
        }
    }

    /// Whether the commit under way ends it.
    pub(super) fn is_about_to_end(&self) -> bool {
        matches!(&self.write, Write::UnderWay(next) if next.state.is_terminal())
    }

    /// Where a rank of the record's attempt is.
    pub(super) fn nonce_of(&self, rank: usize) -> Option<NodeNonce> {
        let placement = self.record.placements.get(rank)?;
        Some(self.record.nodes.get(placement.node as usize)?.nonce)
    }

    /// The rank that this is, if the record places it there.
    pub(super) fn rank_of(&self, task: TaskId, at: NodeNonce) -> Option<usize> {
        let rank = task.rank.0 as usize;
        let is_it = task.incarnation == self.record.incarnation
            && task.attempt == self.record.attempt
            && rank < self.ranks.len()
            && self.nonce_of(rank) == Some(at);
        is_it.then_some(rank)
    }

    /// The task that a rank is.
    pub(super) fn task(&self, rank: usize) -> TaskId {
        TaskId {
            job: self.record.id,
            incarnation: self.record.incarnation,
            attempt: self.record.attempt,
            rank: crate::Rank(u32::try_from(rank).expect("a job has at most MOST_TASKS ranks")),
        }
    }

    /// A pause after a commit that did not take effect is over.
    pub(super) fn end_pause(&mut self, now: Time) {
        if matches!(self.write, Write::Pausing(until) if until <= now) {
            self.write = Write::Idle;
        }
    }

    /// Its TaskManager says how a rank is.
    pub(super) fn reported(
        &mut self,
        rank: usize,
        report: TaskReport,
        is_drained: bool,
        now: Time,
    ) {
        let seen = &mut self.ranks[rank];
        if matches!(seen.state, RankState::Ended(_)) {
            return;
        }
        seen.contract = report.contract;
        seen.progress = report.progress;
        let (acked, met) = (seen.contract.acked.take(), seen.contract.seen);
        seen.state = match report.state {
            TaskState::Starting => RankState::Starting,
            TaskState::Running { pid, since } => RankState::Running { pid, since },
            TaskState::Ending { pid } => RankState::Ending { pid },
            TaskState::Ended(end) => RankState::Ended(Box::new(end)),
        };
        self.checkpoints.met(met);
        if let Some(acked) = acked {
            self.checkpoints.acked(rank, acked);
        }
        if let Some(cause) = cause::of_rank(self, rank, is_drained) {
            self.failed(cause, now);
        }
        if let RankState::Ended(end) = &mut self.ranks[rank].state {
            // What is worth keeping of them is in the cause.
            end.last_lines = Vec::new();
        }
        if self.running_since.is_none() && self.ranks.iter().all(Rank::is_up) {
            self.running_since = Some(now);
        }
    }

    /// Its TaskManager registers anew. What was on its way to it before may never arrive: orders
    /// that are still called for are given again.
    pub(super) fn orders_may_be_lost(&mut self, rank: usize) {
        let seen = &mut self.ranks[rank];
        (seen.deploy, seen.end) = (None, None);
    }

    /// Its TaskManager has reported everything, and this rank was not in it.
    pub(super) fn not_reported(&mut self, rank: usize, now: Time) {
        self.orders_may_be_lost(rank);
        let seen = &mut self.ranks[rank];
        match seen.state {
            RankState::Unreported => seen.state = RankState::Absent,
            // The report may have been composed before the order to start it came.
            RankState::Absent | RankState::Ended(_) => {}
            RankState::Starting | RankState::Running { .. } | RankState::Ending { .. } => {
                seen.state = RankState::Ended(Box::new(cause::lost()));
                if let Some(cause) = cause::of_rank(self, rank, false) {
                    self.failed(cause, now);
                }
            }
        }
    }

    /// Its TaskManager refuses to start this rank.
    pub(super) fn refused(&mut self, rank: usize, why: &Refused, now: Time) {
        let kind = match why {
            Refused::Draining => CauseKind::Drained,
            _ => CauseKind::NotStarted,
        };
        let message = format!("rank {rank} could not be started: {why}");
        self.failed(cause::about(self, rank, kind, message), now);
    }

    /// Something of this attempt has failed. What failed first is the cause; but a rank that has
    /// lost another one often ends before that one's end is reported.
    fn failed(&mut self, cause: Cause, now: Time) {
        if !self.record.is_to_run() {
            return;
        }
        let is_consequence = exit::is_consequence(&cause);
        let is_better = match &self.failure {
            None => true,
            Some(before) => exit::is_consequence(before) && !is_consequence,
        };
        if is_better {
            self.failed_by_loss_at = is_consequence.then_some(now);
            self.failure = Some(cause);
        }
    }

    /// Until when the failure that is known waits for its cause; `None` if it is the cause, or no
    /// other comes.
    pub(super) fn cause_is_awaited_until(&self, now: Time) -> Option<Time> {
        let until = self.failed_by_loss_at? + CAUSE_TIME;
        let have_all_ended =
            (self.ranks.iter()).all(|rank| matches!(rank.state, RankState::Ended(_)));
        (now < until && !have_all_ended).then_some(until)
    }

    /// What the job is next, if all its ranks have ended as they should: with 0, and if they
    /// checkpoint, after they had published what its last checkpoint has committed (R5, R6).
    pub(super) fn has_ended_well(&self) -> Option<Goal> {
        let (goal, number) = match (self.record.is_checkpointing(), self.record.closing) {
            (true, closing) => closing.map(|closing| (closing.goal, closing.number))?,
            (false, _) => {
                return self
                    .ranks
                    .iter()
                    .all(Rank::is_done)
                    .then_some(Goal::Finished);
            }
        };
        let has_closed = |rank: &Rank| rank.has_closed(number);
        self.ranks.iter().all(has_closed).then_some(goal)
    }

    /// Whether this rank has nothing more to do in this attempt.
    pub(super) fn is_rank_done(&self, rank: &Rank) -> bool {
        match (self.record.is_checkpointing(), self.record.closing) {
            (true, Some(closing)) => rank.has_closed(closing.number),
            (true, None) => false,
            (false, _) => rank.is_done(),
        }
    }

    /// Whether it is to have more tasks, and waits for slots while the present ones go on.
    pub(super) fn waits_to_grow(&self, nodes: &Nodes, now: Time) -> bool {
        matches!(self.record.intent, Some(Intent::Rescale { .. }))
            && !gangs::has_all(self, nodes, now)
    }

    /// Whether its owner wants it canceled.
    pub(super) fn is_to_be_canceled(&self) -> bool {
        self.wishes.cancel || self.record.desired == Desired::Canceled
    }

    /// Whether the present attempt was placed by another term and not all of its ranks have been
    /// reported to this one.
    pub(super) fn is_unreported(&self) -> bool {
        self.is_adopted
            && !self.record.state.is_at_rest()
            && (self.ranks.iter()).any(|rank| rank.state == RankState::Unreported)
    }
}
