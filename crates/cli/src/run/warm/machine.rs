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
//! The rule that everything here serves: **a term is given up only when nothing of it runs**. The
//! command has acknowledged, or has ended, and so has each hook of the term.

use std::time::Duration;

use incumbent::{Epoch, HolderName};

use crate::run::args::Restart;

/// A timer that fires this late shows that this process did not run for a while.
const LATE: Duration = Duration::from_millis(100);

/// What has happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// The command runs.
    Started,
    /// It is warm: it may lead.
    Warm,
    Granted(Epoch),
    /// Its endpoints are published, and the term is active.
    Published,
    NotReady,
    /// The term is over, for this reason; the hard deadline comes so soon.
    Lost {
        why: String,
        hard_in: Duration,
    },
    /// Somebody asked to hand over, to this candidate if one is named.
    Asked(Option<HolderName>),
    /// The endpoints are withdrawn.
    Withdrawn,
    /// The command says that it stands by, in answer to what it was told under this number.
    Acknowledged(u64),
    HookEnded {
        is_good: bool,
    },
    /// This signal has stopped the command; it does nothing until it continues.
    Halted(i32),
    Continued,
    /// The command, and all that it had started, has ended. `by_itself`: nobody here asked for it.
    Exited {
        code: u8,
        by_itself: bool,
        pause: Duration,
    },
    /// This program is to end.
    Terminate,
    /// The time has come that [`Machine::next`] named.
    Time,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// Start the command.
    Start,
    Campaign,
    EndCampaign,
    /// The guard kills the command at the deadlines of this term, from now on.
    Bind(u64),
    /// The guard knows no deadline any more.
    Free(u64),
    Tell(Tell),
    Signal(Which),
    /// Run the hook, under the deadlines of the term.
    Hook(Which),
    EndHook,
    /// Wait until the command is ready, publish its endpoints, activate the term.
    Publish,
    Withdraw,
    /// SIGTERM, and SIGKILL after the time to stop.
    Stop,
    Kill,
    /// Give up the term.
    Resign(Option<HolderName>),
    /// End with this code.
    Exit(u8),
}

/// What the command is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Tell {
    Standby(u64),
    Leader(u64),
    SteppingDown {
        number: u64,
        until: Duration,
        why: String,
    },
}

/// For which change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Which {
    Lead,
    Standby,
}

/// What was asked for on the command line.
#[derive(Clone, Copy, Debug)]
pub(super) struct Policy {
    pub(super) restart: Restart,
    /// How long the command may take to stand by, or to end.
    pub(super) stop_timeout: Duration,
    /// How long it may take to be ready, and a hook to lead.
    pub(super) ready_timeout: Duration,
    /// How long it may be stopped by a signal.
    pub(super) halt_timeout: Duration,
    pub(super) has_lead_hook: bool,
    pub(super) has_standby_hook: bool,
    pub(super) signals_lead: bool,
    pub(super) signals_standby: bool,
    /// Whether it is warm as soon as it runs.
    pub(super) is_warm_at_once: bool,
    /// Whether the command is an application that somebody else runs: it can be told, and not
    /// ended.
    pub(super) is_beside: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Command {
    /// It is started at this time.
    Down(Duration),
    Starting,
    Warming,
    Warm,
}

#[derive(Clone, Debug)]
struct Term {
    epoch: Epoch,
    phase: Phase,
    /// To whom it is handed over.
    to: Option<HolderName>,
}

#[derive(Clone, Debug)]
enum Phase {
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
struct Stepping {
    /// What is to be acknowledged.
    number: u64,
    until: Duration,
    is_acknowledged: bool,
    /// The hook that is to run when the one before has ended.
    wants_hook: bool,
    is_killed: bool,
}

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
                hook.into_iter().chain([Action::Kill]).collect()
            }
            Some(_) => Vec::new(),
        }
    }

    fn started(&mut self) -> Vec<Action> {
        self.command = Command::Warming;
        match self.policy.is_warm_at_once {
            true => self.warm(),
            false => Vec::new(),
        }
    }

    fn warm(&mut self) -> Vec<Action> {
        if self.command != Command::Warming {
            return Vec::new();
        }
        self.command = Command::Warm;
        self.campaign()
    }

    /// A node campaigns while its command is warm and could act.
    fn campaign(&self) -> Vec<Action> {
        let may = self.command == Command::Warm
            && self.term.is_none()
            && self.halted.is_none()
            && !self.is_ending;
        may.then_some(Action::Campaign).into_iter().collect()
    }

    fn granted(&mut self, now: Duration, epoch: Epoch) -> Vec<Action> {
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

    fn asked(&mut self, to: Option<HolderName>) -> Vec<Action> {
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

    fn withdrawn(&mut self, now: Duration) -> Vec<Action> {
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
    fn step_down(&mut self, now: Duration, hard_in: Option<Duration>, why: &str) -> Vec<Action> {
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

    fn acknowledged(&mut self, number: u64) -> Vec<Action> {
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

    fn hook_ended(&mut self, now: Duration, is_good: bool) -> Vec<Action> {
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

    fn halted(&mut self, now: Duration) -> Vec<Action> {
        self.halted = Some(now + self.policy.halt_timeout);
        match self.term {
            None => vec![Action::EndCampaign],
            Some(_) => Vec::new(),
        }
    }

    fn continued(&mut self) -> Vec<Action> {
        self.halted = None;
        self.campaign()
    }

    fn exited(&mut self, now: Duration, code: u8, by_itself: bool, pause: Duration) -> Vec<Action> {
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

    fn terminate(&mut self) -> Vec<Action> {
        if self.is_ending {
            // A second signal means: at once.
            return match self.command {
                Command::Down(_) => Vec::new(),
                _ => vec![Action::Kill],
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

    fn stepping(&self) -> Option<&Stepping> {
        match &self.term.as_ref()?.phase {
            Phase::Stepping(stepping) => Some(stepping),
            Phase::Leading { .. } | Phase::Withdrawing | Phase::Ended => None,
        }
    }

    /// The term that this node has, for logs.
    pub(super) fn epoch(&self) -> Option<Epoch> {
        self.term.as_ref().map(|term| term.epoch)
    }
}

fn earlier(a: Option<Duration>, b: Option<Duration>) -> Option<Duration> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}
