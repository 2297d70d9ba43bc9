//! [`Node`]: one process as its driver sees it. It performs what the core decides, as the real driver does, and holds a
//! leading application that works on records (`workload.rs`).
//!
//! Everything that reaches a node is [`Mail`]; everything that it does is an [`Effect`], performed
//! by the [`World`](crate::world::World). In between lies no time: a slow node is one whose mail
//! waits.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;

use incumbent_core::election::{
    Action, Config, Election, Event, FloorAnswer, LostBecause, SwapAnswer,
};
use incumbent_core::record::RecordBody;
use incumbent_core::root::Liveness;
use incumbent_core::write::{Answer, Refused, Step, Write};
use incumbent_core::{Epoch, Nonce, Seal, Version, View};

use crate::clock::{Clock, Instant};
use crate::dice::Dice;
use crate::faults::{Mutation, Plan, Settings, nanos};
use crate::history::{Fact, Item, Op, Phase, Process, Stage, first_nonce};
use crate::store::{self, Call, Reply, Stored};
use crate::workload::{Place, Term};

/// How often a write of a record is tried before the workload gives it up.
const MOST_TRIES: u32 = 6;

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

/// What reaches a node.
#[derive(Clone, Debug)]
pub enum Mail {
    /// It wanted to be woken at this moment.
    Tick {
        /// The moment, which may have passed long ago. A later wish revokes it.
        at: Instant,
    },
    /// A request was answered.
    Answer {
        /// The request.
        request: u64,
        /// The answer.
        reply: Reply,
    },
    /// A request was refused on the way: nothing was written.
    Refused {
        /// The request.
        request: u64,
    },
    /// A request was waited for long enough.
    TimedOut {
        /// The request.
        request: u64,
    },
    /// A watch hints at the root.
    Hint {
        /// Its version, if known.
        version: Option<Version>,
    },
    /// The holder of a term is dead.
    Dead {
        /// The term.
        nonce: Nonce,
    },
    /// A write of a record goes on.
    Resume {
        /// Which.
        job: u64,
        /// With what.
        step: Step,
    },
    /// The application does something.
    Work,
}

/// What a node does.
#[derive(Debug)]
pub enum Effect {
    /// Something happened.
    Fact(Fact),
    /// A request to the store.
    Send {
        /// Its number.
        request: u64,
        /// What it is about.
        item: Item,
        /// What it asks.
        call: Call,
    },
    /// Mail to itself.
    Wake {
        /// When.
        at: Instant,
        /// What.
        mail: Mail,
    },
}

/// What a node may use while it handles its mail.
pub struct Context<'a> {
    /// True time. Only clocks are told.
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

#[derive(Debug)]
enum Waiting {
    Root,
    Swap {
        sent: Instant,
    },
    /// The seals of one item after another, as a real driver reads them.
    Scan {
        left: Vec<Item>,
        highest: Epoch,
    },
    Job {
        job: u64,
        reads: bool,
    },
    /// A look at the floor, for a record that was opened vacant.
    Confirm {
        job: u64,
    },
    /// A read of a record by anybody.
    Read(Op),
}

/// A write of a record that is under way.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) write: Write,
    pub(crate) item: Item,
    pub(crate) goal: Goal,
    tries: u32,
}

