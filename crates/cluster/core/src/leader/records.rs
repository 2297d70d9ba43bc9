//! What becomes of records: listed, opened, committed, erased.

use incumbent_core::Now;

use super::gangs;
use super::job::{Job, Write};
use super::jobs::Entry;
use super::names::NameClaim;
use super::settle::holds_slots;
use super::{Leader, LeaderAction, Opened, Unwritten};
use crate::JobId;
use crate::record::{FORMAT, JobRecord};

impl Leader {
    pub(super) fn listed(&mut self, now: Now, ids: &[JobId], out: &mut Vec<LeaderAction>) {
        let is_first = !self.adoption.was_listed();
        self.adoption.listed(now.time);
        for id in ids {
            if self.jobs.get(*id).is_none() {
                self.adoption.want(*id, false);
            }
        }
        if is_first {
            self.stories.begins(ids.len(), out);
            // Those whose tasks were reported already come first, since they run.
            for id in self.adoption.kept_jobs() {
                if self.adoption.is_pending(id) {
                    self.adoption.want(id, true);
                }
            }
        }
    }

    pub(super) fn hinted(&mut self, id: JobId) {
        match self.jobs.get(id) {
            // Only this leader changes it: the hint is about a commit of its own.
            Some(Entry::Open(_)) => {}
            // A person may have repaired it.
            Some(Entry::Damaged(_)) | None => self.adoption.want(id, false),
        }
    }

    pub(super) fn opened(
        &mut self,
        now: Now,
        id: JobId,
        found: Opened,
        out: &mut Vec<LeaderAction>,
    ) {
        let record = match found {
            Opened::Unavailable => {
                let random = self.dice.number();
                return self.adoption.unavailable(id, now.time, random);
            }
            Opened::Record(record) => *record,
            Opened::Damaged(why) => {
                self.adoption.opened(id);
                return self.damaged(now, id, why, out);
            }
            Opened::Absent => {
                self.adoption.opened(id);
                let was_known = self.jobs.get(id).is_some();
                self.drop_job(now, id);
                return self.answer_absent(id, was_known, out);
            }
        };
        self.adoption.opened(id);
        if let Some(why) = contradiction(id, &record) {
            return self.damaged(now, id, why, out);
        }
        match self.jobs.open_mut(id) {
            Some(job) if job.write == Write::Reopening => self.replace(now, id, record, out),
            Some(_) => {}
            None => self.take_in(now, record, out),
        }
    }

    /// A record that was not known is open.
    fn take_in(&mut self, now: Now, record: JobRecord, out: &mut Vec<LeaderAction>) {
        let id = record.id;
        let state = record.state;
        let mut job = Job::new(record, &self.nodes, now.time);
        if state.is_terminal() {
            self.terminal.insert(&job.record);
        } else if job.record.attempt.0 > 0 {
            job.claim = self.names.claim(&job.record.spec.name, id);
        }
        if holds_slots(state) {
            for place in &job.record.nodes {
                self.know_placed(now, place, out);
            }
            for rank in 0..job.record.placements.len() {
                let (Some(nonce), slot) = (job.nonce_of(rank), job.record.placements[rank].slot)
                else {
                    continue;
                };
                gangs::hold(&mut self.nodes, nonce, slot, id, now.time);
                let is_ours = self
                    .nodes
                    .get(nonce)
                    .is_some_and(|n| n.slots.is_held(slot, id));
                if is_ours {
                    job.held.push((nonce, slot));
                }
            }
            self.stories.adopted(&job);
        }
        if !state.is_terminal() {
            self.link(&job);
        }
        let is_new_to_all = self.adoption.is_complete();
        job.is_tidy_due = !state.is_terminal() && job.record.attempt.0 > 0;
        self.jobs.insert(id, Entry::Open(Box::new(job)));
        self.note_checkpoints(None, id, out);
        self.apply_kept(now, id);
        if is_new_to_all {
            self.claim_name(id);
        }
        self.touched.insert(id);
    }

    /// The record of a known job is this now.
    fn replace(&mut self, now: Now, id: JobId, record: JobRecord, out: &mut Vec<LeaderAction>) {
        let Some(job) = self.jobs.open_mut(id) else {
            return;
        };
        let known = job.record.clone();
        let before = known.state;
        for nonce in job.placed_on() {
            if let Some(node) = self.nodes.get_mut(nonce) {
                node.jobs.remove(&id);
            }
        }
        // Of an attempt that is replaced, some ranks may be where nothing was heard of (R8): they
        // are ended when something is heard.
        let cut_off: Vec<_> = (0..job.ranks.len())
            .filter(|rank| !job.ranks[*rank].is_over())
            .filter_map(|rank| Some((job.nonce_of(rank)?, job.task(rank))))
            .collect();
        let is_new_attempt = job.replace(record, &self.nodes, now.time);
        if !before.is_terminal() && job.record.state.is_terminal() {
            self.names.release(&job.record.spec.name, id);
            self.terminal.insert(&job.record);
        }
        self.stories.changed(&known, job, out);
        let places = job.placed_on();
        for nonce in places {
            if let Some(node) = self.nodes.get_mut(nonce) {
                node.jobs.insert(id);
            }
        }
        for (nonce, task) in cut_off {
            let is_dead = self.nodes.get(nonce).is_none_or(|node| node.is_dead);
            if is_new_attempt && !is_dead {
                self.stray(nonce, task);
            }
        }
        self.note_checkpoints(Some(&known), id, out);
        self.apply_kept(now, id);
        self.touched.insert(id);
    }

