//! TaskManagers between their reports: dialed, silent, dead; and what they have that nobody placed.

use std::time::Duration;

use incumbent_core::{Now, Time};

use super::timers::Timer;
use super::{Leader, LeaderAction};
use crate::message::Command;
use crate::record::PlacedNode;
use crate::{NodeNonce, TaskId};

/// Pause between two tries to reach a TaskManager that a record names.
const DIAL_EVERY: Duration = Duration::from_secs(2);

/// How long a TaskManager without tasks is shown after it has gone.
const SHOWN_FOR: Duration = Duration::from_secs(600);

/// Between SIGTERM and SIGKILL for a task that no record places.
const STRAY_GRACE_MS: u64 = 10_000;

impl Leader {
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
            // A gang may hold slots there that it can use no more.
            self.gangs.look();
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
}
