//! [`World`]: the nodes, the store and the network between them, in virtual time. One seed decides everything.
//!
//! ```text
//!   node ──Effect::Send──► network: lost? late? refused? cut off? ──► store, one step
//!     ▲                                                                  │
//!     └── Mail::Answer ◄── network: lost? slow? cut off? ◄───────────────┘
//! ```
//!
//! A simulation has parts ([`Phase`]): things go wrong; then nothing does, and the group must
//! recover; then nobody has work, and the group must be quiet.

mod network;
pub(crate) mod queue;
mod upsets;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use incumbent_core::root::Root;
use incumbent_core::{Timing, Version};
use queue::Queue;

use crate::clock::{Clock, Instant};
use crate::dice::Dice;
use crate::faults::{Mode, Mutation, Plan, nanos};
use crate::history::{Fact, Item, Phase, Process};
use crate::node::{Context, Effect, Mail, Node};
use crate::oracle::{Broken, Oracle};
use crate::store::{Call, Store, Stored};
use crate::trace::Trace;

/// Everything there is.
pub struct World {
    now: Instant,
    phase: Phase,
    dice: Dice,
    plan: Plan,
    queue: Queue<Event>,
    last_number: u64,
    last_process: Process,
    hosts: Vec<Host>,
    store: Store,
    backups: VecDeque<Root>,
    dead: BTreeSet<Process>,
    requests: BTreeMap<u64, Request>,
    outage_until: Instant,
    oracle: Oracle,
    trace: Trace,
    /// Facts of the step under way.
    facts: Vec<Fact>,
    /// Empty between two steps: its room is used again.
    effects: Vec<Effect>,
}

/// Where a node runs, and what is wrong there.
struct Host {
    node: Option<Box<Node>>,
    clock: Clock,
    paused_until: Instant,
    /// What came while it was paused, or is to be handled after that.
    waiting: VecDeque<Mail>,
    requests_cut_until: Instant,
    answers_cut_until: Instant,
    silent_until: Instant,
}

/// A request on its way.
struct Request {
    from: (usize, Process),
    item: Item,
    call: Call,
}

enum Event {
    Mail {
        to: (usize, Process),
        mail: Mail,
    },
    Arrive(u64),
    Resume(usize),
    Restart(usize),
    Upset,
    /// Every node looks whether the holder it sees is dead.
    Probe,
    /// Somebody who read the root writes a request for a hand-over into it.
    Handover {
        version: Version,
        root: Box<Root>,
    },
    Phase(Phase),
}

impl World {
    /// A world at its beginning.
    pub fn new(seed: u64, mode: Mode, mutation: Mutation, trace: Trace) -> Self {
        let mut dice = Dice::new(seed);
        let plan = Plan::new(mode, mutation, &mut dice);
        let hosts = plan
            .nodes
            .iter()
            .map(|node| Host {
                node: None,
                clock: Clock::new(node.clock_offset, node.clock_rate),
                paused_until: 0,
                waiting: VecDeque::new(),
                requests_cut_until: 0,
                answers_cut_until: 0,
                silent_until: 0,
            })
            .collect();
        Self {
            now: 0,
            phase: Phase::Chaos,
            queue: Queue::default(),
            last_number: 0,
            last_process: 0,
            hosts,
            store: Store::default(),
            backups: VecDeque::new(),
            dead: BTreeSet::new(),
            requests: BTreeMap::new(),
            outage_until: 0,
            oracle: Oracle::new(&plan),
            trace,
            facts: Vec::new(),
            effects: Vec::new(),
            dice,
            plan,
        }
    }

    /// Runs to the end, or until a promise is broken.
    ///
    /// # Errors
    ///
    /// The promise that was broken.
    pub fn run(&mut self) -> Result<(), Broken> {
        self.trace.line(0, || format!("{:#?}", self.plan));
        for node in 0..self.hosts.len() {
            let at = self.dice.range(0, nanos(self.plan.nodes[0].timing.lease()));
            self.at(at, Event::Restart(node));
        }
        self.at(0, Event::Probe);
        self.at(0, Event::Upset);
        let lease = self.plan.longest(Timing::lease);
        let healed = self.plan.chaos;
        let settled = healed + self.plan.recovery();
        let resting = settled + 2 * lease;
        let idle = resting + 3 * lease;
        for (at, phase) in [
            (healed, Phase::Healed),
            (settled, Phase::Settled),
            (resting, Phase::Resting),
            (idle, Phase::Idle),
            (idle + 3 * lease, Phase::Over),
        ] {
            self.at(at, Event::Phase(phase));
        }
        while self.phase != Phase::Over {
            let (at, event) = self.queue.pop().expect("the end is in the queue");
            self.now = at;
            self.happen(event);
            self.tell_oracle()?;
        }
        self.oracle.end(self.now)
    }

