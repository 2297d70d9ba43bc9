//! What TaskManagers report, and what becomes known about them.

use std::time::Duration;

use incumbent_core::{Now, Time};

use super::job::rank::RankState;
use super::jobs::Entry;
use super::nodes::MOST_NODES;
use super::timers::Timer;
use super::{Leader, LeaderAction};
use crate::message::{Ack, Command, Order, Refused, Report, TaskReport, TaskState};
use crate::record::PlacedNode;
use crate::{JobId, NodeNonce, TaskId};

/// Pause between two tries to reach a TaskManager that a record names.
const DIAL_EVERY: Duration = Duration::from_secs(2);

/// How long a TaskManager without tasks is shown after it has gone.
const SHOWN_FOR: Duration = Duration::from_secs(600);

/// Between SIGTERM and SIGKILL for a task that no record places.
const STRAY_GRACE_MS: u64 = 10_000;

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
        } else if let Some(node) = self.nodes.get_mut(nonce) {
            node.heard_at = Some(now.time);
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
        // Whoever has tasks is taken in, whatever its name: they are somebody's work.
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
            self.task_reported(now, nonce, task);
        }
        for id in jobs {
            let Some(job) = self.jobs.open_mut(id) else {
                continue;
            };
            for rank in 0..job.ranks.len() {
                if job.nonce_of(rank) == Some(nonce) && !reported.contains(&job.task(rank)) {
                    job.not_reported(rank);
                }
            }
            self.touched.insert(id);
        }
        self.nodes.changed(nonce, now.time);
        self.timers
            .ring_by(Timer::Node(nonce), now.time + self.config.silence);
    }

    /// One task, as its TaskManager has it.
    fn task_reported(&mut self, now: Now, from: NodeNonce, report: TaskReport) {
        let task = report.task;
        let is_over = matches!(report.state, TaskState::Ended(_));
        let mut holder = None;
        if let Some(node) = self.nodes.get_mut(from) {
            if is_over {
                holder = node.slots.leave(report.slot, task);
                self.gangs.look();
            } else {
                node.slots.take(report.slot, task);
            }
        }
        self.nodes.changed(from, now.time);
        self.touched.extend(holder);
        match self.jobs.get(task.job) {
            Some(Entry::Damaged(_)) => {}
            Some(Entry::Open(job)) => match job.rank_of(task, from) {
                Some(rank) => {
                    let job = self.jobs.open_mut(task.job).expect("it was open above");
                    job.reported(rank, report, now.time);
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
    pub(super) fn apply_kept(&mut self, now: Now, id: JobId, _out: &mut Vec<LeaderAction>) {
        if self.jobs.get(id).is_none()
            && (self.adoption.is_pending(id) || !self.adoption.was_listed())
        {
            return;
        }
        for (from, report) in self.adoption.take_kept(id) {
            let is_over = matches!(report.state, TaskState::Ended(_));
            match self.jobs.open_mut(id) {
                Some(job) => match job.rank_of(report.task, from) {
                    Some(rank) => job.reported(rank, report, now.time),
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

    /// This task is to be ended, since no record places it.
    pub(super) fn stray(&mut self, at: NodeNonce, task: TaskId) {
        if let Some(node) = self.nodes.get_mut(at) {
            node.strays.entry(task).or_insert(false);
            self.timers.ring_by(Timer::Node(at), self.stepped_at);
        }
    }

    fn end_strays(&mut self, nonce: NodeNonce, now: Time, out: &mut Vec<LeaderAction>) {
        if !self.nodes.takes_orders(nonce, now) {
            return;
        }
        let Some(node) = self.nodes.get_mut(nonce) else {
            return;
        };
        let strays: Vec<TaskId> = (node.strays.iter_mut())
            .filter(|(_, is_ordered)| !**is_ordered)
            .map(|(task, is_ordered)| {
                *is_ordered = true;
                *task
            })
            .collect();
        let name = node.place.name.clone();
        self.stories.strays(&name, &strays, out);
        for task in strays {
            let grace_ms = STRAY_GRACE_MS;
            self.nodes
                .order(nonce, Command::End { task, grace_ms }, out);
        }
    }

    /// A record names this TaskManager: it is dialed until it reports (R10).
    pub(super) fn know_placed(
        &mut self,
        now: Now,
        place: &PlacedNode,
        out: &mut Vec<LeaderAction>,
    ) {
        if self.nodes.get(place.nonce).is_none() {
            self.nodes.know(place);
            out.push(LeaderAction::Watch(place.clone()));
            self.dial(place.clone(), out);
            let again = now.time + DIAL_EVERY;
            self.timers.ring_by(Timer::Node(place.nonce), again);
        }
    }

    fn dial(&mut self, place: PlacedNode, out: &mut Vec<LeaderAction>) {
        let nonce = place.nonce;
        out.push(LeaderAction::Dial(place));
        let leader = self.config.address.clone();
        self.nodes.order(nonce, Command::Report { leader }, out);
    }

    /// A TaskManager, and all that it ran, is gone for good.
    pub(super) fn dead(
        &mut self,
        now: Now,
        nonce: NodeNonce,
        why: &str,
        out: &mut Vec<LeaderAction>,
    ) {
        let Some(node) = self.nodes.get_mut(nonce).filter(|node| !node.is_dead) else {
            return;
        };
        node.is_dead = true;
        node.is_registered = false;
        node.strays.clear();
        node.forget.clear();
        self.touched.extend(&node.jobs);
        self.stories.gone(node, why, out);
        out.push(LeaderAction::Unwatch(nonce));
        self.adoption.forget_kept(nonce);
        self.nodes.changed(nonce, now.time);
        self.timers
            .ring_by(Timer::Node(nonce), now.time + SHOWN_FOR);
        self.gangs.look();
    }

    /// Looks at a TaskManager again: its silence, and what it was not told yet.
    pub(super) fn look_at_node(&mut self, now: Now, nonce: NodeNonce, out: &mut Vec<LeaderAction>) {
        let since = self.nodes.silent_since(nonce);
        let is_silent = self.nodes.is_silent(nonce, now.time);
        self.nodes.changed(nonce, now.time);
        self.end_strays(nonce, now.time, out);
        let takes_orders = self.nodes.takes_orders(nonce, now.time);
        let Some(node) = self.nodes.get_mut(nonce) else {
            return;
        };
        let is_unused = node.jobs.is_empty() && (node.is_dead || is_silent);
        if is_unused && now.time.since(since) >= SHOWN_FOR {
            if !node.is_dead {
                out.push(LeaderAction::Unwatch(nonce));
            }
            return self.nodes.remove(nonce);
        }
        if node.is_dead {
            return self
                .timers
                .ring_by(Timer::Node(nonce), now.time + SHOWN_FOR);
        }
        if is_silent {
            self.touched.extend(&node.jobs);
            self.stories.silent(node, out);
        }
        let mut again = if is_silent {
            now.time + self.config.silence
        } else {
            since + self.config.silence
        };
        if !node.is_registered {
            let place = node.place.clone();
            self.dial(place, out);
            again = again.min(now.time + DIAL_EVERY);
        }
        let Some(node) = self.nodes.get_mut(nonce) else {
            return;
        };
        if node.failing_since.is_some() {
            if takes_orders {
                // Also shows whether orders arrive again, if nothing is left to forget.
                self.touched.extend(&node.jobs);
                let tasks = std::mem::take(&mut node.forget);
                self.nodes.order(nonce, Command::Forget { tasks }, out);
            } else if let Some(until) = node.hold_until {
                again = again.min(until);
            }
        }
        // A moment that is over would ring without end.
        let again = again.max(now.time + Duration::from_millis(1));
        self.timers.ring_by(Timer::Node(nonce), again);
    }

    pub(super) fn undelivered(
        &mut self,
        now: Now,
        to: NodeNonce,
        order: &Order,
        why: &str,
        out: &mut Vec<LeaderAction>,
    ) {
        // Who is dialed in vain is dialed again.
        let is_dial = matches!(order.command, Command::Report { .. });
        if order.seal != self.seal || is_dial {
            return;
        }
        let random = self.dice.number();
        let was_failing = self
            .nodes
            .get(to)
            .is_some_and(|n| n.failing_since.is_some());
        let Some(until) = self.nodes.undelivered(to, now.time, random) else {
            return;
        };
        self.order_again(to, order);
        if !was_failing {
            let name = self.nodes.get(to).map_or("", |node| &node.place.name);
            self.stories.undelivered(name, why, out);
        }
        self.nodes.changed(to, now.time);
        self.timers.ring_by(Timer::Node(to), until);
        let unreachable_at = now.time + self.config.silence;
        for id in self.nodes.get(to).into_iter().flat_map(|node| &node.jobs) {
            self.timers.ring_by(Timer::Job(*id), unreachable_at);
        }
    }

    /// What this order wanted is to be ordered again, if it is still wanted.
    fn order_again(&mut self, to: NodeNonce, order: &Order) {
        match &order.command {
            Command::Deploy(deploy) => self.order_task_again(to, deploy.task, order.seq),
            Command::End { task, .. } => {
                self.order_task_again(to, *task, order.seq);
                if let Some(node) = self.nodes.get_mut(to)
                    && let Some(is_ordered) = node.strays.get_mut(task)
                {
                    *is_ordered = false;
                }
            }
            Command::Forget { tasks } => {
                for task in tasks {
                    self.nodes.forget(to, *task);
                }
            }
            // Ordered again when the question is looked at.
            Command::Drain => {
                if let Some(node) = self.nodes.get_mut(to) {
                    node.is_drain_ordered = false;
                }
            }
            Command::Report { .. } => {}
        }
    }

    fn order_task_again(&mut self, to: NodeNonce, task: TaskId, seq: u64) {
        if let Some(job) = self.jobs.open_mut(task.job) {
            job.undelivered(to, seq);
            self.touched.insert(task.job);
        }
    }

    pub(super) fn delivered(&mut self, now: Now, to: NodeNonce) {
        let was_failing = self
            .nodes
            .get(to)
            .is_some_and(|n| n.failing_since.is_some());
        self.nodes.delivered(to);
        if was_failing {
            self.nodes.changed(to, now.time);
            self.gangs.look();
            self.timers.ring_by(Timer::Node(to), now.time);
        }
    }

    pub(super) fn order_refused(
        &mut self,
        now: Now,
        by: NodeNonce,
        order: &Order,
        why: &Refused,
        out: &mut Vec<LeaderAction>,
    ) {
        if order.seal != self.seal {
            return;
        }
        match why {
            Refused::Older { newest } => {
                self.is_over |= newest.outranks(self.seal);
            }
            Refused::Overtaken { .. } => self.order_again(by, order),
            Refused::Draining => {
                if let Some(node) = self.nodes.get_mut(by) {
                    node.is_draining = true;
                    self.touched.extend(&node.jobs);
                }
                self.not_begun(by, order, why);
                self.nodes.changed(by, now.time);
            }
            Refused::SlotTaken { .. } => self.not_begun(by, order, why),
            // As if it had not arrived: it may be another process, or a moment.
            Refused::SomebodyElse { .. } | Refused::Remembering { .. } => {
                self.undelivered(now, by, order, &why.to_string(), out);
                if let Some(node) = self.nodes.get_mut(by) {
                    node.was_refused = true;
                }
            }
        }
    }

    /// A rank cannot be started where the record places it.
    fn not_begun(&mut self, at: NodeNonce, order: &Order, why: &Refused) {
        let Command::Deploy(deploy) = &order.command else {
            return;
        };
        let Some(job) = self.jobs.open_mut(deploy.task.job) else {
            return;
        };
        let Some(rank) = job.rank_of(deploy.task, at) else {
            return;
        };
        if job.ranks[rank].state == RankState::Absent {
            job.refused(rank, why);
            self.touched.insert(deploy.task.job);
        }
    }
}
