//! Settling a job after something has happened: its next commit, and its orders.

use std::collections::BTreeSet;

use incumbent_core::Now;

use super::gangs::{self, placement};
use super::job::decide::{Decision, decide, end_attempt};
use super::job::{Job, Write, cause, change};
use super::nodes::Nodes;
use super::timers::Timer;
use super::{Leader, LeaderAction};
use crate::{CauseKind, JobId, JobState, NodeNonce};

impl Leader {
    /// Settles every job that was touched, and serves the gangs that wait, until nothing changes.
    pub(super) fn settle_touched(&mut self, now: Now, out: &mut Vec<LeaderAction>) {
        self.note_completeness(now, out);
        loop {
            while let Some(id) = self.touched.pop_first() {
                self.look_at_wishes(now, id, out);
                self.settle(id, now, out);
                self.answer_about(id, now, out);
            }
            self.archive(out);
            if self.nodes.take_news() {
                self.gangs.look();
            }
            // Slots that a record holds which is not open yet are not known to be taken.
            if !self.adoption.is_complete() || !self.gangs.is_due() {
                break;
            }
            let (jobs, nodes) = (&mut self.jobs, &mut self.nodes);
            let found = self.gangs.serve(jobs, nodes, &self.config, now.time);
            if let Some(at) = found.again_at {
                self.timers.ring_by(Timer::Gangs, at);
            }
            self.touched.extend(found.served);
        }
        if self.questions.has_about_all() && self.adoption.is_complete() {
            self.answer_about_all(now, out);
        }
    }

    fn settle(&mut self, id: JobId, now: Now, out: &mut Vec<LeaderAction>) {
        let Some(job) = self.jobs.open_mut(id) else {
            return;
        };
        let nodes = &mut self.nodes;
        job.end_pause(now.time);
        job.advance_checkpoint(nodes, &self.config, now, out);
        let mut decision = decide(job, nodes, now);
        if decision == Decision::Resolve {
            decision = self.resolve(id, now, out);
        }
        let (Some(job), nodes) = (self.jobs.open_mut(id), &mut self.nodes) else {
            return;
        };
        if decision == Decision::Place
            && self.adoption.is_complete()
            && let Some((places, placements)) = placement(job, nodes, now.time)
        {
            let record = change::placed(&job.record, places, placements);
            decision = Decision::Commit(Box::new(record));
        }
        if matches!(decision, Decision::Move(_)) && gangs::has_all(job, nodes, now.time) {
            let message = "a TaskManager that it had tasks on is drained".to_owned();
            decision = end_attempt(job, cause::plain(CauseKind::Drained, message), now);
        }
        match decision {
            Decision::Rest(until) => {
                self.gangs.leave(job);
                if let Some(at) = until {
                    self.timers.ring_by(Timer::Job(id), at);
                }
            }
            Decision::Place | Decision::Move(_) | Decision::Grow => self.gangs.wait(job),
            // What it waits for, `resolve` has said.
            Decision::Resolve => {}
            Decision::Commit(record) => {
                self.gangs.leave(job);
                job.write = Write::UnderWay(record.clone());
                out.push(LeaderAction::Commit(record));
            }
            // Since it was asked for, another job has begun to start from it.
            Decision::Erase if self.catalog.pinned_by(id).is_some() => {
                job.wishes.remove = false;
                self.gangs.leave(job);
            }
            Decision::Erase => {
                self.gangs.leave(job);
                job.write = Write::Erasing;
                out.push(LeaderAction::Erase {
                    job: id,
                    record: Box::new(job.record.clone()),
                    is_archived: false,
                });
            }
        }
        if job.record.is_to_run() {
            gangs::release_surplus(job, nodes, now.time);
            job.begin_checkpoint(nodes, &self.config, self.granted_at, now.time);
        }
        job.give_orders(nodes, now.time, out);
        if let Some(at) = job.checkpoint_wake(nodes, &self.config, now.time) {
            self.timers.ring_by(Timer::Job(id), at);
        }
        if job.record.state.is_at_rest() && leave_slots(job, nodes, now) {
            self.gangs.look();
        }
        if self.stories.is_awaited(id) && !job.is_unreported() {
            self.stories.reported(id);
            self.stories.told_if_all_reported(out);
        }
        self.tidy(id, now, out);
    }

    /// Moves the oldest terminal jobs to blobs while there are too many.
    fn archive(&mut self, out: &mut Vec<LeaderAction>) {
        if !self.adoption.is_complete() {
            return;
        }
        let catalog = &self.catalog;
        let is_pinned = |job| catalog.pinned_by(job).is_some();
        while let Some(id) = self.terminal.next_to_archive(is_pinned) {
            let Some(job) = self
                .jobs
                .open_mut(id)
                .filter(|job| job.write == Write::Idle)
            else {
                return self.terminal.not_archived(id);
            };
            job.write = Write::Erasing;
            out.push(LeaderAction::Erase {
                job: id,
                record: Box::new(job.record.clone()),
                is_archived: true,
            });
        }
    }

    /// Holds no slot for a job any more that is about to leave the table.
    pub(super) fn release_all(&mut self, job: &mut Job, now: Now) {
        let id = job.record.id;
        release_where(
            job,
            |_| true,
            |nonce, slot| {
                gangs::release(&mut self.nodes, nonce, slot, id, now.time);
            },
        );
        self.gangs.look();
    }
}

fn release_where(
    job: &mut Job,
    is_free: impl Fn(&(NodeNonce, u32)) -> bool,
    mut release: impl FnMut(NodeNonce, u32),
) {
    let held = std::mem::take(&mut job.held);
    for slot in held {
        if is_free(&slot) {
            release(slot.0, slot.1);
        } else {
            job.held.push(slot);
        }
    }
}

/// Gives back the slots in which nothing of a job that has ended is left. Returns whether there
/// were any.
fn leave_slots(job: &mut Job, nodes: &mut Nodes, now: Now) -> bool {
    let id = job.record.id;
    let mut taken = BTreeSet::new();
    for rank in 0..job.ranks.len() {
        let nonce = job.nonce_of(rank).filter(|_| !job.ranks[rank].is_over());
        let is_there = |nonce| nodes.get(nonce).is_some_and(|node| !node.is_dead);
        if let Some(nonce) = nonce.filter(|nonce| is_there(*nonce)) {
            taken.insert((nonce, job.record.placements[rank].slot));
        }
    }
    if taken.is_empty() {
        for nonce in job.placed_on() {
            if let Some(node) = nodes.get_mut(nonce) {
                node.jobs.remove(&id);
            }
        }
    }
    let held = job.held.len();
    release_where(
        job,
        |held| !taken.contains(held),
        |nonce, slot| {
            gangs::release(nodes, nonce, slot, id, now.time);
        },
    );
    job.held.len() < held
}

/// Whether a job in this state holds the slots of its placements.
pub(super) fn holds_slots(state: JobState) -> bool {
    match state {
        JobState::Running | JobState::Restarting | JobState::Stopping => true,
        JobState::Waiting
        | JobState::Suspended
        | JobState::Finished
        | JobState::Failed
        | JobState::Canceled => false,
    }
}
