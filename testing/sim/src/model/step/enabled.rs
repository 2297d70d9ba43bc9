//! Everything that may happen next.

use super::{FLOOR, Protocol, Step, matches};
use crate::model::creator::{CreatorPhase, TRIES};
use crate::model::state::{
    Budget, Expected, ModelState, Phase, Record, Role, Root, RootWrite, Write,
};

impl Protocol {
    /// Everything that may happen next.
    pub(in crate::model) fn steps(&self, state: &ModelState, steps: &mut Vec<Step>) {
        for leader in 0..self.bounds.leaders {
            self.role_steps(state, leader, steps);
            self.handle_steps(state, leader, steps);
        }
        for creator in 0..self.bounds.creators {
            self.creator_steps(state, creator, steps);
        }
        for (index, write) in state.network.iter().enumerate() {
            let record = &state.records[usize::from(write.record)];
            if matches(write.expected, record.at()) {
                steps.push(Step::Arrive { index: index as u8 });
            }
        }
        for (index, write) in state.root_network.iter().enumerate() {
            if matches(write.expected, state.root.at()) {
                steps.push(Step::ArriveRoot { index: index as u8 });
            }
        }
        if state.root.seal.is_some() && state.budget.root_deletions > 0 {
            steps.push(Step::DeleteRoot);
        }
        if state.root.backup.is_some() && state.budget.root_restores > 0 {
            steps.push(Step::RestoreRoot);
        }
    }

    fn creator_steps(&self, state: &ModelState, creator: u8, steps: &mut Vec<Step>) {
        let me = &state.creators[usize::from(creator)];
        match me.phase {
            CreatorPhase::Idle if me.tries < TRIES => steps.push(Step::Create { creator }),
            CreatorPhase::Writing { .. } => {
                steps.push(Step::CreationAnswered { creator });
                if state.budget.lost_answers > 0 {
                    steps.push(Step::CreationLost { creator });
                    steps.push(Step::CreationGivenUp { creator });
                }
            }
            CreatorPhase::Refused { .. } => steps.push(Step::CreationChecked { creator }),
            CreatorPhase::Idle | CreatorPhase::Done => {}
        }
    }

    fn role_steps(&self, state: &ModelState, leader: u8, steps: &mut Vec<Step>) {
        let me = &state.leaders[usize::from(leader)];
        let may_lose = state.budget.lost_answers > 0;
        match me.role {
            Role::Idle if me.terms < self.bounds.terms => {
                steps.push(Step::Campaign {
                    leader,
                    restarted: false,
                });
                if me.seen > state.root.seal.map_or(0, |seal| seal.epoch) {
                    steps.push(Step::Campaign {
                        leader,
                        restarted: true,
                    });
                }
            }
            Role::Idle => {}
            Role::Scanning { .. } => steps.push(Step::Scan { leader }),
            Role::Claiming { write } => {
                steps.push(Step::ClaimAnswered { leader });
                if may_lose && self.root_write_may_land(&state.root, &state.budget, &write) {
                    steps.push(Step::ClaimLost { leader });
                    steps.push(Step::ClaimGivenUp { leader });
                }
            }
            Role::Refused => steps.push(Step::ClaimChecked { leader }),
            Role::Sealing => {}
            Role::Leading { renewal: None } => {
                if state.budget.renewals > 0 {
                    steps.push(Step::Renew { leader });
                }
            }
            Role::Leading {
                renewal: Some(write),
            } => {
                steps.push(Step::RenewalAnswered { leader });
                if may_lose && self.root_write_may_land(&state.root, &state.budget, &write) {
                    steps.push(Step::RenewalLost { leader });
                }
            }
        }
        // A leader that stops for good is one that takes no further step: it needs no step of its
        // own.
        let holds = matches!(me.role, Role::Sealing | Role::Leading { .. });
        if holds && me.terms < self.bounds.terms && (may_lose || !me.waits()) {
            steps.push(Step::Stop { leader });
        }
    }

    fn handle_steps(&self, state: &ModelState, leader: u8, steps: &mut Vec<Step>) {
        let me = &state.leaders[usize::from(leader)];
        match me.role {
            Role::Leading { .. } => {
                for handle in 0..self.bounds.handles() {
                    self.steps_of_handle(state, leader, handle, steps);
                }
            }
            Role::Sealing => {
                self.steps_of_handle(state, leader, FLOOR, steps);
                // Only a leader that looks at the floor again has handles already.
                for handle in 0..self.bounds.handles() {
                    if me.handles[usize::from(handle)].phase != Phase::Closed {
                        self.steps_of_handle(state, leader, handle, steps);
                    }
                }
            }
            Role::Idle | Role::Scanning { .. } | Role::Claiming { .. } | Role::Refused => {}
        }
    }

    fn steps_of_handle(&self, state: &ModelState, leader: u8, handle: u8, steps: &mut Vec<Step>) {
        let me = &state.leaders[usize::from(leader)];
        match me.handles[usize::from(handle)].phase {
            Phase::Closed => steps.push(Step::Open { leader, handle }),
            Phase::Writing(attempt) => {
                steps.push(Step::Answered { leader, handle });
                let record = &state.records[usize::from(attempt.write.record)];
                if state.budget.lost_answers > 0 && self.write_may_land(record, &attempt.write) {
                    steps.push(Step::Lost { leader, handle });
                    steps.push(Step::GivenUp { leader, handle });
                }
            }
            Phase::Refused(_) => steps.push(Step::Checked { leader, handle }),
            Phase::Confirming(..) => steps.push(Step::Confirmed { leader, handle }),
            Phase::Open(known) => {
                if me.commits < self.bounds.commits {
                    steps.push(Step::Commit { leader, handle });
                }
                if me.deletes < self.bounds.deletes && !known.content.is_empty() {
                    steps.push(Step::Delete { leader, handle });
                }
            }
        }
    }

    /// Whether a write that is under way can still land, now or ever.
    pub(super) fn write_may_land(&self, record: &Record, write: &Write) -> bool {
        match write.expected {
            Expected::Anything => true,
            Expected::Absent => record.body.is_none() || self.bounds.erases,
            expected @ Expected::Version(_) => record.at() == expected,
        }
    }

    pub(super) fn root_write_may_land(
        &self,
        root: &Root,
        budget: &Budget,
        write: &RootWrite,
    ) -> bool {
        match write.expected {
            Expected::Anything => true,
            Expected::Absent => root.seal.is_none() || budget.root_deletions > 0,
            expected @ Expected::Version(_) => {
                root.at() == expected || self.bounds.versions_restart
            }
        }
    }
}
