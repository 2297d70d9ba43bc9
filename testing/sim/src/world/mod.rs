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

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, VecDeque};

use incumbent_core::root::{Handover, Root};
use incumbent_core::{Nonce, Timing, Version};

use crate::clock::{Clock, Instant, MILLISECOND};
use crate::dice::Dice;
use crate::faults::{Mode, Mutation, Plan, Upset, nanos};
use crate::history::{Fact, Item, Phase, Process, process_of};
use crate::node::{Context, Effect, Mail, Node, holder};
use crate::oracle::{Broken, Oracle};
use crate::store::{Call, Reply, Store, Stored};
use crate::trace::Trace;

/// A request arrives at most so many leases after its sender gave it up.
const LATEST_LEASES: u64 = 4;

/// How many old roots somebody has a backup of.
const MOST_BACKUPS: usize = 16;

/// Everything there is.
pub struct World {
    now: Instant,
    phase: Phase,
    dice: Dice,
    plan: Plan,
    queue: BinaryHeap<Reverse<Due>>,
    last_number: u64,
    last_process: Process,
    places: Vec<Place>,
    store: Store,
    backups: VecDeque<Root>,
    dead: BTreeSet<Process>,
    requests: BTreeMap<u64, Request>,
    outage_until: Instant,
    oracle: Oracle,
    trace: Trace,
    /// Facts of the step under way.
    facts: Vec<Fact>,
}

/// Where a node runs, and what is wrong there.
struct Place {
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

#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Due {
    at: Instant,
    /// What is due at the same moment comes in any order.
    lot: u64,
    number: u64,
    event: Unordered,
}

