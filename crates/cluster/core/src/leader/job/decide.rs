//! Which commit is next for a job.

use incumbent_core::{Now, Time};

use super::checkpoints::{Purpose, commit};
use super::rank::RankState;
use super::{Job, Write, cause, change};
use crate::checkpoint::Intent;
use crate::leader::names::NameClaim;
use crate::leader::nodes::Nodes;
use crate::leader::presence::Presence;
use crate::leader::restart::after_end;
use crate::leader::{cause_of_absence, gangs};
use crate::{Cause, CauseKind, Desired, JobRecord, JobState, Restart};

/// What is to be done about the record of a job.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::leader) enum Decision {
    /// Nothing. If nothing happens, the job is looked at again at this time.
    Rest(Option<Time>),
    /// The next attempt is to be placed, when slots are there.
    Place,
    /// What the specification wants to start from is to be found, before anything is placed.
    Resolve,
    /// Slots are to be held for another number of tasks, while the present ones go on.
    Grow,
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
    if let Some(savepoint) = job.wishes.unlist {
        return commit(change::unlisted(&job.record, savepoint));
    }
    match job.record.state {
        JobState::Waiting => waiting(job, now),
        JobState::Running => running(job, nodes, now),
        JobState::Restarting => restarting(job, nodes, now),
        JobState::Stopping if job.record.closing.is_some() => running(job, nodes, now),
        JobState::Stopping => stopping(job, nodes, now),
        JobState::Suspended => suspended(job, now),
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
    let then = after_end(&job.record, &cause, ran);
    Decision::Commit(Box::new(change::attempt_ended(
        &job.record,
        cause,
        then,
        now,
    )))
}

fn waiting(job: &Job, now: Now) -> Decision {
    if job.is_to_be_canceled() {
        return commit(change::canceled(&job.record, now));
    }
    if let Some(next) = wished(job, now) {
        return next;
    }
    match job.claim {
        NameClaim::Undecided => Decision::Rest(None),
        NameClaim::Ours if has_no_origin_yet(job) => Decision::Resolve,
        NameClaim::Ours => Decision::Place,
        NameClaim::TakenBy(other) => {
            // The record stays, so that a submitter who missed the answer hears of it.
            let (id, name) = (job.record.id, &job.record.spec.name);
            let message = format!(
                "the name {name:?} belongs to job {other}, which has not ended, so nothing of this \
                 job has run; submit it under another name, or cancel that one first; `incumbent \
                 job rm {id}` takes this one off the list"
            );
            let cause = cause::plain(CauseKind::Refused, message);
            commit(change::refused(&job.record, cause, now))
        }
    }
}

fn running(job: &Job, nodes: &Nodes, now: Now) -> Decision {
    if job.is_to_be_canceled() {
        return commit(change::stopping(&job.record));
    }
    let awaited = job.cause_is_awaited_until(now.time);
    if let (Some(cause), None) = (&job.failure, awaited) {
        return end_attempt(job, cause.clone(), now);
    }
    if let Some(goal) = job.has_ended_well() {
        return commit(change::closed(&job.record, goal, now));
    }
    let mut until = awaited;
    let mut to_move = 0;
    for (at, rank) in job.ranks.iter().enumerate() {
        let Some(nonce) = job.nonce_of(at) else {
            let message = format!("the record does not say where rank {at} is");
            return end_attempt(job, cause::plain(CauseKind::TaskLost, message), now);
        };
        if job.is_rank_done(rank) {
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
    if awaited.is_some() {
        return Decision::Rest(until);
    }
    if job.record.closing.is_some() {
        // What is left is to publish, and to end.
        return Decision::Rest(until);
    }
    if job.checkpoints.gives_up_savepoint(&job.record) {
        return commit(change::savepoint_given_up(&job.record));
    }
    if let Some(record) = checkpointed(job, nodes, now) {
        return commit(record);
    }
    if let Some(next) = wished(job, now) {
        return next;
    }
    let grows = matches!(job.record.intent, Some(Intent::Rescale { .. }));
    if grows && job.checkpoints.pending.is_none() && !gangs::has_all(job, nodes, now.time) {
        return Decision::Grow;
    }
    // A job that is never restarted is not moved either: its TaskManager waits for it.
    if to_move > 0 && job.record.spec.restart != Restart::None {
        return Decision::Move(to_move);
    }
    Decision::Rest(until)
}

fn restarting(job: &Job, nodes: &Nodes, now: Now) -> Decision {
    let old = old_ranks(job, nodes, now.time);
    if job.is_to_be_canceled() {
        return commit(match old {
            OldRanks::Gone => change::canceled(&job.record, now),
            OldRanks::Wait(_) => change::stopping(&job.record),
        });
    }
    if let Some(next) = wished(job, now) {
        return next;
    }
    match old {
        OldRanks::Wait(until) => Decision::Rest(until),
        OldRanks::Gone if now.time < job.ready_at => Decision::Rest(Some(job.ready_at)),
        OldRanks::Gone => Decision::Place,
    }
}

fn stopping(job: &Job, nodes: &Nodes, now: Now) -> Decision {
    let is_canceled = job.is_to_be_canceled();
    if is_canceled && job.record.desired != Desired::Canceled {
        return commit(change::stopping(&job.record));
    }
    match old_ranks(job, nodes, now.time) {
        OldRanks::Gone if is_canceled => commit(change::canceled(&job.record, now)),
        OldRanks::Gone => commit(change::suspended(&job.record, now)),
        OldRanks::Wait(until) => Decision::Rest(until),
    }
}

fn suspended(job: &Job, now: Now) -> Decision {
    if job.is_to_be_canceled() {
        return commit(change::canceled(&job.record, now));
    }
    wished(job, now).unwrap_or(Decision::Rest(None))
}

/// What an owner wants, written down.
fn wished(job: &Job, now: Now) -> Option<Decision> {
    let wish = job.wishes.change?;
    Some(commit(change::wished(&job.record, wish, now)))
}

/// The record with the checkpoint that is ready to be committed.
fn checkpointed(job: &Job, nodes: &Nodes, now: Now) -> Option<JobRecord> {
    let pending = job.checkpoints.pending.as_ref()?;
    let wants_slots = matches!(job.record.intent, Some(Intent::Rescale { .. }));
    let lacks_slots = wants_slots && !gangs::has_all(job, nodes, now.time);
    let purpose = match pending.purpose {
        // The slots were lost meanwhile: they are waited for again.
        Purpose::Intent(Intent::Rescale { .. }) if lacks_slots => Purpose::Interval,
        // What an owner wants comes before the end, but for tasks that would have nothing to do.
        Purpose::Finish if job.record.intent.is_some() && !lacks_slots => Purpose::Interval,
        purpose => purpose,
    };
    commit::checkpointed(&job.record, pending, purpose, now)
}

/// Whether the specification names what the job starts from, and that was not found yet.
fn has_no_origin_yet(job: &Job) -> bool {
    let record = &job.record;
    record.spec.restore.is_some() && record.origin.is_none() && record.attempt.0 == 0
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

fn commit(record: JobRecord) -> Decision {
    Decision::Commit(Box::new(record))
}

fn earlier(one: Option<Time>, other: Option<Time>) -> Option<Time> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}
