//! [`Pod`]: what is known of one pod, from the request for it until it is gone.

use incumbent_core::{Pace, Time};

use super::config::PAUSES;
use super::{PodPhase, PodSeen};

/// One pod.
#[derive(Clone, Debug)]
pub(super) struct Pod {
    pub(super) stage: Stage,
    pub(super) deleting: Deleting,
    /// Pauses between requests to delete it that are not done.
    pub(super) undeleted: Pace,
    /// How many pauses there had been when it was asked for last.
    pub(super) asked_after: u64,
    /// In which list it must be, if it is there.
    pub(super) listed_from: u64,
    /// Since when it runs, as far as this term has seen.
    pub(super) running_since: Option<Time>,
    /// Whether its TaskManager has been heard of in this term.
    pub(super) has_registered: bool,
    /// Since when nothing is in its TaskManager.
    pub(super) idle_since: Option<Time>,
    /// Since when nobody needs it, though it has not started.
    pub(super) excess_since: Option<Time>,
    /// When its TaskManager was last told to leave.
    pub(super) retired_at: Option<Time>,
    /// Since when its TaskManager leaves with nothing in it.
    pub(super) left_since: Option<Time>,
}

/// How far the request for it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Under way.
    Asked,
    /// Its outcome is unknown: it is repeated at this time.
    Unsure(Time),
    /// It was seen.
    Seen(PodSeen),
}

/// How far the request to delete it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Deleting {
    No,
    UnderWay,
    /// It was not done, or may not have been: it is repeated at this time.
    Again(Time),
    /// That time has come. It is repeated if the pod is still of no use.
    Due,
}

impl Pod {
    pub(super) fn new(stage: Stage, listed_from: u64, asked_after: u64) -> Self {
        let (first, longest) = PAUSES;
        Self {
            stage,
            deleting: Deleting::No,
            undeleted: Pace::new(first, longest),
            asked_after,
            listed_from,
            running_since: None,
            has_registered: false,
            idle_since: None,
            excess_since: None,
            retired_at: None,
            left_since: None,
        }
    }

    pub(super) fn seen(&self) -> Option<&PodSeen> {
        match &self.stage {
            Stage::Asked | Stage::Unsure(_) => None,
            Stage::Seen(seen) => Some(seen),
        }
    }

    /// Whether it counts against the most pods that there may be.
    pub(super) fn counts(&self) -> bool {
        self.seen()
            .is_none_or(|seen| !seen.is_leaving && !matches!(seen.phase, PodPhase::Ended { .. }))
    }

    /// Whether its deletion was asked for.
    pub(super) fn is_going(&self) -> bool {
        match self.deleting {
            Deleting::UnderWay | Deleting::Again(_) => true,
            Deleting::No | Deleting::Due => self.seen().is_some_and(|seen| seen.is_leaving),
        }
    }
}
