//! What there is in a [`World`](super::world::World): pods, requests, answers, changes.

use crate::demand::UseState;
use crate::pods::{PodPhase, PodSeen};

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Request {
    pub(super) term: u64,
    pub(super) name: String,
    /// Which pod is to be deleted; `None`: one is to be made.
    pub(super) delete: Option<String>,
    /// Whether the leader that sent it has heard of its TaskManager by then.
    pub(super) was_known: bool,
    /// Whether it is waited for.
    pub(super) is_waited_for: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Answer {
    Made(Shot),
    Deleted(String),
}

/// A pod, as it was at some moment.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Shot {
    pub(super) name: String,
    pub(super) uid: String,
    pub(super) epoch: u64,
    pub(super) phase: Phase,
    pub(super) is_leaving: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Phase {
    Pending,
    Running,
    Left,
    Failed,
}

#[derive(Clone, Debug, Hash)]
pub(super) enum Shown {
    List(Vec<Shot>),
    Changed(Shot),
    Gone { name: String, uid: String },
}

/// A pod, as it is.
#[derive(Clone, Debug, Hash)]
pub(super) struct Real {
    pub(super) shot: Shot,
    /// This leader has heard of its TaskManager.
    pub(super) is_known: bool,
    /// It was told to leave.
    pub(super) is_retired: bool,
    pub(super) has_vanished: bool,
}

impl Real {
    pub(super) fn takes_tasks(&self) -> bool {
        let is_up = self.shot.phase == Phase::Running && !self.has_vanished;
        is_up && self.is_known && !self.is_retired && !self.shot.is_leaving
    }

    /// How the leader sees its TaskManager.
    pub(super) fn state(&self, is_busy: bool) -> Option<UseState> {
        if self.shot.phase != Phase::Running {
            return None;
        }
        if !self.is_known {
            // Its job's record names it.
            return is_busy.then_some(UseState::Coming);
        }
        Some(match self.has_vanished {
            true => UseState::Lost,
            false if self.is_retired || self.shot.is_leaving => UseState::Draining,
            false => UseState::Live,
        })
    }
}

impl Shot {
    pub(super) fn seen(&self) -> PodSeen {
        let phase = match self.phase {
            Phase::Pending => PodPhase::Pending,
            Phase::Running => PodPhase::Running,
            Phase::Left => PodPhase::Ended { is_well: true },
            Phase::Failed => PodPhase::Ended { is_well: false },
        };
        PodSeen {
            uid: self.uid.clone(),
            epoch: self.epoch,
            slots: 1,
            is_leaving: self.is_leaving,
            ..super::super::pod(&self.name, phase)
        }
    }
}
