//! What becomes of a term: it begins, is asked for, is lost, and is given up when the command has
//! acknowledged.

use std::time::Duration;

use incumbent::{Epoch, HolderName};

use super::{Action, Machine, Tell, Which};

#[derive(Clone, Debug)]
pub(super) struct Term {
    pub(super) epoch: Epoch,
    pub(super) phase: Phase,
    /// To whom it is handed over.
    pub(super) to: Option<HolderName>,
}

#[derive(Clone, Debug)]
pub(super) enum Phase {
    /// The number under which it was told, and until when its hook may run.
    Leading {
        hook_until: Option<Duration>,
    },
    Withdrawing,
    Stepping(Stepping),
    /// The command has ended; a hook may still run.
    Ended,
}

#[derive(Clone, Debug)]
pub(super) struct Stepping {
    /// What is to be acknowledged.
    pub(super) number: u64,
    pub(super) until: Duration,
    pub(super) is_acknowledged: bool,
    /// The hook that is to run when the one before has ended.
    pub(super) wants_hook: bool,
    pub(super) is_killed: bool,
}

impl Machine {
    pub(super) fn granted(&mut self, now: Duration, epoch: Epoch) -> Vec<Action> {
        self.number += 1;
        let hook_until = self
            .policy
            .has_lead_hook
            .then(|| now + self.policy.ready_timeout);
        let phase = Phase::Leading { hook_until };
        self.term = Some(Term {
            epoch,
            phase,
            to: None,
        });
        // The guard first: what was told cannot be taken back.
        let mut actions = vec![
            Action::Bind(self.number),
            Action::Tell(Tell::Leader(self.number)),
        ];
        if self.policy.signals_lead {
            actions.push(Action::Signal(Which::Lead));
        }
        actions.push(match self.policy.has_lead_hook {
            true => {
                self.hook = Some(Which::Lead);
                Action::Hook(Which::Lead)
            }
            false => Action::Publish,
        });
        actions
    }

    pub(super) fn asked(&mut self, to: Option<HolderName>) -> Vec<Action> {
        match &mut self.term {
            Some(
                term @ Term {
                    phase: Phase::Leading { .. },
                    ..
                },
            ) => {
                term.to = to;
                term.phase = Phase::Withdrawing;
                vec![Action::Withdraw]
            }
            _ => Vec::new(),
        }
    }

    pub(super) fn withdrawn(&mut self, now: Duration) -> Vec<Action> {
        match &self.term {
            // An application that is not ours is told, too: it may have to stop first.
            Some(Term {
                phase: Phase::Withdrawing,
                ..
            }) if self.is_ending && !self.policy.is_beside => {
                vec![Action::Stop]
            }
            Some(Term {
                phase: Phase::Withdrawing,
                ..
            }) => {
                let why = match self.is_ending {
                    true => "this node is to end",
                    false => "this node was asked to hand over",
                };
                self.step_down(now, None, why)
            }
            _ => Vec::new(),
        }
    }

    /// The command is told to stop leading, and has so long to acknowledge it.
    pub(super) fn step_down(
        &mut self,
        now: Duration,
        hard_in: Option<Duration>,
        why: &str,
    ) -> Vec<Action> {
        let mut until = now + self.policy.stop_timeout;
        if let Some(hard_in) = hard_in {
            until = until.min(now + hard_in);
        }
        let Some(term) = &mut self.term else {
            return Vec::new();
        };
        match &mut term.phase {
            Phase::Ended => return Vec::new(),
            // It is being ended: the guard sees to it that it is so in time.
            Phase::Withdrawing if self.is_ending && !self.policy.is_beside => {
                return vec![Action::Stop];
            }
            Phase::Stepping(stepping) => {
                // It was asked to hand over, and now there is less time.
                stepping.until = stepping.until.min(until);
                return Vec::new();
            }
            Phase::Leading { .. } | Phase::Withdrawing => {}
        }
        self.number += 1;
        let number = self.number;
        term.phase = Phase::Stepping(Stepping {
            number,
            until,
            is_acknowledged: false,
            wants_hook: self.policy.has_standby_hook,
            is_killed: false,
        });
        let why = why.to_owned();
        let mut actions = vec![Action::Tell(Tell::SteppingDown { number, until, why })];
        if self.policy.signals_standby {
            actions.push(Action::Signal(Which::Standby));
        }
        // What makes this node lead must not go on beside what makes it stand by.
        if self.hook.is_some() {
            actions.push(Action::EndHook);
        }
        actions
    }

    pub(super) fn acknowledged(&mut self, number: u64) -> Vec<Action> {
        if let Some(Term {
            phase: Phase::Stepping(stepping),
            ..
        }) = &mut self.term
            && stepping.number == number
            && !stepping.is_killed
        {
            stepping.is_acknowledged = true;
            // The command has done it without.
            stepping.wants_hook = false;
        }
        Vec::new()
    }

    pub(super) fn hook_ended(&mut self, now: Duration, is_good: bool) -> Vec<Action> {
        let Some(which) = self.hook.take() else {
            return Vec::new();
        };
        match (&mut self.term, which) {
            (
                Some(Term {
                    phase: Phase::Leading { hook_until },
                    ..
                }),
                Which::Lead,
            ) => {
                *hook_until = None;
                match is_good {
                    true => vec![Action::Publish],
                    false => self.step_down(now, None, "its hook to lead has failed"),
                }
            }
            (
                Some(Term {
                    phase: Phase::Stepping(stepping),
                    ..
                }),
                Which::Standby,
            ) => {
                // If it has failed, the command may still acknowledge by itself.
                stepping.is_acknowledged |= is_good && !stepping.is_killed;
                Vec::new()
            }
            _ => Vec::new(),
        }
    }

    pub(super) fn stepping(&self) -> Option<&Stepping> {
        match &self.term.as_ref()?.phase {
            Phase::Stepping(stepping) => Some(stepping),
            Phase::Leading { .. } | Phase::Withdrawing | Phase::Ended => None,
        }
    }

    /// The term that this node has, for logs.
    pub(in crate::run::warm) fn epoch(&self) -> Option<Epoch> {
        self.term.as_ref().map(|term| term.epoch)
    }
}
