//! What became of orders: delivered, lost, refused.

use incumbent_core::Now;

use super::job::rank::RankState;
use super::timers::Timer;
use super::{Leader, LeaderAction};
use crate::message::{Command, Order, Refused};
use crate::{NodeNonce, TaskId};

impl Leader {
    pub(super) fn undelivered(
        &mut self,
        now: Now,
        to: NodeNonce,
        order: &Order,
        why: &str,
        out: &mut Vec<LeaderAction>,
    ) {
        // A TaskManager that was not reached is dialed again.
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
            Command::Contract { gang, .. } => {
                if let Some(job) = self.jobs.open_mut(gang.job) {
                    job.contract_undelivered(to, order.seq);
                    self.touched.insert(gang.job);
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
            self.touched
                .extend(self.nodes.get(to).into_iter().flat_map(|node| &node.jobs));
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
                self.not_begun(now, by, order, why);
                self.nodes.changed(by, now.time);
            }
            Refused::SlotTaken { .. } => self.not_begun(now, by, order, why),
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
    fn not_begun(&mut self, now: Now, at: NodeNonce, order: &Order, why: &Refused) {
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
            job.refused(rank, why, now.time);
            self.touched.insert(deploy.task.job);
        }
    }
}
