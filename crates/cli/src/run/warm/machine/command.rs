//! What becomes of the command: it starts, gets warm, is stopped, ends, is to end.

use std::time::Duration;

use super::term::{Phase, Term};
use super::{Action, Because, Machine};
use crate::run::args::Restart;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Command {
    /// It is started at this time.
    Down(Duration),
    Starting,
    Warming,
    Warm,
}

impl Machine {
    pub(super) fn started(&mut self) -> Vec<Action> {
        self.command = Command::Warming;
        match self.policy.is_warm_at_once {
            true => self.warm(),
            false => Vec::new(),
        }
    }

    pub(super) fn warm(&mut self) -> Vec<Action> {
        if self.command != Command::Warming {
            return Vec::new();
        }
        self.command = Command::Warm;
        self.campaign()
    }

    /// A node campaigns while its command is warm and could act.
    pub(super) fn campaign(&self) -> Vec<Action> {
        let may = self.command == Command::Warm
            && self.term.is_none()
            && self.halted.is_none()
            && !self.is_ending;
        may.then_some(Action::Campaign).into_iter().collect()
    }

    pub(super) fn halted(&mut self, now: Duration) -> Vec<Action> {
        self.halted = Some(now + self.policy.halt_timeout);
        match self.term {
            None => vec![Action::EndCampaign],
            Some(_) => Vec::new(),
        }
    }

    pub(super) fn continued(&mut self) -> Vec<Action> {
        self.halted = None;
        self.campaign()
    }

    pub(super) fn exited(
        &mut self,
        now: Duration,
        code: u8,
        by_itself: bool,
        pause: Duration,
    ) -> Vec<Action> {
        self.command = Command::Down(now + pause);
        self.halted = None;
        let mut actions = Vec::new();
        match &mut self.term {
            None => {
                actions.push(Action::EndCampaign);
                if self.is_ending {
                    // Nothing was asked of it but to stand by.
                    self.code = Some(0);
                }
            }
            Some(term) => {
                let led = matches!(term.phase, Phase::Leading { .. } | Phase::Withdrawing);
                term.phase = Phase::Ended;
                let ends = match self.policy.restart {
                    Restart::Never => true,
                    Restart::OnFailure => code == 0,
                    Restart::Always => false,
                };
                if self.is_ending || (led && by_itself && ends) {
                    self.is_ending = true;
                    self.code = Some(code);
                }
                if self.hook.is_some() {
                    actions.push(Action::EndHook);
                }
            }
        }
        actions
    }

    pub(super) fn terminate(&mut self) -> Vec<Action> {
        if self.is_ending {
            // A second signal means: at once.
            return match self.command {
                Command::Down(_) => Vec::new(),
                _ => vec![Action::Kill(Because::AskedAgain)],
            };
        }
        self.is_ending = true;
        match (&mut self.term, &self.command) {
            (
                Some(
                    term @ Term {
                        phase: Phase::Leading { .. },
                        ..
                    },
                ),
                _,
            ) => {
                term.phase = Phase::Withdrawing;
                vec![Action::Withdraw]
            }
            (
                Some(Term {
                    phase: Phase::Withdrawing | Phase::Ended,
                    ..
                }),
                _,
            ) => Vec::new(),
            (
                Some(Term {
                    phase: Phase::Stepping(_),
                    ..
                }),
                _,
            ) if self.policy.is_beside => Vec::new(),
            (
                Some(Term {
                    phase: Phase::Stepping(_),
                    ..
                }),
                _,
            ) => vec![Action::Stop],
            (None, Command::Down(_)) => {
                self.code = Some(0);
                Vec::new()
            }
            (None, _) => vec![Action::EndCampaign, Action::Stop],
        }
    }
}