    /// The oracle, which knows what happened.
    pub fn oracle(&self) -> &Oracle {
        &self.oracle
    }

    /// True time.
    pub fn now(&self) -> Instant {
        self.now
    }

    /// The last lines of the trace.
    pub fn into_trace(self) -> Trace {
        self.trace
    }

    fn tell_oracle(&mut self) -> Result<(), Broken> {
        for fact in self.facts.drain(..) {
            self.trace.line(self.now, || format!("{fact:?}"));
            self.oracle.see(self.now, &fact)?;
        }
        Ok(())
    }

    fn at(&mut self, at: Instant, event: Event) {
        self.last_number += 1;
        self.queue
            .push(at, self.dice.number(), self.last_number, event);
    }

    fn after(&mut self, pause: u64, event: Event) {
        self.at(self.now + pause, event);
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Mail { to, mail } => self.deliver(to, mail),
            Event::Arrive(request) => self.arrive(request),
            Event::Resume(node) => self.resume(node),
            Event::Restart(node) => self.start(node),
            Event::Upset => self.upset(),
            Event::Probe => self.probe(),
            Event::Handover { version, root } => {
                let expected = Some(version);
                let body = Stored::Root(root);
                self.write(Item::Root, Call::Swap { expected, body });
            }
            Event::Phase(phase) => self.turn_to(phase),
        }
    }

    fn start(&mut self, index: usize) {
        if self.hosts[index].node.is_some() {
            return;
        }
        self.last_process += 1;
        let (process, clock) = (self.last_process, self.hosts[index].clock);
        let settings = self.plan.nodes[index].clone();
        let (node, effects) =
            self.with_context(|cx| Node::start(process, index, &settings, clock, cx));
        self.hosts[index].node = Some(Box::new(node));
        self.perform(index, process, effects);
    }

    fn deliver(&mut self, (index, process): (usize, Process), mail: Mail) {
        let host = &mut self.hosts[index];
        if host
            .node
            .as_ref()
            .is_none_or(|node| node.process != process)
        {
            return;
        }
        if self.now < host.paused_until || !host.waiting.is_empty() {
            host.waiting.push_back(mail);
            return;
        }
        self.handle(index, mail);
    }

    fn handle(&mut self, index: usize, mail: Mail) {
        let Some(mut node) = self.hosts[index].node.take() else {
            return;
        };
        let process = node.process;
        if node.expects(&mail) {
            self.trace
                .line(self.now, || format!("  {process} gets {mail}"));
        }
        let ((), effects) = self.with_context(|cx| node.handle(mail, cx));
        self.hosts[index].node = Some(node);
        self.perform(index, process, effects);
    }

    fn with_context<T>(&mut self, act: impl FnOnce(&mut Context<'_>) -> T) -> (T, Vec<Effect>) {
        let mut cx = Context {
            now: self.now,
            dice: &mut self.dice,
            plan: &self.plan,
            phase: self.phase,
            last_number: &mut self.last_number,
            effects: std::mem::take(&mut self.effects),
        };
        let result = act(&mut cx);
        (result, cx.effects)
    }

    /// Performs what a node does, and keeps the room that its list took.
    fn perform(&mut self, index: usize, process: Process, mut effects: Vec<Effect>) {
        let to = (index, process);
        for effect in effects.drain(..) {
            match effect {
                Effect::Fact(fact) => self.facts.push(fact),
                Effect::Wake { at, mail } => self.at(at, Event::Mail { to, mail }),
                Effect::Send {
                    request,
                    item,
                    call,
                } => {
                    let from = to;
                    self.send(request, Request { from, item, call });
                }
            }
        }
        self.effects = effects;
    }

    fn turn_to(&mut self, phase: Phase) {
        self.phase = phase;
        self.facts.push(Fact::Phase(phase));
        if phase == Phase::Healed {
            self.heal();
        }
    }

    fn heal(&mut self) {
        self.outage_until = 0;
        for index in 0..self.hosts.len() {
            let rate = self.plan.nodes[index].clock_rate_healed;
            let host = &mut self.hosts[index];
            host.clock.set_rate(self.now, rate);
            host.paused_until = 0;
            if let Some(mut node) = host.node.take() {
                let process = node.process;
                let ((), effects) = self.with_context(|cx| node.set_clock_rate(rate, cx));
                self.hosts[index].node = Some(node);
                self.perform(index, process, effects);
                self.resume(index);
            } else {
                self.start(index);
            }
        }
    }
}
