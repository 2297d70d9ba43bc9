//! [`Node`]: one process as its driver sees it. It performs what the core decides, as the real driver does, and holds a
//! leading application that works on records (`workload.rs`).
//!
//! Everything that reaches a node is [`Mail`]; everything that it does is an [`Effect`], performed
//! by the [`World`](crate::world::World). In between lies no time: a slow node is one whose mail
//! waits.

mod jobs;
mod mail;
mod requests;

use std::collections::{BTreeMap, VecDeque};

use incumbent_core::election::{Action, Config, Election, Event, FloorAnswer, LostBecause};
use incumbent_core::root::LivenessAddress;
use incumbent_core::write::Write;
use incumbent_core::{Epoch, Nonce, Seal, View};
pub(crate) use jobs::{Goal, Job};
pub use mail::{Effect, Mail};
use requests::Waiting;

use crate::clock::{Clock, Instant};
use crate::dice::Dice;
use crate::faults::{Mutation, Plan, Settings, nanos};
use crate::history::{Fact, Item, Phase, Process, Stage, first_nonce};
use crate::store::{Call, Stored};
use crate::workload::Term;

/// How often a node may be woken at one moment.
const MOST_WAKEUPS: u32 = 50;

/// One life of one node.
#[derive(Debug)]
pub struct Node {
    /// Which life.
    pub process: Process,
    pub(crate) settings: Settings,
    pub(crate) clock: Clock,
    pub(crate) election: Election,
    /// What waits for an answer.
    requests: BTreeMap<u64, Waiting>,
    pub(crate) jobs: BTreeMap<u64, Job>,
    /// The term that the application leads.
    pub(crate) term: Option<Term>,
    /// Whether the application campaigns or leads.
    pub(crate) wanting: bool,
    /// It resigned, and has not been told that the term ended.
    pub(crate) leaving: bool,
    /// It has lost a term.
    pub(crate) has_lost: bool,
    /// When the next tick comes.
    tick_at: Option<Instant>,
    woken: (Instant, u32),
    viewed: Option<(Stage, Epoch, Nonce)>,
    guard: Option<(Seal, u64)>,
    /// How much too late the guard ends, if it counts from the answer.
    guard_late: u64,
    /// Whether it then goes on after the deadline.
    overstays: bool,
    next_seq: u64,
    events: VecDeque<Event>,
}

/// What a node may use while it handles its mail.
pub struct Context<'a> {
    /// True time. Only clocks see it.
    pub now: Instant,
    /// All chance.
    pub dice: &'a mut Dice,
    /// What is settled.
    pub plan: &'a Plan,
    /// Which part of the simulation it is.
    pub phase: Phase,
    /// The last number that was given to anything.
    pub last_number: &'a mut u64,
    /// What it does.
    pub effects: Vec<Effect>,
}

impl Context<'_> {
    pub(crate) fn fact(&mut self, fact: Fact) {
        self.effects.push(Effect::Fact(fact));
    }

    pub(crate) fn number(&mut self) -> u64 {
        *self.last_number += 1;
        *self.last_number
    }

    pub(crate) fn works(&self) -> bool {
        matches!(self.phase, Phase::Chaos | Phase::Healed | Phase::Settled)
    }
}

impl Node {
    /// A process that begins now.
    pub fn start(
        process: Process,
        node: usize,
        settings: &Settings,
        clock: Clock,
        cx: &mut Context<'_>,
    ) -> Self {
        let salt = u32::try_from(cx.dice.range(0, 1 << 32)).expect("in range");
        let config = Config {
            holder: holder(node),
            timing: settings.timing,
            liveness: Some(LivenessAddress {
                address: format!("node-{node}:1"),
                scope: None,
                advertised: false,
            }),
            nonces: first_nonce(process, salt),
        };
        let mut started = Self {
            process,
            settings: settings.clone(),
            clock,
            election: Election::new(config),
            requests: BTreeMap::new(),
            jobs: BTreeMap::new(),
            term: None,
            wanting: false,
            leaving: false,
            has_lost: false,
            tick_at: None,
            woken: (0, 0),
            viewed: None,
            guard: None,
            guard_late: 0,
            overstays: false,
            next_seq: 0,
            events: VecDeque::new(),
        };
        cx.fact(Fact::Started { process, node });
        started.events.push_back(Event::Tick);
        if started.settings.candidate {
            started.wanting = true;
            started.events.push_back(Event::Campaign);
        }
        started.drain(cx);
        started.work_later(cx);
        started
    }

    /// Whether it will do anything about this: an answer may come after its request was given up.
    pub fn expects(&self, mail: &Mail) -> bool {
        match mail {
            Mail::Tick { at } => self.tick_at == Some(*at),
            Mail::Answer { request, .. }
            | Mail::Refused { request }
            | Mail::TimedOut { request } => self.requests.contains_key(request),
            Mail::Resume { job, .. } => self.jobs.contains_key(job),
            Mail::Hint { .. } | Mail::Dead { .. } | Mail::Work => true,
        }
    }

    /// Takes one piece of mail.
    pub fn handle(&mut self, mail: Mail, cx: &mut Context<'_>) {
        match mail {
            Mail::Tick { at } => self.tick(at, cx),
            Mail::Answer { request, reply } => self.answered(request, Some(reply), true, cx),
            Mail::Refused { request } => self.answered(request, None, false, cx),
            Mail::TimedOut { request } => self.answered(request, None, true, cx),
            Mail::Hint { version } => self.events.push_back(Event::Hint { version }),
            Mail::Dead { nonce } => {
                cx.fact(Fact::ToldDead {
                    process: self.process,
                    nonce,
                });
                self.events.push_back(Event::Dead { nonce });
            }
            Mail::Resume { job, step } => {
                if self.jobs.contains_key(&job) {
                    self.go_on(job, step, cx);
                }
            }
            Mail::Work => {
                self.work(cx);
                self.work_later(cx);
            }
        }
        self.drain(cx);
    }

