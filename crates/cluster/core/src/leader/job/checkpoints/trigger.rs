//! When a checkpoint begins, and for what.

use std::time::Duration;

use incumbent_core::Time;

use super::pending::{Pending, Purpose};
use crate::JobState;
use crate::checkpoint::Intent;
use crate::leader::job::{Job, Write};
use crate::leader::nodes::Nodes;
use crate::leader::{LeaderConfig, gangs};

impl Job {
    /// Begins a checkpoint, if one is due: the ranks are asked by the next orders.
    ///
    /// The number is above all that were completed, seen by a TaskManager of the attempt, or given
    /// out by this term.
    pub(in crate::leader) fn begin_checkpoint(
        &mut self,
        nodes: &Nodes,
        config: &LeaderConfig,
        granted_at: Time,
        now: Time,
    ) {
        if self.record.state != JobState::Running || self.checkpointing().is_none() {
            return;
        }
        if self.checkpoints.counted_from.is_none() && self.are_all_ready() {
            let from = if self.is_adopted { granted_at } else { now };
            self.checkpoints.counted_from = Some(from);
        }
        let may_begin = self.write == Write::Idle
            && self.failure.is_none()
            && self.checkpoints.pending.is_none()
            && self.checkpoints.hold_until.is_none_or(|until| until <= now)
            && self.can_ask_all(nodes, now);
        if !may_begin {
            return;
        }
        if let Some(purpose) = self.due_purpose(nodes, config, now) {
            let number = self.checkpoints.highest + 1;
            self.checkpoints.highest = number;
            self.checkpoints.counted_from = Some(now);
            self.checkpoints.owes_plain = false;
            let pending = Pending::new(number, purpose, self.ranks.len(), now);
            self.checkpoints.pending = Some(pending);
        }
    }

    /// When the checkpoints of this job are to be looked at, if nothing happens before.
    pub(in crate::leader) fn checkpoint_wake(
        &self,
        nodes: &Nodes,
        config: &LeaderConfig,
        now: Time,
    ) -> Option<Time> {
        let at = match &self.checkpoints.pending {
            Some(_) => self.deadline(nodes, config)?,
            None => {
                let due = self.due_at(config)?;
                // What an intent or the end of the input wants is due when the pause is over.
                let wants_now = self.record.intent.is_some() || self.have_all_finished();
                match self.checkpoints.hold_until {
                    Some(until) if wants_now || until > due => until,
                    Some(_) | None => due,
                }
            }
        };
        // If it is due and cannot begin, what is in the way will say when it is gone.
        (self.record.is_to_run() && at > now).then_some(at)
    }

    fn due_purpose(&self, nodes: &Nodes, config: &LeaderConfig, now: Time) -> Option<Purpose> {
        match self.record.intent {
            Some(_) if self.checkpoints.owes_plain => return Some(Purpose::Interval),
            // Slots for all tasks are held before anything is asked (R5).
            Some(Intent::Rescale { .. }) if !gangs::has_all(self, nodes, now) => {}
            Some(intent) => return Some(Purpose::Intent(intent)),
            None => {}
        }
        if self.have_all_finished() {
            return Some(Purpose::Finish);
        }
        let is_due = self.due_at(config).is_some_and(|at| at <= now);
        is_due.then_some(Purpose::Interval)
    }

    fn due_at(&self, config: &LeaderConfig) -> Option<Time> {
        let interval = match self.checkpointing()?.interval_ms {
            Some(ms) => Duration::from_millis(ms),
            None => config.checkpoint_interval,
        };
        Some(self.checkpoints.counted_from? + interval)
    }

    /// Whether all ranks run, have begun, and can be asked.
    fn can_ask_all(&self, nodes: &Nodes, now: Time) -> bool {
        let has_begun = |rank: &super::super::rank::Rank| {
            rank.runs() && (rank.contract.has_begun || rank.contract.has_finished)
        };
        self.ranks.iter().all(has_begun)
            && (self.record.nodes.iter()).all(|place| nodes.takes_orders(place.nonce, now))
            // Nothing could be stored.
            && !self.has_outage(nodes)
    }

    /// Whether the rendezvous is over: each rank has said that it is ready.
    pub(in crate::leader) fn are_all_ready(&self) -> bool {
        !self.ranks.is_empty() && self.ranks.iter().all(|rank| rank.is_ready())
    }

    /// Whether nothing more comes of any rank (R6).
    pub(in crate::leader) fn have_all_finished(&self) -> bool {
        !self.ranks.is_empty() && self.ranks.iter().all(|rank| rank.contract.has_finished)
    }
}
