//! What jobs lack of slots, for the maker of TaskManagers; and what becomes of that.

use std::time::Duration;

use incumbent_core::{Now, Time};

use super::gangs::{self, lacking};
use super::job::Job;
use super::job::intents::Wish;
use super::nodes::{Node, Nodes};
use super::{Leader, LeaderAction};
use crate::demand::{Demand, GangNeed, Supply, TaskManagerUse, UseState};
use crate::message::Command;
use crate::{JobId, JobState, NodeNonce};

/// How long slots are wanted for a job that was to have more tasks than there are slots, and that
/// cannot go on while it waits for them. The client that asked asks again meanwhile.
const GROW_FOR: Duration = Duration::from_secs(300);

/// What may become of a wish for more tasks than there are slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Growth {
    /// Nobody makes slots, or not so many.
    Never,
    /// It can be written down: the job goes on while slots are made.
    Meanwhile,
    /// Slots are made first, as the job cannot go on meanwhile.
    First,
}

impl Leader {
    /// Which slots the jobs lack, at this moment.
    pub fn demand(&self, now: Time) -> Demand {
        let mut gangs = self.gangs.needs(&self.jobs, &self.nodes, now);
        gangs.extend(self.grows(now));
        Demand {
            is_complete: self.adoption.is_complete(),
            gangs,
            task_managers: (self.nodes.iter())
                .map(|(nonce, node)| use_of(nonce, node, &self.nodes, now))
                .collect(),
        }
    }

    /// Jobs for which slots are made before anything is stopped.
    fn grows(&self, now: Time) -> impl Iterator<Item = GangNeed> {
        let wanted = self.growing.iter().filter(move |(.., until)| *until > now);
        wanted.filter_map(move |(id, tasks, _)| {
            let job = self.jobs.open(*id)?;
            let waits = job.record.state == JobState::Running && job.record.tasks() < *tasks;
            waits.then(|| GangNeed {
                wanted: *tasks,
                lacks: lacking(job, &self.nodes, *tasks, now),
            })
        })
    }

    /// Slots for so many tasks are wanted, though the job does not wait for them.
    pub(super) fn want_to_grow(&mut self, id: JobId, tasks: u32, now: Time) {
        self.growing
            .retain(|(other, _, until)| *other != id && *until > now);
        self.growing.push((id, tasks, now + GROW_FOR));
    }

    pub(super) fn supplied(&mut self, supply: Supply) {
        self.supply = Some(supply);
    }

    /// A TaskManager that nobody needs is to leave, if nothing is in it by now. Nothing is placed
    /// there from this moment.
    pub(super) fn retire(&mut self, now: Now, name: &str, out: &mut Vec<LeaderAction>) {
        let found = (self.nodes.iter()).find(|(_, node)| node.place.name == name && !node.is_dead);
        let Some((nonce, node)) = found else {
            return;
        };
        if !is_idle(node) || !self.nodes.takes_orders(nonce, now.time) {
            return;
        }
        let Some(node) = self.nodes.get_mut(nonce) else {
            return;
        };
        node.is_retired = true;
        if !node.is_draining && !std::mem::replace(&mut node.is_drain_ordered, true) {
            self.nodes.order(nonce, Command::Drain, out);
        }
        self.nodes.changed(nonce, now.time);
    }
}

/// What may become of this wish, for which there are too few slots.
pub(super) fn growth(supply: Option<&Supply>, job: &Job, wish: Wish) -> Growth {
    let (Some(supply), Wish::Rescale { tasks }) = (supply, wish) else {
        return Growth::Never;
    };
    if tasks > supply.most_slots {
        return Growth::Never;
    }
    if job.record.is_checkpointing() || job.record.state != JobState::Running {
        Growth::Meanwhile
    } else {
        Growth::First
    }
}

fn use_of(nonce: NodeNonce, node: &Node, nodes: &Nodes, now: Time) -> TaskManagerUse {
    let is_silent = nodes.is_silent(nonce, now);
    let state = if node.is_dead {
        UseState::Dead
    } else if is_silent || nodes.unreachable_since(nonce, now).is_some() {
        UseState::Lost
    } else if !node.is_registered {
        UseState::Coming
    } else if node.is_draining {
        UseState::Draining
    } else if node.takes_tasks() || node.is_retired {
        UseState::Live
    } else {
        UseState::Coming
    };
    let takes_tasks = state == UseState::Live && !node.is_retired;
    TaskManagerUse {
        name: node.place.name.clone(),
        slots: node.slots.count(),
        free: if takes_tasks { node.slots.free() } else { 0 },
        is_idle: is_idle(node),
        state,
    }
}

/// Whether nothing is in its slots, and nothing is about to be.
fn is_idle(node: &Node) -> bool {
    node.is_registered && node.jobs.is_empty() && node.strays.is_empty() && node.slots.are_idle()
}

/// The usable slots that a job holds and its lack of others.
pub(super) fn gang_need(job: &Job, nodes: &Nodes, now: Time) -> GangNeed {
    let wanted = gangs::wanted(job);
    GangNeed {
        wanted,
        lacks: lacking(job, nodes, wanted, now),
    }
}
