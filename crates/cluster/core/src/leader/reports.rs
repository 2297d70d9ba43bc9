//! What TaskManagers report, and what becomes known about them.

use incumbent_core::Now;

use super::jobs::Entry;
use super::nodes::MOST_NODES;
use super::timers::Timer;
use super::{Leader, LeaderAction};
use crate::message::{Ack, Report, TaskReport, TaskState};
use crate::record::PlacedNode;
use crate::{JobId, NodeNonce, TaskId};

/// Most tasks in one report that are looked at: more than any TaskManager has slots.
const MOST_REPORTED: usize = 100_000;

impl Leader {
    pub(super) fn reported(
        &mut self,
        now: Now,
        mut report: Report,
        address: Option<String>,
        out: &mut Vec<LeaderAction>,
    ) {
        if report.seal.outranks(self.seal) {
            self.is_over = true;
            return;
        }
        let (nonce, seq) = (report.from, report.seq);
        // Composed before it knew of this term: an older leader's orders may still come (R7).
        let is_of_this_term = report.seal == self.seal;
        let is_full = report.is_full && report.node.is_some();
        let known = self.nodes.get(nonce);
        let is_registered = known.is_some_and(|node| node.is_registered);
        let is_stale = known
            .and_then(|node| node.last_seq)
            .is_some_and(|last| seq <= last);
        let refused = if is_of_this_term && is_full && !is_registered {
            self.reason_to_refuse(now, &report)
        } else {
            None
        };
        let is_taken = is_of_this_term && !is_stale && refused.is_none();
        if is_taken && (is_full || is_registered) {
            report.tasks.truncate(MOST_REPORTED);
            self.take_report(now, report, address, out);
        } else if !self.nodes.note_heard(nonce, now.time) {
            return;
        }
        let (is_registered, forget) = match self.nodes.get_mut(nonce) {
            Some(node) if node.is_registered => (true, std::mem::take(&mut node.forget)),
            Some(_) | None => (false, Vec::new()),
        };
        let ack = Ack {
            seal: self.seal,
            seq,
            is_registered,
            forget,
            refused,
        };
        out.push(LeaderAction::Acknowledge { to: nonce, ack });
    }

    fn reason_to_refuse(&self, now: Now, report: &Report) -> Option<String> {
        let info = report.node.as_ref()?;
        // A process that has tasks is taken in, whatever its name: they are somebody's work.
        if !report.tasks.is_empty() {
            return None;
        }
        let is_other = |(nonce, node): &(NodeNonce, &super::nodes::Node)| {
            *nonce != report.from
                && node.is_registered
                && node.place.name == info.name
                && !self.nodes.is_silent(*nonce, now.time)
        };
        if let Some((nonce, other)) = self.nodes.iter().find(is_other) {
            return Some(format!(
                "the name {:?} belongs to another TaskManager that lives, {nonce} at {}; start \
                 this one with another --name",
                info.name, other.place.address
            ));
        }
        (self.nodes.len() >= MOST_NODES)
            .then(|| format!("the cluster has {MOST_NODES} TaskManagers, which is the most"))
    }

    fn take_report(
        &mut self,
        now: Now,
        report: Report,
        address: Option<String>,
        out: &mut Vec<LeaderAction>,
    ) {
        let nonce = report.from;
        let is_full = report.is_full && report.node.is_some();
        let name = report.node.as_ref().map_or("", |info| &info.name);
        let node = self.nodes.know(&PlacedNode {
            nonce,
            name: name.to_owned(),
            address: address.clone().unwrap_or_default(),
            liveness: None,
        });
        let is_new = !node.is_registered;
        let (was_draining, had_blobs) = (node.is_draining, node.has_blobs);
        node.take_report(&report, address.as_deref(), now.time);
        let has_changed = was_draining != node.is_draining || had_blobs != node.has_blobs;
        if is_full || has_changed || report.ports.is_some() {
            self.touched.extend(&node.jobs);
            self.gangs.look();
        }
        if is_full {
            self.adoption.forget_kept(nonce);
            if is_new {
                out.push(LeaderAction::Watch(node.place.clone()));
                self.stories
                    .registered(node, self.adoption.is_complete(), out);
            }
        }
        let jobs: Vec<JobId> = if is_full {
            node.jobs.iter().copied().collect()
        } else {
            Vec::new()
        };
        let reported: std::collections::BTreeSet<TaskId> = if is_full {
            report.tasks.iter().map(|report| report.task).collect()
        } else {
            std::collections::BTreeSet::new()
        };
        if has_changed {
            self.answer_about_all(now, out);
        }
        for task in report.tasks {
            self.task_reported(now, nonce, task, is_full);
        }
        for id in jobs {
            let Some(job) = self.jobs.open_mut(id) else {
                continue;
            };
            job.contract_orders_may_be_lost(nonce);
            for rank in 0..job.ranks.len() {
                if job.nonce_of(rank) == Some(nonce) && !reported.contains(&job.task(rank)) {
                    job.not_reported(rank, now.time);
                }
            }
            self.touched.insert(id);
        }
        self.nodes.changed(nonce, now.time);
        self.timers
            .ring_by(Timer::Node(nonce), now.time + self.config.silence);
    }

    /// One task, as its TaskManager has it.
    fn task_reported(&mut self, now: Now, from: NodeNonce, report: TaskReport, is_full: bool) {
        let task = report.task;
        let is_over = matches!(report.state, TaskState::Ended(_));
        let is_drained = self.nodes.get(from).is_some_and(|node| node.is_draining);
        let mut holder = None;
        if let Some(node) = self.nodes.get_mut(from) {
            if is_over {
                holder = node.slots.leave(report.slot, task);
                self.gangs.look();
            } else {
                node.slots.take(report.slot, task);
            }
        }
        self.touched.extend(holder);
        match self.jobs.get(task.job) {
            Some(Entry::Damaged(_)) => {}
            Some(Entry::Open(job)) => match job.rank_of(task, from) {
                Some(rank) => {
                    let job = self.jobs.open_mut(task.job).expect("it was open above");
                    if is_full {
                        job.orders_may_be_lost(rank);
                    }
                    job.reported(rank, report, is_drained, now.time);
                    self.touched.insert(task.job);
                }
                None => self.unknown_task(from, task, is_over),
            },
            None if self.adoption.is_complete() && !self.adoption.is_pending(task.job) => {
                self.unknown_task(from, task, is_over);
            }
            None => self.adoption.keep(from, report),
        }
    }

    /// What was reported before the record was open.
    pub(super) fn apply_kept(&mut self, now: Now, id: JobId) {
        if self.jobs.get(id).is_none()
            && (self.adoption.is_pending(id) || !self.adoption.was_listed())
        {
            return;
        }
        for (from, report) in self.adoption.take_kept(id) {
            let is_over = matches!(report.state, TaskState::Ended(_));
            let is_drained = self.nodes.get(from).is_some_and(|node| node.is_draining);
            match self.jobs.open_mut(id) {
                Some(job) => match job.rank_of(report.task, from) {
                    Some(rank) => job.reported(rank, report, is_drained, now.time),
                    None => self.unknown_task(from, report.task, is_over),
                },
                None => self.unknown_task(from, report.task, is_over),
            }
        }
    }

    /// Its own record is open and does not place it, or there is no such record: it is ended (R10).
    fn unknown_task(&mut self, at: NodeNonce, task: TaskId, is_over: bool) {
        if is_over {
            if let Some(node) = self.nodes.get_mut(at) {
                node.strays.remove(&task);
            }
            self.nodes.forget(at, task);
        } else {
            self.stray(at, task);
        }
    }
}