    /// Its clock goes at another rate from now on.
    pub fn set_clock_rate(&mut self, rate: u64, cx: &mut Context<'_>) {
        self.clock.set_rate(cx.now, rate);
        self.tick_at = None;
        self.drain(cx);
    }

    /// Tells the election something, at the next opportunity.
    pub(crate) fn tell(&mut self, event: Event) {
        self.events.push_back(event);
    }

    pub(crate) fn fresh_seq(&mut self) -> u64 {
        self.next_seq += 1;
        self.next_seq
    }

    fn tick(&mut self, at: Instant, cx: &mut Context<'_>) {
        if self.tick_at != Some(at) {
            return;
        }
        self.tick_at = None;
        self.woken = match self.woken {
            (at, times) if at == cx.now => (at, times + 1),
            _ => (cx.now, 1),
        };
        if self.woken.1 > MOST_WAKEUPS {
            cx.fact(Fact::Spins {
                process: self.process,
            });
        }
        self.events.push_back(Event::Tick);
    }

    fn drain(&mut self, cx: &mut Context<'_>) {
        while let Some(event) = self.events.pop_front() {
            for action in self.election.step(self.clock.now(cx.now), event) {
                self.perform(action, cx);
            }
            self.look(cx);
        }
        if let Some(at) = self.clock.when(self.election.wakeup()) {
            let at = at.max(cx.now);
            if self.tick_at.is_none_or(|tick| at < tick) {
                self.tick_at = Some(at);
                let mail = Mail::Tick { at };
                cx.effects.push(Effect::Wake { at, mail });
            }
        }
    }

    fn perform(&mut self, action: Action, cx: &mut Context<'_>) {
        match action {
            Action::ReadRoot => self.ask(Waiting::Root, Item::Root, Call::Read, cx),
            Action::ScanSeals => {
                let mut left: Vec<_> = (0..cx.plan.records + cx.plan.created)
                    .map(Item::Record)
                    .collect();
                left.push(Item::Floor);
                self.scan(left, Epoch::ZERO, cx);
            }
            Action::SwapRoot { expected, root } => {
                let body = Stored::Root(root);
                let waiting = Waiting::Swap { sent: cx.now };
                self.ask(waiting, Item::Root, Call::Swap { expected, body }, cx);
            }
            Action::SealFloor { seal } if cx.plan.mutation == Mutation::NoFloor => {
                let answer = FloorAnswer::Sealed;
                self.tell(Event::Floor { seal, answer });
            }
            Action::SealFloor { seal } => {
                self.forget_floor();
                let (write, step) = Write::floor(seal, self.fresh_seq());
                self.begin(write, step, Item::Floor, Goal::Floor { seal }, cx);
            }
            Action::Granted { seal, .. } => {
                let process = self.process;
                cx.fact(Fact::Granted { process, seal });
                (self.guard_late, self.overstays) = (0, false);
                self.granted(seal, cx);
            }
            Action::Lost { seal, why } => {
                self.overstays = cx.plan.mutation == Mutation::LeaseFromAnswer
                    && why == LostBecause::DeadlinePassed;
                let process = self.process;
                self.stop(cx);
                self.forget_floor();
                (self.wanting, self.leaving, self.has_lost) = (false, false, true);
                cx.fact(Fact::Lost { process, seal });
            }
            Action::Changed { ticket } => {
                cx.fact(Fact::Changed { ticket });
                self.changed(ticket);
            }
            Action::Refused { .. } => {}
            Action::AskedToResign { to } => self.asked_to_resign(to, cx),
        }
    }

    /// Tells the invariants what the application and observers see now.
    fn look(&mut self, cx: &mut Context<'_>) {
        let process = self.process;
        let guard = match (self.election.valid_until(), self.election.claimed()) {
            (Some(until), Some(seal)) => {
                let until = self.clock.when(until).unwrap_or(u64::MAX);
                Some((seal, until.saturating_add(self.guard_late)))
            }
            _ => None,
        };
        if guard != self.guard && !self.overstays {
            self.guard = guard;
            let right = guard;
            cx.fact(Fact::Guard { process, right });
        }
        let viewed = match self.election.view(self.clock.now(cx.now).time) {
            _ if cx.plan.mutation == Mutation::ForgetfulObserver => self.viewed,
            View::None => None,
            View::Activating(leader) => Some((Stage::Activating, leader.epoch, leader.nonce)),
            View::Active(leader) => Some((Stage::Active, leader.epoch, leader.nonce)),
        };
        self.show(viewed, cx);
    }

    fn show(&mut self, leader: Option<(Stage, Epoch, Nonce)>, cx: &mut Context<'_>) {
        if leader != self.viewed {
            self.viewed = leader;
            let process = self.process;
            cx.fact(Fact::Viewed { process, leader });
        }
    }

    fn work_later(&mut self, cx: &mut Context<'_>) {
        let every = nanos(self.settings.timing.retry()) / 3;
        let at = cx.now + every / 2 + cx.dice.range(0, every);
        let mail = Mail::Work;
        cx.effects.push(Effect::Wake { at, mail });
    }
}

/// The name of a node as a candidate.
pub fn holder(node: usize) -> incumbent_core::HolderName {
    let name = format!("node-{node}");
    name.parse().expect("it has no spaces")
}