/// What a write is for.
#[derive(Clone, Debug)]
pub(crate) enum Goal {
    Floor {
        seal: Seal,
    },
    Open {
        op: Op,
        place: Place,
        seal: Seal,
    },
    Commit {
        op: Op,
        place: Place,
    },
    /// With the body that a tombstone would have.
    Erase {
        op: Op,
        place: Place,
        body: Box<RecordBody>,
    },
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
            liveness: Some(Liveness {
                address: format!("node-{node}:1"),
                scope: None,
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
                let mut left: Vec<_> = (0..cx.plan.records).map(Item::Record).collect();
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

    fn scan(&mut self, mut left: Vec<Item>, highest: Epoch, cx: &mut Context<'_>) {
        match left.pop() {
            Some(item) => self.ask(Waiting::Scan { left, highest }, item, Call::Read, cx),
            None => self.tell(Event::SealsScanned { highest }),
        }
    }

    /// Reads a record, as anybody may.
    pub(crate) fn read_record(&mut self, op: Op, record: u8, cx: &mut Context<'_>) {
        self.ask(Waiting::Read(op), Item::Record(record), Call::Read, cx);
    }

    fn ask(&mut self, waiting: Waiting, item: Item, call: Call, cx: &mut Context<'_>) {
        let request = cx.number();
        let write = match &call {
            Call::Swap { expected, body } => Some((expected.as_ref(), store::describe(body))),
            Call::Erase { expected, body } => {
                let body = store::describe(&Stored::Record((**body).clone()));
                Some((Some(expected), body))
            }
            Call::Read => None,
        };
        if let Some((expected, body)) = write {
            cx.fact(Fact::Asked {
                process: self.process,
                item,
                expected: expected.map(store::number),
                body,
            });
        }
        self.requests.insert(request, waiting);
        cx.effects.push(Effect::Send {
            request,
            item,
            call,
        });
        let patience = self
            .clock
            .truly(nanos(self.settings.timing.request_timeout()));
        cx.effects.push(Effect::Wake {
            at: cx.now + patience,
            mail: Mail::TimedOut { request },
        });
    }

    /// A request came to its end: with a reply, or with none, `sent` telling whether it may have
    /// arrived.
    fn answered(&mut self, request: u64, reply: Option<Reply>, sent: bool, cx: &mut Context<'_>) {
        let Some(waiting) = self.requests.remove(&request) else {
            return; // It was given up before.
        };
        match waiting {
            Waiting::Root => self.root_read(reply, cx),
            Waiting::Swap { sent: at } => {
                let answer = swap_answer(reply, sent);
                let waited = cx.now - at;
                if cx.plan.mutation == Mutation::LeaseFromAnswer
                    && matches!(answer, SwapAnswer::Committed(_))
                {
                    self.guard_late = waited;
                }
                self.tell(Event::RootSwapped(answer));
            }
            Waiting::Scan { left, highest } => match reply {
                Some(Reply::Found(found)) => {
                    let seal =
                        found.map_or(Epoch::ZERO, |(_, body)| store::describe(&body).seal().epoch);
                    self.scan(left, highest.max(seal), cx);
                }
                _ => self.tell(Event::SealsUnread),
            },
            Waiting::Job { job, reads } => {
                let answer = job_answer(reads, reply, sent, cx.plan.mutation);
                self.job_answered(job, answer, cx);
            }
            Waiting::Confirm { job } => {
                let answer = match reply {
                    Some(Reply::Found(found)) => {
                        Answer::Floor(found.map(|(_, body)| store::describe(&body).seal()))
                    }
                    _ => Answer::Unread,
                };
                self.job_answered(job, answer, cx);
            }
            Waiting::Read(op) => {
                if let Some(Reply::Found(found)) = reply {
                    self.record_read(op, found, cx);
                }
            }
        }
    }

    fn root_read(&mut self, reply: Option<Reply>, cx: &mut Context<'_>) {
        let Some(Reply::Found(found)) = reply else {
            return self.tell(Event::RootUnread);
        };
        let root = found.map(|(version, body)| match body {
            Stored::Root(root) => (version, root),
            Stored::Record(_) => unreachable!("the root is no record"),
        });
        if cx.plan.mutation == Mutation::ForgetfulObserver {
            let leader = root
                .as_ref()
                .map(|(_, root)| (root.state.into(), root.epoch, root.nonce));
            self.show(leader, cx);
        }
        self.tell(Event::RootRead { root });
    }

    /// Begins a write of a record.
    pub(crate) fn begin(
        &mut self,
        write: Write,
        step: Step,
        item: Item,
        goal: Goal,
        cx: &mut Context<'_>,
    ) -> u64 {
        let number = cx.number();
        let tries = 0;
        let job = Job {
            write,
            item,
            goal,
            tries,
        };
        self.jobs.insert(number, job);
        self.go_on(number, step, cx);
        number
    }

    fn go_on(&mut self, number: u64, step: Step, cx: &mut Context<'_>) {
        let job = self.jobs.get(&number).expect("whoever calls has looked");
        let item = job.item;
        match step {
            Step::Read => {
                let waiting = Waiting::Job {
                    job: number,
                    reads: true,
                };
                self.ask(waiting, item, Call::Read, cx);
            }
            Step::Swap { expected, body } => {
                let body = Stored::Record((*body).clone());
                let call = Call::Swap { expected, body };
                let waiting = Waiting::Job {
                    job: number,
                    reads: false,
                };
                self.ask(waiting, item, call, cx);
            }
            Step::Erase { expected } => {
                let Goal::Erase { body, .. } = &job.goal else {
                    unreachable!("only an erasure erases");
                };
                let body = body.clone();
                let call = Call::Erase { expected, body };
                let waiting = Waiting::Job {
                    job: number,
                    reads: false,
                };
                self.ask(waiting, item, call, cx);
            }
            Step::ReadFloor if cx.plan.mutation == Mutation::VacantUnconfirmed => {
                let Goal::Open { seal, .. } = job.goal else {
                    unreachable!("only who opens looks at the floor");
                };
                self.job_answered(number, Answer::Floor(Some(seal)), cx);
            }
            Step::ReadFloor => {
                let waiting = Waiting::Confirm { job: number };
                self.ask(waiting, Item::Floor, Call::Read, cx);
            }
            Step::Gone { ours } => {
                let job = self.jobs.remove(&number).expect("it is there");
                let Goal::Erase { op, place, .. } = job.goal else {
                    unreachable!("only an erasure ends so");
                };
                self.erased(op, place, ours, cx);
            }
            Step::Done { version, body } => {
                let job = self.jobs.remove(&number).expect("it is there");
                match job.goal {
                    Goal::Floor { seal } => self.floor(seal, FloorAnswer::Sealed),
                    Goal::Open { op, place, .. } => self.opened(op, place, version, &body, cx),
                    Goal::Commit { op, place } => self.committed(op, place, version, &body, cx),
                    Goal::Erase { .. } => unreachable!("an erasure leaves no body"),
                }
            }
            Step::Refused(refused) => {
                let job = self.jobs.remove(&number).expect("it is there");
                match (&job.goal, refused) {
                    (Goal::Floor { seal }, Refused::Fenced { current }) => {
                        self.floor(*seal, FloorAnswer::Fenced(current));
                    }
                    (Goal::Floor { seal }, _) => self.floor(*seal, FloorAnswer::Failed),
                    (Goal::Open { .. } | Goal::Commit { .. } | Goal::Erase { .. }, _) => {
                        self.refused(&job, refused, cx);
                    }
                }
            }
        }
    }

    fn floor(&mut self, seal: Seal, answer: FloorAnswer) {
        self.tell(Event::Floor { seal, answer });
    }

    fn job_answered(&mut self, number: u64, answer: Answer, cx: &mut Context<'_>) {
        let Some(job) = self.jobs.get_mut(&number) else {
            return; // The term ended meanwhile.
        };
        if cx.plan.mutation == Mutation::ReadWithoutSeal
            && let (Goal::Open { op, place, .. }, Answer::Read(Some((version, body)))) =
                (&job.goal, &answer)
        {
            let (op, place) = (*op, *place);
            let (version, body) = (version.clone(), body.clone());
            self.jobs.remove(&number);
            return self.opened(op, place, version, &body, cx);
        }
        let answer = match (&job.goal, answer) {
            (Goal::Erase { .. }, Answer::Committed(_)) => Answer::Erased,
            (_, answer) => answer,
        };
        let fails = matches!(
            answer,
            Answer::Unread | Answer::NotApplied | Answer::Unknown
        );
        let step = job.write.step(answer);
        if !fails || matches!(step, Step::Refused(_)) {
            return self.go_on(number, step, cx);
        }
        job.tries += 1;
        if job.tries > MOST_TRIES || cx.dice.chance(150) {
            let job = self.jobs.remove(&number).expect("it is there");
            return self.given_up(&job, cx);
        }
        let pause = nanos(self.settings.timing.retry()) / 4;
        let at = cx.now + cx.dice.range(0, pause);
        let mail = Mail::Resume { job: number, step };
        cx.effects.push(Effect::Wake { at, mail });
    }

    pub(crate) fn given_up(&mut self, job: &Job, cx: &mut Context<'_>) {
        match job.goal {
            Goal::Floor { seal } => self.floor(seal, FloorAnswer::Failed),
            Goal::Open { .. } | Goal::Commit { .. } | Goal::Erase { .. } => {
                self.refused(job, Refused::NotApplied, cx);
            }
        }
    }

    fn work_later(&mut self, cx: &mut Context<'_>) {
        let every = nanos(self.settings.timing.retry()) / 3;
        let at = cx.now + every / 2 + cx.dice.range(0, every);
        let mail = Mail::Work;
        cx.effects.push(Effect::Wake { at, mail });
    }
}

impl fmt::Display for Mail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Answer {
                request,
                reply: Reply::Found(Some((version, body))),
            } => {
                let body = store::describe(body);
                write!(f, "answer to {request}: at version {version}: {body:?}")
            }
            Self::Answer { request, reply } => write!(f, "answer to {request}: {reply:?}"),
            other => write!(f, "{other:?}"),
        }
    }
}

/// The name of a node as a candidate.
pub fn holder(node: usize) -> incumbent_core::HolderName {
    let name = format!("node-{node}");
    name.parse().expect("it has no spaces")
}

fn swap_answer(reply: Option<Reply>, sent: bool) -> SwapAnswer {
    match (reply, sent) {
        (Some(Reply::Swapped(answer)), _) => answer,
        (_, true) => SwapAnswer::Unknown,
        (_, false) => SwapAnswer::NotApplied,
    }
}

fn job_answer(reads: bool, reply: Option<Reply>, sent: bool, mutation: Mutation) -> Answer {
    match (reply, sent) {
        (Some(Reply::Swapped(SwapAnswer::Committed(version))), _) => Answer::Committed(version),
        (Some(Reply::Swapped(SwapAnswer::Conflict)), _) => Answer::Conflict,
        (Some(Reply::Found(found)), _) => Answer::Read(found.map(|(version, body)| match body {
            Stored::Record(body) => (version, body),
            Stored::Root(_) => unreachable!("a record is no root"),
        })),
        _ if reads => Answer::Unread,
        (_, true) if mutation != Mutation::UnknownIsNotApplied => Answer::Unknown,
        _ => Answer::NotApplied,
    }
}
