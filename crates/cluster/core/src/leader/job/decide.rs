//! Which commit is next for a job.

use incumbent_core::{Now, Time};

use super::rank::RankState;
use super::{Job, Write, cause, change};
use crate::leader::cause_of_absence;
use crate::leader::names::NameClaim;
use crate::leader::nodes::Nodes;
use crate::leader::presence::Presence;
use crate::leader::restart::after_end;
use crate::{Cause, CauseKind, Desired, JobRecord, JobState, Restart};

/// What is to be done about the record of a job.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::leader) enum Decision {
    /// Nothing. If nothing happens, the job is looked at again at this time.
    Rest(Option<Time>),
    /// The next attempt is to be placed, when slots are there.
    Place,
    /// These many ranks are to be moved to other TaskManagers, when slots are there.
    Move(usize),
    /// This is to be committed.
    Commit(Box<JobRecord>),
    /// The record is to be erased: a person wants so.
    Erase,
}

/// Decides, if no write is under way and no pause after one.
pub(in crate::leader) fn decide(job: &Job, nodes: &Nodes, now: Now) -> Decision {
    match &job.write {
        Write::Idle => {}
        Write::Pausing(until) => return Decision::Rest(Some(*until)),
        Write::UnderWay(_) | Write::Reopening | Write::Erasing => return Decision::Rest(None),
    }
    match job.record.state {
        JobState::Waiting => waiting(job, now),
        JobState::Running => running(job, nodes, now),
        JobState::Restarting => restarting(job, nodes, now),
        JobState::Stopping => stopping(job, nodes, now),
        JobState::Suspended => Decision::Rest(None),
        JobState::Finished | JobState::Failed | JobState::Canceled => {
            if job.wishes.remove {
                Decision::Erase
            } else {
                Decision::Rest(None)
            }
        }
    }
}

/// The attempt ends with this cause. What follows says the restart strategy.
pub(in crate::leader) fn end_attempt(job: &Job, cause: Cause, now: Now) -> Decision {
    let ran = job.running_since.map(|since| now.time.since(since));
    let then = after_end(&job.record, cause.kind, ran);
    Decision::Commit(Box::new(change::attempt_ended(
        &job.record,
        cause,
        then,
        now,
    )))
}

fn waiting(job: &Job, now: Now) -> Decision {
    if wants_cancel(job) {
        return commit(change::canceled(&job.record, now));
    }
    match job.claim {
        NameClaim::Undecided => Decision::Rest(None),
        NameClaim::Ours => Decision::Place,
        NameClaim::TakenBy(other) => {
            let name = &job.record.spec.name;
            let message = format!(
                "the name {name:?} belongs to job {other}, which has not ended; submit this one \
                 under another name, or cancel that one first"
            );
            let cause = cause::plain(CauseKind::Refused, message);
            commit(change::refused(&job.record, cause, now))
        }
    }
}

fn running(job: &Job, nodes: &Nodes, now: Now) -> Decision {
    if wants_cancel(job) {
        return commit(change::stopping(&job.record));
    }
    if let Some(cause) = &job.failure {
        return end_attempt(job, cause.clone(), now);
    }
    if job.ranks.iter().all(super::Rank::is_done) {
        return commit(change::finished(&job.record, now));
    }
    let mut until = None;
    let mut to_move = 0;
    for (at, rank) in job.ranks.iter().enumerate() {
        let Some(nonce) = job.nonce_of(at) else {
            let message = format!("the record does not say where rank {at} is");
            return end_attempt(job, cause::plain(CauseKind::TaskLost, message), now);
        };
        if rank.is_done() {
            continue;
        }
        match nodes.presence(nonce, job.record.spec.isolation, now.time) {
            Presence::Gone(why) => {
                return end_attempt(job, cause_of_absence(job, at, why, now), now);
            }
            Presence::Silent { gone_at, .. } => until = earlier(until, gone_at),
            Presence::Here => {
                let never_began = matches!(rank.state, RankState::Absent);
                if never_began && nodes.unreachable_since(nonce, now.time).is_some() {
                    let message = format!(
                        "rank {at} could not be started: orders do not reach its TaskManager, \
                         whose reports arrive; is a connection back to it blocked?"
                    );
                    let cause = cause::about(job, at, CauseKind::NotStarted, message);
                    return end_attempt(job, cause, now);
                }
                if nodes.get(nonce).is_some_and(|node| node.is_draining) {
                    to_move += 1;
                }
            }
        }
    }
    if job.wishes.restart == Some(job.record.attempt) {
        let cause = cause::plain(
            CauseKind::Restarted,
            "a person restarted the job".to_owned(),
        );
        return end_attempt(job, cause, now);
    }
    // A job that is never restarted is not moved either: its TaskManager waits for it.
    if to_move > 0 && job.record.spec.restart != Restart::None {
        return Decision::Move(to_move);
    }
    Decision::Rest(until)
}

fn restarting(job: &Job, nodes: &Nodes, now: Now) -> Decision {
    let old = old_ranks(job, nodes, now.time);
    if wants_cancel(job) {
        return commit(match old {
            OldRanks::Gone => change::canceled(&job.record, now),
            OldRanks::Wait(_) => change::stopping(&job.record),
        });
    }
    match old {
        OldRanks::Wait(until) => Decision::Rest(until),
        OldRanks::Gone if now.time < job.ready_at => Decision::Rest(Some(job.ready_at)),
        OldRanks::Gone => Decision::Place,
    }
}

fn stopping(job: &Job, nodes: &Nodes, now: Now) -> Decision {
    match old_ranks(job, nodes, now.time) {
        OldRanks::Gone => commit(change::canceled(&job.record, now)),
        OldRanks::Wait(until) => Decision::Rest(until),
    }
}

/// Whether the ranks of an attempt that has ended are gone (R8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::leader) enum OldRanks {
    Gone,
    /// Not all; silence alone shows the next one gone at this time.
    Wait(Option<Time>),
}

/// Whether the ranks of an attempt that has ended are gone (R8): each reported ended by its guard,
/// proven dead, or silent for long enough.
///
/// A rank of a fenced job that cannot be told to end, though its TaskManager reports, is waited for
/// no longer than one that is silent.
pub(in crate::leader) fn old_ranks(job: &Job, nodes: &Nodes, now: Time) -> OldRanks {
    let may_overlap = !job.record.spec.isolation.is_exclusive();
    let mut is_gone = true;
    let mut until = None;
    for (at, rank) in job.ranks.iter().enumerate() {
        let Some(nonce) = job.nonce_of(at).filter(|_| !rank.is_over()) else {
            continue;
        };
        match nodes.presence(nonce, job.record.spec.isolation, now) {
            Presence::Gone(_) => {}
            Presence::Here if may_overlap && nodes.unreachable_since(nonce, now).is_some() => {}
            Presence::Here => is_gone = false,
            Presence::Silent { gone_at, .. } => {
                is_gone = false;
                until = earlier(until, gone_at);
            }
        }
    }
    if is_gone {
        OldRanks::Gone
    } else {
        OldRanks::Wait(until)
    }
}

fn wants_cancel(job: &Job) -> bool {
    job.wishes.cancel || job.record.desired == Desired::Canceled
}

fn commit(record: JobRecord) -> Decision {
    Decision::Commit(Box::new(record))
}

fn earlier(one: Option<Time>, other: Option<Time>) -> Option<Time> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}