/// Carried along, never compared.
struct Unordered(Event);

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
        let places = plan
            .nodes
            .iter()
            .map(|node| Place {
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
            queue: BinaryHeap::new(),
            last_number: 0,
            last_process: 0,
            places,
            store: Store::default(),
            backups: VecDeque::new(),
            dead: BTreeSet::new(),
            requests: BTreeMap::new(),
            outage_until: 0,
            oracle: Oracle::new(&plan),
            trace,
            facts: Vec::new(),
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
        for node in 0..self.places.len() {
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
            let Reverse(due) = self.queue.pop().expect("the end is in the queue");
            self.now = due.at;
            self.happen(due.event.0);
            self.told()?;
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

    fn told(&mut self) -> Result<(), Broken> {
        for fact in std::mem::take(&mut self.facts) {
            self.trace.line(self.now, || format!("{fact:?}"));
            self.oracle.see(self.now, &fact)?;
        }
        Ok(())
    }

    fn at(&mut self, at: Instant, event: Event) {
        self.last_number += 1;
        self.queue.push(Reverse(Due {
            at,
            lot: self.dice.number(),
            number: self.last_number,
            event: Unordered(event),
        }));
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

    // ---- nodes ----

    fn start(&mut self, index: usize) {
        if self.places[index].node.is_some() {
            return;
        }
        self.last_process += 1;
        let (process, clock) = (self.last_process, self.places[index].clock);
        let settings = self.plan.nodes[index].clone();
        let (node, effects) =
            self.with_context(|cx| Node::start(process, index, &settings, clock, cx));
        self.places[index].node = Some(Box::new(node));
        self.perform(index, process, effects);
    }

    fn deliver(&mut self, (index, process): (usize, Process), mail: Mail) {
        let place = &mut self.places[index];
        if place
            .node
            .as_ref()
            .is_none_or(|node| node.process != process)
        {
            return;
        }
        if self.now < place.paused_until || !place.waiting.is_empty() {
            place.waiting.push_back(mail);
            return;
        }
        self.handle(index, mail);
    }

    fn handle(&mut self, index: usize, mail: Mail) {
        let Some(mut node) = self.places[index].node.take() else {
            return;
        };
        let process = node.process;
        if node.expects(&mail) {
            self.trace
                .line(self.now, || format!("  {process} gets {mail}"));
        }
        let ((), effects) = self.with_context(|cx| node.handle(mail, cx));
        self.places[index].node = Some(node);
        self.perform(index, process, effects);
    }

    fn with_context<T>(&mut self, act: impl FnOnce(&mut Context<'_>) -> T) -> (T, Vec<Effect>) {
        let mut cx = Context {
            now: self.now,
            dice: &mut self.dice,
            plan: &self.plan,
            phase: self.phase,
            last_number: &mut self.last_number,
            effects: Vec::new(),
        };
        let result = act(&mut cx);
        (result, cx.effects)
    }

    fn perform(&mut self, index: usize, process: Process, effects: Vec<Effect>) {
        let to = (index, process);
        for effect in effects {
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
    }

    // ---- the network ----

    fn send(&mut self, number: u64, request: Request) {
        let chaos = self.phase == Phase::Chaos;
        let faults = &self.plan.faults;
        let (index, process) = request.from;
        let is_write = !matches!(request.call, Call::Read);
        // All dice are thrown, needed or not, so that one fault that is switched off does not
        // change the others.
        let lost = self.dice.chance(faults.lost_request);
        let late = self.dice.chance(faults.late_request);
        let refused = self.dice.chance(faults.refused);
        let cut = self.now < self.places[index].requests_cut_until.max(self.outage_until);
        let noticed = self.dice.chance(300);
        let delay = self.delay();
        let timing = self.plan.nodes[index].timing;
        if chaos && (refused || (cut && noticed)) {
            let mail = Mail::Refused { request: number };
            let to = (index, process);
            return self.after(delay, Event::Mail { to, mail });
        }
        if chaos && (late || lost || cut) {
            if late && is_write {
                let patience = nanos(timing.request_timeout());
                let lateness = self.dice.range(0, LATEST_LEASES * nanos(timing.lease()));
                self.requests.insert(number, request);
                self.after(patience / 2 + lateness, Event::Arrive(number));
            }
            return;
        }
        self.requests.insert(number, request);
        self.after(delay, Event::Arrive(number));
    }

    fn arrive(&mut self, number: u64) {
        let request = self.requests.remove(&number).expect("it arrives once");
        let (index, process) = request.from;
        let reply = self.write(request.item, request.call);
        let place = &self.places[index];
        let cut = self.now < place.answers_cut_until;
        let lost = self.dice.chance(self.plan.faults.lost_answer);
        let delay = self.delay();
        if self.phase == Phase::Chaos && (lost || cut) {
            return;
        }
        let (to, mail) = (
            (index, process),
            Mail::Answer {
                request: number,
                reply,
            },
        );
        self.after(delay, Event::Mail { to, mail });
    }

    /// Does something to the store, and hints at it.
    fn write(&mut self, item: Item, call: Call) -> Reply {
        let (reply, fact) = self.store.perform(item, call);
        let changed = fact.is_some();
        self.facts.extend(fact);
        if changed && item == Item::Root {
            self.root_changed();
        }
        reply
    }

    fn root_changed(&mut self) {
        let root = self.store.root();
        let version = root.as_ref().map(|(version, _)| version.clone());
        if let Some((_, root)) = root {
            if self.backups.len() == MOST_BACKUPS {
                let any = self.dice.index(MOST_BACKUPS);
                self.backups.remove(any);
            }
            self.backups.push_back(root.clone());
        }
        for index in 0..self.places.len() {
            let lost = self.dice.chance(self.plan.faults.lost_hint);
            let late = self.dice.chance(self.plan.faults.late_hint);
            let vague = self.dice.chance(200);
            let mut delay = self.delay();
            let silent = self.now < self.places[index].silent_until;
            if self.phase == Phase::Chaos {
                if lost || silent {
                    continue;
                }
                if late {
                    delay += self.dice.range(0, self.plan.longest(Timing::lease));
                }
            }
            let version = version.clone().filter(|_| !vague);
            self.hint(index, version, delay);
        }
    }

    fn hint(&mut self, index: usize, version: Option<Version>, delay: u64) {
        if let Some(process) = self.process(index) {
            let (to, mail) = ((index, process), Mail::Hint { version });
            self.after(delay, Event::Mail { to, mail });
        }
    }

    fn delay(&mut self) -> u64 {
        let slow = self.dice.chance(self.plan.faults.slow);
        let usual = self.dice.range(MILLISECOND / 10, 5 * MILLISECOND);
        match slow && self.phase == Phase::Chaos {
            true => self
                .dice
                .range(0, self.plan.longest(Timing::request_timeout)),
            false => usual,
        }
    }

    // ---- what goes wrong ----

    fn upset(&mut self) {
        if self.phase != Phase::Chaos {
            return;
        }
        if !self.plan.faults.upsets.is_empty() {
            let upset = self.dice.pick(&self.plan.faults.upsets);
            self.suffer(upset);
        }
        let lease = self.plan.longest(Timing::lease);
        let pause = self.dice.range(0, lease);
        self.after(pause, Event::Upset);
    }

    fn suffer(&mut self, upset: Upset) {
        let any = self.dice.index(self.places.len());
        let leader = self.leader().unwrap_or(any);
        let lease = self.plan.longest(Timing::lease);
        let long = self.dice.range(0, lease * 5 / 2);
        let until = self.now + long;
        self.trace.line(self.now, || {
            format!("{upset:?} of {any} or leader {leader} for {long}")
        });
        match upset {
            Upset::Pause => self.pause(any, until),
            Upset::PauseLeader => self.pause(leader, until),
            Upset::Kill => self.kill(any, until),
            Upset::KillLeader => self.kill(leader, until),
            Upset::CutRequests => self.places[any].requests_cut_until = until,
            Upset::CutAnswers => self.places[any].answers_cut_until = until,
            Upset::CutBoth => {
                self.places[leader].requests_cut_until = until;
                self.places[leader].answers_cut_until = until;
            }
            Upset::Outage => self.outage_until = self.now + long / 2,
            Upset::Silence => self.places[any].silent_until = until + 3 * lease,
            Upset::IdleHint => {
                let number = self.dice.range(1, 1 + self.last_number / 8);
                let version = self.dice.chance(500);
                let version = version.then(|| Version::new(number.to_string()));
                self.hint(any, version, 0);
            }
            Upset::WrongVerdict => self.judge(any),
            Upset::DeleteRoot => {
                let fact = self.store.remove(Item::Root, None);
                self.facts.extend(fact);
                self.root_changed();
            }
            Upset::RestoreRoot => self.restore_root(),
            Upset::AskHandover => {
                if let Some((version, root)) = self.store.root() {
                    let to = self.dice.chance(500).then(|| holder(any));
                    let by = "somebody".to_owned();
                    let root = Box::new(root.clone().asking(Handover { to, by }));
                    let delay = self.delay();
                    self.after(delay, Event::Handover { version, root });
                }
            }
        }
    }

    fn pause(&mut self, index: usize, until: Instant) {
        self.places[index].paused_until = until;
        self.at(until, Event::Resume(index));
    }

    fn resume(&mut self, index: usize) {
        if self.now < self.places[index].paused_until {
            return;
        }
        let mut waiting = std::mem::take(&mut self.places[index].waiting);
        // Timers may be late beside everything else that waits.
        if self.dice.chance(500) {
            let (ticks, others): (VecDeque<_>, _) = waiting
                .into_iter()
                .partition(|mail| matches!(mail, Mail::Tick { .. } | Mail::TimedOut { .. }));
            waiting = others;
            waiting.extend(ticks);
        }
        for mail in waiting {
            self.handle(index, mail);
        }
    }

    fn kill(&mut self, index: usize, until: Instant) {
        self.at(until, Event::Restart(index));
        let place = &mut self.places[index];
        if let Some(node) = place.node.take() {
            place.waiting.clear();
            place.paused_until = 0;
            self.dead.insert(node.process);
            let process = node.process;
            self.facts.push(Fact::Killed { process });
        }
    }

    fn judge(&mut self, index: usize) {
        if let Some(nonce) = self.probe_target(index)
            && let Some(process) = self.process(index)
        {
            let (to, mail) = ((index, process), Mail::Dead { nonce });
            self.after(0, Event::Mail { to, mail });
        }
    }

    /// Every node looks whether the holder that it sees is dead.
    fn probe(&mut self) {
        for index in 0..self.places.len() {
            let target = self.probe_target(index);
            if target.is_some_and(|nonce| self.dead.contains(&process_of(nonce)))
                && self.dice.chance(500)
            {
                self.judge(index);
            }
        }
        let pause = self.plan.longest(Timing::retry) / 2;
        self.after(pause, Event::Probe);
    }

    fn probe_target(&self, index: usize) -> Option<Nonce> {
        let node = self.places[index].node.as_ref()?;
        node.election.probe_target().map(|(_, nonce)| nonce)
    }

    fn restore_root(&mut self) {
        if self.backups.is_empty() {
            return;
        }
        let root = self.backups[self.dice.index(self.backups.len())].clone();
        let body = Stored::Root(Box::new(root));
        let (_, fact) = self.store.put(Item::Root, body, true);
        self.facts.push(fact);
        self.root_changed();
    }

    fn process(&self, index: usize) -> Option<Process> {
        self.places[index].node.as_ref().map(|node| node.process)
    }

    /// The node whose process holds the root.
    fn leader(&self) -> Option<usize> {
        let holder = process_of(self.store.root()?.1.nonce);
        (0..self.places.len()).find(|index| self.process(*index) == Some(holder))
    }

    // ---- the parts ----

    fn turn_to(&mut self, phase: Phase) {
        self.phase = phase;
        self.facts.push(Fact::Phase(phase));
        if phase == Phase::Healed {
            self.heal();
        }
    }

    fn heal(&mut self) {
        self.outage_until = 0;
        for index in 0..self.places.len() {
            let rate = self.plan.nodes[index].clock_rate_healed;
            let place = &mut self.places[index];
            place.clock.set_rate(self.now, rate);
            place.paused_until = 0;
            if let Some(mut node) = place.node.take() {
                let process = node.process;
                let ((), effects) = self.with_context(|cx| node.set_clock_rate(rate, cx));
                self.places[index].node = Some(node);
                self.perform(index, process, effects);
                self.resume(index);
            } else {
                self.start(index);
            }
        }
    }
}

impl PartialEq for Unordered {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Unordered {}

impl PartialOrd for Unordered {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Unordered {
    fn cmp(&self, _: &Self) -> std::cmp::Ordering {
        std::cmp::Ordering::Equal
    }
}
