//! [`Rank`]: one rank of the present attempt, as its TaskManager reports it.

use crate::message::{ContractReport, EndedHow, TaskEnd};

/// One rank.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::leader) struct Rank {
    /// How it is.
    pub(in crate::leader) state: RankState,
    /// Whether this term has ordered its start: the order may be on its way for long, so what was
    /// not reported may still begin.
    pub(in crate::leader) may_start: bool,
    /// The order that is on its way or was carried out, by its number.
    pub(in crate::leader) deploy: Option<u64>,
    /// Its end was ordered.
    pub(in crate::leader) end: Option<u64>,
    /// Its TaskManager was told to forget it.
    pub(in crate::leader) is_forgotten: bool,
    /// What it has said and was told by the contract, without what it has acknowledged.
    pub(in crate::leader) contract: ContractReport,
    /// The line for people that it said last.
    pub(in crate::leader) progress: Option<String>,
}

/// How a rank is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::leader) enum RankState {
    /// Its TaskManager has not reported to this term.
    Unreported,
    /// Its TaskManager has reported everything to this term, and this was not in it.
    Absent,
    Starting,
    Running {
        pid: u32,
        since: String,
    },
    Ending {
        pid: Option<u32>,
    },
    /// Its guard says so.
    Ended(Box<TaskEnd>),
}

impl Rank {
    pub(super) fn new(state: RankState) -> Self {
        Self {
            state,
            may_start: false,
            deploy: None,
            end: None,
            is_forgotten: false,
            contract: ContractReport::default(),
            progress: None,
        }
    }

    /// Whether it runs, or has exited with 0.
    pub(in crate::leader) fn is_up(&self) -> bool {
        matches!(self.state, RankState::Running { .. }) || self.is_done()
    }

    /// Whether its process runs.
    pub(in crate::leader) fn runs(&self) -> bool {
        matches!(self.state, RankState::Running { .. })
    }

    /// Whether it waits for nobody at the rendezvous any more, or has begun.
    pub(in crate::leader) fn is_ready(&self) -> bool {
        self.contract.is_ready || self.contract.has_begun || self.contract.has_finished
    }

    /// Whether it has published everything up to this checkpoint, and ended as it was told to.
    pub(in crate::leader) fn has_closed(&self, number: u64) -> bool {
        self.is_done() && self.contract.was_stopped && self.contract.committed >= number
    }

    /// Whether it exited with 0.
    pub(in crate::leader) fn is_done(&self) -> bool {
        matches!(&self.state, RankState::Ended(end) if end.how == EndedHow::Exited { code: 0 })
    }

    /// Whether no process of it is there, and none can begin (R8 a).
    ///
    /// A TaskManager raises the epoch that it has seen before it composes a report, so what it did
    /// not report to this term can only begin by an order of this term.
    pub(in crate::leader) fn is_over(&self) -> bool {
        match self.state {
            RankState::Ended(_) => true,
            RankState::Absent => !self.may_start,
            RankState::Unreported
            | RankState::Starting
            | RankState::Running { .. }
            | RankState::Ending { .. } => false,
        }
    }
}