    pub(super) fn committed(&mut self, now: Now, id: JobId, out: &mut Vec<LeaderAction>) {
        let Some(job) = self.jobs.open_mut(id) else {
            return;
        };
        let Write::UnderWay(record) = std::mem::replace(&mut job.write, Write::Idle) else {
            return;
        };
        self.replace(now, id, *record, out);
    }

    pub(super) fn not_committed(&mut self, now: Now, id: JobId, why: Unwritten) {
        let random = self.dice.number();
        self.terminal.not_archived(id);
        let Some(job) = self.jobs.open_mut(id) else {
            return;
        };
        match (why, &job.write) {
            (_, Write::Idle | Write::Pausing(_) | Write::Reopening) => return,
            (Unwritten::NotApplied, _) => job.pause(now.time, random),
            (Unwritten::Unknown, _) => {
                job.write = Write::Reopening;
                self.adoption.want(id, true);
            }
        }
        self.touched.insert(id);
    }

    pub(super) fn erased(&mut self, now: Now, id: JobId, out: &mut Vec<LeaderAction>) {
        self.drop_job(now, id);
        self.answer_absent(id, true, out);
    }

    /// There is no such record (any more): what is left of the job is unknown.
    fn drop_job(&mut self, now: Now, id: JobId) {
        let record = self.jobs.open(id).map(|job| &job.record);
        let unpinned = self.catalog.forget(id, record);
        self.is_to_tidy(unpinned);
        if let Some(Entry::Open(mut job)) = self.jobs.remove(id) {
            self.gangs.leave(&job);
            self.names.release(&job.record.spec.name, id);
            self.terminal.remove(&job.record);
            self.stories.reported(id);
            self.release_all(&mut job, now);
            for nonce in job.placed_on() {
                if let Some(node) = self.nodes.get_mut(nonce) {
                    node.jobs.remove(&id);
                }
            }
            for rank in 0..job.ranks.len() {
                let nonce = job.nonce_of(rank);
                if let Some(nonce) = nonce.filter(|_| !job.ranks[rank].is_over()) {
                    self.stray(nonce, job.task(rank));
                }
            }
        }
        self.apply_kept(now, id);
    }

    fn damaged(&mut self, now: Now, id: JobId, why: String, out: &mut Vec<LeaderAction>) {
        if let Some(Entry::Open(mut job)) = self.jobs.remove(id) {
            self.gangs.leave(&job);
            self.names.release(&job.record.spec.name, id);
            self.release_all(&mut job, now);
        }
        self.stories.damaged(id, &why, out);
        self.jobs.insert(id, Entry::Damaged(why));
        // They are left alone: nothing is known of what they should be.
        let _ = self.adoption.take_kept(id);
        self.touched.insert(id);
    }

    /// All records are open: names can be decided, and gangs placed.
    pub(super) fn note_completeness(&mut self, now: Now, out: &mut Vec<LeaderAction>) {
        if !self.adoption.completes() {
            return;
        }
        let mut undecided: Vec<(u64, JobId)> = self
            .jobs
            .iter()
            .filter(|job| job.claim == NameClaim::Undecided && !job.record.state.is_terminal())
            .map(|job| (job.record.submitted_ms, job.record.id))
            .collect();
        undecided.sort_unstable();
        for (_, id) in undecided {
            self.claim_name(id);
        }
        for id in self.adoption.kept_jobs() {
            self.apply_kept(now, id);
        }
        let all: Vec<JobId> = self.jobs.iter().map(|job| job.record.id).collect();
        self.touched.extend(all);
        self.gangs.look();
        self.stories.complete(&self.jobs, &self.nodes, out);
        self.stories.told_if_all_reported(out);
        self.answer_about_all(now, out);
    }

    fn claim_name(&mut self, id: JobId) {
        let Some(job) = self.jobs.open_mut(id) else {
            return;
        };
        if job.claim == NameClaim::Undecided && !job.record.state.is_terminal() {
            job.claim = self.names.claim(&job.record.spec.name, id);
            self.touched.insert(id);
        }
    }

    fn link(&mut self, job: &Job) {
        for nonce in job.placed_on() {
            if let Some(node) = self.nodes.get_mut(nonce) {
                node.jobs.insert(job.record.id);
            }
        }
    }
}

/// Why a record cannot be what this leader understands.
fn contradiction(id: JobId, record: &JobRecord) -> Option<String> {
    if record.format != FORMAT {
        return Some(format!(
            "it has format {}, and this version reads {FORMAT}",
            record.format
        ));
    }
    if record.id != id {
        return Some(format!("it is of job {}", record.id));
    }
    let count = record.placements.len();
    if record.is_to_run() && count != record.tasks() as usize {
        return Some(format!("it places {count} ranks of {}", record.tasks()));
    }
    let is_dangling = |at: u32| at as usize >= record.nodes.len();
    if record
        .placements
        .iter()
        .any(|place| is_dangling(place.node))
    {
        return Some("it places a rank on a TaskManager that it does not name".to_owned());
    }
    None
}
