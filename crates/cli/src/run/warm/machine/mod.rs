//! What becomes of a command that stands by warm. Pure: events and a time go in, actions come out,
//! which are to be done in their order.
//!
//! ```text
//!   the command:  Down ─Start─► Starting ─► Warming ─warm─► Warm (campaigns) ─granted─► has a term
//!                  ▲──────────────── exits, after a pause ────────┘
//!   a term:       Leading ─asked─► Withdrawing ─► Stepping ─acknowledged─► none
//!                    └── lost, not ready, stopped ──┘   └─ not in time: killed ─► Ended ─► none
//! ```
//!
//! What becomes of the command is in `command.rs`, and of a term in `term.rs`.
//!
//! The rule that everything here serves: **a term is given up only when nothing of it runs**. The
//! command has acknowledged, or has ended, and so has each hook of the term.

mod action;
mod command;
mod event;
mod policy;
mod term;
#[cfg(test)]
mod tests;

use std::time::Duration;

pub(super) use self::action::{Action, Because, Tell, Which};
pub(super) use self::event::Event;
pub(super) use self::policy::Policy;

use self::command::Command;
use self::term::{Phase, Term};

/// A timer that fires this late shows that this process did not run for a while.
const LATE: Duration = Duration::from_millis(100);

#[derive(Debug)]
pub(super) struct Machine {
    policy: Policy,
    /// What was told last.
    number: u64,
    command: Command,
    /// Since when the command is stopped by a signal, as the time when patience ends.
    halted: Option<Duration>,
    term: Option<Term>,
    hook: Option<Which>,
    /// Whether this program is to end; and with which code, once that is known.
    is_ending: bool,
    code: Option<u8>,
}

impl Machine {
    /// A command that was told number 1: to stand by.
    pub(super) fn new(policy: Policy) -> Self {
        Self {
            policy,
            number: 1,
            command: Command::Down(Duration::ZERO),
            halted: None,
            term: None,
            hook: None,
            is_ending: false,
            code: None,
        }
    }

    /// When [`Event::Time`] is due.
    pub(super) fn next(&self) -> Option<Duration> {
        let start = match (&self.command, &self.term) {
            (Command::Down(at), None) if !self.is_ending => Some(*at),
            _ => None,
        };
        let of_term = self.term.as_ref().and_then(|term| match &term.phase {
            Phase::Leading { hook_until } => earlier(*hook_until, self.halted),
            Phase::Stepping(stepping) if !stepping.is_killed => Some(stepping.until),
            Phase::Withdrawing | Phase::Stepping(_) | Phase::Ended => None,
        });
        earlier(start, of_term)
    }

    /// Whether that is the number of what is to be acknowledged now.
    pub(super) fn waits_for(&self, number: u64) -> bool {
        let stepping = self.stepping();
        stepping.is_some_and(|stepping| stepping.number == number && !stepping.is_killed)
    }

    pub(super) fn step(&mut self, now: Duration, event: Event) -> Vec<Action> {
        let mut actions = match event {
            Event::Time => self.time(now),
            Event::Started => self.started(),
            Event::Warm => self.warm(),
            Event::Granted(epoch) => self.granted(now, epoch),
            Event::Published => Vec::new(),
            Event::NotReady => self.step_down(now, None, "it was not ready in time"),
            Event::Lost { why, hard_in } => self.step_down(now, Some(hard_in), &why),
            Event::Asked(to) => self.asked(to),
            Event::Withdrawn => self.withdrawn(now),
            Event::Acknowledged(number) => self.acknowledged(number),
            Event::HookEnded { is_good } => self.hook_ended(now, is_good),
            Event::Halted(_) => self.halted(now),
            Event::Continued => self.continued(),
            Event::Exited {
                code,
                by_itself,
                pause,
            } => self.exited(now, code, by_itself, pause),
            Event::Terminate => self.terminate(),
        };
        actions.extend(self.settle());
        actions
    }

    fn time(&mut self, now: Duration) -> Vec<Action> {
        let is_due = |at: Option<Duration>| at.is_some_and(|at| now >= at);
        match &mut self.term {
            None => match self.command {
                Command::Down(at) if now >= at && !self.is_ending => {
                    self.command = Command::Starting;
                    vec![Action::Start]
                }
                _ => Vec::new(),
            },
            Some(Term {
                phase: Phase::Leading { hook_until },
                ..
            }) if is_due(*hook_until) => {
                self.step_down(now, None, "its hook to lead did not end in time")
            }
            Some(Term {
                phase: Phase::Leading { .. },
                ..
            }) if is_due(self.halted) => {
                // If this process did not run either, the command may continue with it.
                let until = self.halted.expect("it is due");
                if now - until >= LATE {
                    self.halted = Some(now + self.policy.halt_timeout);
                    return Vec::new();
                }
                self.step_down(now, None, "it was stopped by a signal and not continued")
            }
            Some(Term {
                phase: Phase::Stepping(stepping),
                ..
            }) if now >= stepping.until && !stepping.is_killed => {
                stepping.is_killed = true;
                let hook = self.hook.map(|_| Action::EndHook);
                let kill = Action::Kill(Because::Unacknowledged);
                hook.into_iter().chain([kill]).collect()
            }
            Some(_) => Vec::new(),
        }
    }

    /// What follows when nothing of a term runs any more, or a hook is next.
    fn settle(&mut self) -> Vec<Action> {
        if self.hook.is_some() {
            return Vec::new();
        }
        let mut actions = Vec::new();
        match &mut self.term {
            Some(Term {
                phase: Phase::Stepping(stepping),
                ..
            }) if stepping.wants_hook && !stepping.is_killed => {
                stepping.wants_hook = false;
                self.hook = Some(Which::Standby);
                actions.push(Action::Hook(Which::Standby));
            }
            Some(Term {
                phase: Phase::Stepping(stepping),
                to,
                ..
            }) if stepping.is_acknowledged && !stepping.is_killed => {
                self.number += 1;
                let number = self.number;
                let to = to.take();
                self.term = None;
                // The guard first: from the resignation on, another node may lead, and this one
                // too.
                actions.extend([
                    Action::Free(number),
                    Action::Resign(to),
                    Action::Tell(Tell::Standby(number)),
                ]);
                actions.extend(self.campaign());
                if self.is_ending && self.policy.is_beside {
                    self.code = Some(0);
                }
            }
            Some(Term {
                phase: Phase::Ended,
                to,
                ..
            }) => {
                self.number += 1;
                let number = self.number;
                let to = to.take();
                self.term = None;
                actions.extend([Action::Resign(to), Action::Tell(Tell::Standby(number))]);
            }
            Some(_) | None => {}
        }
        if let (Some(code), None) = (self.code, &self.term) {
            self.code = None;
            actions.push(Action::Exit(code));
        }
        actions
    }
}

fn earlier(a: Option<Duration>, b: Option<Duration>) -> Option<Duration> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}
