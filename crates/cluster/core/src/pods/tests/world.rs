//! An API server, the kubelets behind it, the TaskManagers in the pods and the jobs in them; one
//! leader after the other; and messages between them that come late, twice, or never.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use incumbent_core::{Nonce, Time};

use super::{SECOND, config, seal};
use crate::demand::{Demand, GangNeed, TaskManagerUse, UseState};
use crate::dice::Dice;
use crate::pods::{Asked, Deleted, PodPhase, PodSeen, Pods, PodsAction, PodsConfig, PodsEvent};

/// Between two looks at the world.
const STEP: Duration = Duration::from_millis(200);

/// What is broken on purpose, between the machine and its world: each must be seen to break a
/// promise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mutation {
    None,
    /// The epoch is left out of names.
    NamesWithoutEpoch,
    /// A lost answer counts as a refusal.
    UnknownIsRefused,
    /// A leader sees only the pods that it has asked for.
    OwnPodsOnly,
    /// A leader asks before it has listed.
    AsksBeforeListing,
    /// Silence counts as a proof of death.
    SilenceIsDeath,
    /// A TaskManager is told to leave by the deletion of its pod.
    ReleasesByDeletion,
}

/// Idle TaskManagers leave early, so that much of it happens.
fn numbers() -> PodsConfig {
    PodsConfig {
        idle_release: 15 * SECOND,
        ..config()
    }
}

/// How likely each trouble is, in parts of a thousand for each step or message.
#[derive(Clone, Copy, Debug)]
pub(super) struct Faults {
    pub(super) lost_answer: u64,
    pub(super) lost_request: u64,
    pub(super) twice: u64,
    pub(super) late: u64,
    pub(super) change_of_leader: u64,
    pub(super) crash: u64,
    pub(super) node_vanishes: u64,
    pub(super) deleted_by_hand: u64,
    pub(super) quota_flips: u64,
}

impl Faults {
    pub(super) const NONE: Self = Self {
        lost_answer: 0,
        lost_request: 0,
        twice: 0,
        late: 0,
        change_of_leader: 0,
        crash: 0,
        node_vanishes: 0,
        deleted_by_hand: 0,
        quota_flips: 0,
    };
    pub(super) const ALL: Self = Self {
        lost_answer: 150,
        lost_request: 100,
        twice: 100,
        late: 100,
        change_of_leader: 6,
        crash: 6,
        node_vanishes: 4,
        deleted_by_hand: 4,
        quota_flips: 4,
    };
}

/// A pod, as it is.
#[derive(Clone, Debug)]
struct Real {
    seen: PodSeen,
    /// Its TaskManager runs and can be reached.
    is_up: bool,
    /// The leaders have heard of its TaskManager.
    has_registered: bool,
    is_draining: bool,
    /// Its node has vanished: nothing that is said to it arrives.
    has_vanished: bool,
    next_at: Time,
}

#[derive(Clone, Debug)]
enum Message {
    Create {
        term: u64,
        name: String,
    },
    Delete {
        term: u64,
        name: String,
        uid: String,
    },
    ToLeader {
        term: u64,
        event: PodsEvent,
    },
}

/// A job: how many slots it wants, and which it has.
#[derive(Clone, Debug)]
struct Job {
    wanted: u32,
    has: Vec<String>,
}

pub(super) struct World {
    now: Time,
    dice: Dice,
    pub(super) faults: Faults,
    mutation: Mutation,
    pods: BTreeMap<String, Real>,
    dead: BTreeSet<String>,
    jobs: Vec<Job>,
    is_quota_full: bool,
    next_uid: u64,
    term: u64,
    machine: Pods,
    /// Pods, by their ids, of which the present leader has been told, or must have been.
    told: BTreeSet<String>,
    /// Names that the present leader has asked for and whose outcome it does not know.
    outstanding: BTreeSet<String>,
    /// TaskManagers that the leader has told to leave.
    leaving: BTreeSet<String>,
    in_flight: Vec<(Time, Message)>,
    makers: BTreeMap<String, BTreeSet<u64>>,
    /// What was promised and not kept.
    pub(super) broken: Option<String>,
    pub(super) asks: usize,
    pub(super) deletes: usize,
}

impl World {
    pub(super) fn new(seed: u64, mutation: Mutation, faults: Faults) -> Self {
        let mut world = Self {
            now: Time::from_origin(SECOND),
            dice: Dice::new(Nonce::new(u128::from(seed).wrapping_mul(0x9e37_79b9))),
            faults,
            mutation,
            pods: BTreeMap::new(),
            dead: BTreeSet::new(),
            jobs: Vec::new(),
            is_quota_full: false,
            next_uid: 1,
            term: 1,
            machine: Pods::new(numbers(), seal(1)),
            told: BTreeSet::new(),
            outstanding: BTreeSet::new(),
            leaving: BTreeSet::new(),
            in_flight: Vec::new(),
            makers: BTreeMap::new(),
            broken: None,
            asks: 0,
            deletes: 0,
        };
        world.begin_term();
        world
    }

    pub(super) fn run(&mut self, time: Duration) {
        let end = self.now + time;
        while self.now < end && self.broken.is_none() {
            self.step();
        }
    }

    /// No faults any more, and everything vanished is gone for good.
    pub(super) fn heal(&mut self) {
        self.faults = Faults::NONE;
        self.is_quota_full = false;
        let vanished = self.pods.iter().filter(|(_, real)| real.has_vanished);
        let names: Vec<String> = vanished.map(|(name, _)| name.clone()).collect();
        for name in names {
            self.end_pod(&name, false);
        }
    }

    pub(super) fn submit(&mut self, wanted: u32) {
        let has = Vec::new();
        self.jobs.push(Job { wanted, has });
    }

    pub(super) fn cancel_all(&mut self) {
        self.jobs.clear();
    }

    pub(super) fn all_run(&self) -> bool {
        self.jobs
            .iter()
            .all(|job| job.has.len() == job.wanted as usize)
    }

    pub(super) fn count(&self) -> usize {
        self.pods.len()
    }

    fn chance(&mut self, parts: u64) -> bool {
        self.dice.number() % 1000 < parts
    }

    fn random(&mut self, below: u64) -> u64 {
        self.dice.number() % below
    }

    fn step(&mut self) {
        self.now = self.now + STEP;
        self.trouble();
        self.kubelets();
        self.deliver();
        self.place();
        let demand = self.demand();
        self.tell(PodsEvent::Demand(demand));
        if self.machine.next_wake().is_some_and(|at| at <= self.now) {
            self.tell(PodsEvent::Tick);
        }
    }

    fn trouble(&mut self) {
        if self.chance(self.faults.change_of_leader) {
            self.term += 1;
            self.begin_term();
        }
        if self.chance(self.faults.quota_flips) {
            self.is_quota_full = !self.is_quota_full;
        }
        for name in self.pods.keys().cloned().collect::<Vec<_>>() {
            let real = &self.pods[&name];
            let (is_up, is_there) = (real.is_up, !real.has_vanished);
            if is_up && is_there && self.chance(self.faults.crash) {
                self.end_pod(&name, false);
            } else if is_up && is_there && self.chance(self.faults.node_vanishes) {
                self.pods.get_mut(&name).expect("it is there").has_vanished = true;
            } else if self.chance(self.faults.deleted_by_hand) {
                self.mark(&name);
            }
        }
    }

    /// The next leader: it knows nothing, and what the last one has sent may still arrive.
    fn begin_term(&mut self) {
        self.machine = Pods::new(numbers(), seal(self.term));
        self.outstanding.clear();
        // It may not act before it has listed, so it knows all that there is now.
        self.told = (self.pods.values())
            .map(|real| real.seen.uid.clone())
            .collect();
        self.leaving.clear();
        if self.mutation == Mutation::AsksBeforeListing {
            self.tell(PodsEvent::Listed(Vec::new()));
            let demand = self.demand();
            self.tell(PodsEvent::Demand(demand));
        }
        self.tell(PodsEvent::Listing);
        let all = self.pods.values().map(|real| real.seen.clone()).collect();
        let delay = STEP * u32::try_from(1 + self.random(10)).expect("it is small");
        let event = PodsEvent::Listed(all);
        let term = self.term;
        let at = self.now + delay;
        self.in_flight.push((at, Message::ToLeader { term, event }));
    }

    /// Pods get further.
    fn kubelets(&mut self) {
        for name in self.pods.keys().cloned().collect::<Vec<_>>() {
            let again = self.now + SECOND * u32::try_from(1 + self.random(3)).expect("it is small");
            let real = self.pods.get_mut(&name).expect("it is there");
            if real.next_at > self.now || real.has_vanished {
                continue;
            }
            real.next_at = again;
            let is_idle = !self.jobs.iter().any(|job| job.has.contains(&name));
            if real.seen.is_leaving {
                self.remove(&name);
            } else if real.seen.phase == PodPhase::Pending {
                real.seen.phase = PodPhase::Running;
                real.is_up = true;
                self.changed(&name);
            } else if real.is_up && !real.has_registered {
                real.has_registered = true;
            } else if real.is_draining && is_idle && real.is_up {
                self.end_pod(&name, true);
            }
        }
    }

    fn end_pod(&mut self, name: &str, is_well: bool) {
        let Some(real) = self.pods.get_mut(name) else {
            return;
        };
        real.is_up = false;
        real.has_vanished = false;
        real.seen.phase = PodPhase::Ended { is_well };
        if real.has_registered {
            self.dead.insert(name.to_owned());
        }
        self.free(name);
        self.changed(name);
    }

    fn mark(&mut self, name: &str) {
        if let Some(real) = self.pods.get_mut(name)
            && !real.seen.is_leaving
        {
            real.seen.is_leaving = true;
            self.changed(name);
        }
    }

    fn remove(&mut self, name: &str) {
        if let Some(real) = self.pods.remove(name) {
            if real.has_registered {
                self.dead.insert(name.to_owned());
            }
            self.free(name);
            let (name, uid) = (name.to_owned(), real.seen.uid);
            self.watched(PodsEvent::Gone { name, uid });
        }
    }

    fn free(&mut self, name: &str) {
        for job in &mut self.jobs {
            if job.has.iter().any(|it| it == name) {
                // One task's end is the end of the attempt.
                job.has.clear();
            }
        }
    }

    fn changed(&mut self, name: &str) {
        let seen = Box::new(self.pods[name].seen.clone());
        self.watched(PodsEvent::Seen(seen));
    }

    /// A change, in the order in which they happen. A watch may lag.
    fn watched(&mut self, event: PodsEvent) {
        let watch = self.in_flight.iter().filter(|(_, message)| {
            matches!(message, Message::ToLeader { event, .. }
                if matches!(event, PodsEvent::Seen(_) | PodsEvent::Gone { .. } | PodsEvent::Listed(_)))
        });
        let last = watch.map(|(at, _)| *at).max().unwrap_or(self.now);
        let at = last.max(self.now + STEP);
        let term = self.term;
        self.in_flight.push((at, Message::ToLeader { term, event }));
    }

    fn deliver(&mut self) {
        loop {
            let due = (self.in_flight.iter().enumerate())
                .filter(|(_, (at, _))| *at <= self.now)
                .min_by_key(|(number, (at, _))| (*at, *number));
            let Some((number, _)) = due else {
                return;
            };
            let (_, message) = self.in_flight.remove(number);
            match message {
                Message::Create { term, name } => self.create(term, name),
                Message::Delete { term, name, uid } => self.delete(term, name, &uid),
                Message::ToLeader { term, event } => {
                    if term == self.term {
                        // Only what it was not told is an excuse for asking for too much.
                        let demand = self.demand();
                        self.tell(PodsEvent::Demand(demand));
                        self.tell(event);
                    }
                }
            }
        }
    }

    fn create(&mut self, term: u64, name: String) {
        let outcome = if let Some(real) = self.pods.get(&name) {
            Asked::Made(Box::new(real.seen.clone()))
        } else if self.is_quota_full {
            Asked::Refused("exceeded quota".into())
        } else {
            self.make(term, &name);
            Asked::Made(Box::new(self.pods[&name].seen.clone()))
        };
        let outcome = match self.chance(self.faults.lost_answer) {
            true => Asked::Unknown("no answer".into()),
            false => outcome,
        };
        let at = self.now + STEP;
        let event = PodsEvent::Asked { name, outcome };
        self.in_flight.push((at, Message::ToLeader { term, event }));
    }

    fn make(&mut self, term: u64, name: &str) {
        let makers = self.makers.entry(name.to_owned()).or_default();
        makers.insert(term);
        if makers.len() > 1 {
            self.broken = Some(format!("two leaders have made {name}"));
        }
        self.next_uid += 1;
        let seen = PodSeen {
            uid: format!("uid-{}", self.next_uid),
            epoch: term,
            ..super::pod(name, PodPhase::Pending)
        };
        let next_at = self.now + SECOND;
        self.pods.insert(
            name.to_owned(),
            Real {
                seen,
                is_up: false,
                has_registered: false,
                is_draining: false,
                has_vanished: false,
                next_at,
            },
        );
        self.dead.remove(name);
        self.changed(name);
    }

    fn delete(&mut self, term: u64, name: String, uid: &str) {
        let real = self.pods.get(&name).filter(|real| real.seen.uid == uid);
        if let Some(real) = real {
            let is_busy = self.jobs.iter().any(|job| job.has.contains(&name));
            if is_busy && (real.is_up || real.has_vanished) {
                self.broken = Some(format!("{name} is deleted with a task in it"));
            }
            self.mark(&name);
        }
        let outcome = match self.chance(self.faults.lost_answer) {
            true => Deleted::Not("no answer".into()),
            false => Deleted::Done,
        };
        let at = self.now + STEP;
        let event = PodsEvent::Deleted { name, outcome };
        self.in_flight.push((at, Message::ToLeader { term, event }));
    }

    fn tell(&mut self, event: PodsEvent) {
        self.note_told(&event);
        let Some(event) = self.mutated(event) else {
            return;
        };
        let actions = self.machine.step(self.now, event);
        if self.machine.next_wake().is_some_and(|at| at <= self.now) {
            self.broken = Some("it is to be woken at once, again and again".to_owned());
        }
        let asked = actions.iter().filter_map(|action| match action {
            PodsAction::Ask { name } => Some(name.clone()),
            _ => None,
        });
        let asked: Vec<String> = asked.collect();
        self.check_asked(&asked);
        for action in actions {
            self.perform(action);
        }
    }

    fn note_told(&mut self, event: &PodsEvent) {
        match event {
            PodsEvent::Seen(seen) => {
                self.told.insert(seen.uid.clone());
                self.outstanding.remove(&seen.name);
            }
            PodsEvent::Gone { name, .. } => {
                self.outstanding.remove(name);
            }
            PodsEvent::Asked { name, outcome } => match outcome {
                Asked::Made(seen) => {
                    self.told.insert(seen.uid.clone());
                    self.outstanding.remove(name);
                }
                Asked::Refused(_) | Asked::Taken => {
                    self.outstanding.remove(name);
                }
                Asked::Unknown(_) => {}
            },
            _ => {}
        }
    }

    fn mutated(&self, event: PodsEvent) -> Option<PodsEvent> {
        let is_own = |seen: &PodSeen| seen.epoch == self.term;
        Some(match (self.mutation, event) {
            (
                Mutation::UnknownIsRefused,
                PodsEvent::Asked {
                    name,
                    outcome: Asked::Unknown(why),
                },
            ) => {
                let outcome = Asked::Refused(why);
                PodsEvent::Asked { name, outcome }
            }
            (Mutation::OwnPodsOnly, PodsEvent::Listed(all)) => {
                PodsEvent::Listed(all.into_iter().filter(is_own).collect())
            }
            (Mutation::OwnPodsOnly, PodsEvent::Seen(seen)) if !is_own(&seen) => return None,
            (Mutation::SilenceIsDeath, PodsEvent::Demand(mut demand)) => {
                for node in &mut demand.task_managers {
                    if node.state == UseState::Lost {
                        node.state = UseState::Dead;
                    }
                }
                PodsEvent::Demand(demand)
            }
            (_, event) => event,
        })
    }

    /// A leader asks only for what is missing, given all that it was told and has asked for.
    fn check_asked(&mut self, asked: &[String]) {
        let new = asked
            .iter()
            .filter(|name| !self.outstanding.contains(*name));
        let new = u32::try_from(new.count()).expect("it is small");
        if new == 0 {
            return;
        }
        let demand = self.demand();
        let need = demand.need(10, |_| true);
        let comes = |(name, real): &(&String, &Real)| {
            let is_there = !real.seen.is_leaving
                && !matches!(real.seen.phase, PodPhase::Ended { .. })
                && !real.has_vanished
                && !real.has_registered;
            let is_known = self.told.contains(&real.seen.uid) || self.outstanding.contains(*name);
            is_there && is_known
        };
        let there = self.pods.iter().filter(comes).count();
        let on_their_way = (self.outstanding.iter()).filter(|name| !self.pods.contains_key(*name));
        let coming = there + on_their_way.count();
        let coming = 2 * u32::try_from(coming).expect("it is small");
        if coming + 2 * (new - 1) >= need.missing {
            self.broken = Some(format!(
                "{new} pods are asked for, {coming} slots come, {} are missing",
                need.missing
            ));
        }
    }

    fn perform(&mut self, action: PodsAction) {
        let delay = match self.chance(self.faults.late) {
            true => STEP * u32::try_from(1 + self.random(200)).expect("it is small"),
            false => STEP,
        };
        let at = self.now + delay;
        let term = self.term;
        match action {
            PodsAction::Ask { name } => {
                self.asks += 1;
                self.outstanding.insert(name.clone());
                let name = match self.mutation {
                    Mutation::NamesWithoutEpoch => name.replacen(&format!("-{term}-"), "-", 1),
                    _ => name,
                };
                if self.chance(self.faults.twice) {
                    let again = at + STEP * u32::try_from(self.random(100)).expect("it is small");
                    let name = name.clone();
                    self.in_flight.push((again, Message::Create { term, name }));
                }
                if self.chance(self.faults.lost_request) {
                    let outcome = Asked::Unknown("no answer".into());
                    let event = PodsEvent::Asked { name, outcome };
                    self.in_flight.push((at, Message::ToLeader { term, event }));
                } else {
                    self.in_flight.push((at, Message::Create { term, name }));
                }
            }
            PodsAction::Delete { name, uid } => {
                self.deletes += 1;
                self.in_flight
                    .push((at, Message::Delete { term, name, uid }));
            }
            PodsAction::Retire { name } => self.retire(&name),
            PodsAction::Say(_) | PodsAction::Tell(_) => {}
        }
    }

    /// What the leader does: nothing is placed there any more, and the TaskManager hears of it.
    fn retire(&mut self, name: &str) {
        let is_idle = !self
            .jobs
            .iter()
            .any(|job| job.has.iter().any(|it| it == name));
        let Some(real) = self.pods.get_mut(name).filter(|_| is_idle) else {
            return;
        };
        if self.mutation == Mutation::ReleasesByDeletion {
            let (name, uid) = (name.to_owned(), real.seen.uid.clone());
            let at = self.now + 3 * SECOND;
            let term = self.term;
            return self
                .in_flight
                .push((at, Message::Delete { term, name, uid }));
        }
        self.leaving.insert(name.to_owned());
        if !real.has_vanished {
            real.is_draining = true;
        }
    }

    fn is_usable(&self, name: &str, real: &Real) -> bool {
        real.is_up
            && real.has_registered
            && !real.has_vanished
            && !real.is_draining
            && !self.leaving.contains(name)
    }

    fn used(&self, name: &str) -> u32 {
        let all = self.jobs.iter().flat_map(|job| &job.has);
        u32::try_from(all.filter(|it| *it == name).count()).expect("it is small")
    }

    /// The oldest gang first, all slots or none.
    fn place(&mut self) {
        for at in 0..self.jobs.len() {
            if !self.jobs[at].has.is_empty() {
                continue;
            }
            let mut free = Vec::new();
            for (name, real) in &self.pods {
                if self.is_usable(name, real) {
                    let slots = (self.used(name)..2).map(|_| name.clone());
                    free.extend(slots);
                }
            }
            let wanted = self.jobs[at].wanted as usize;
            if free.len() >= wanted {
                free.truncate(wanted);
                self.jobs[at].has = free;
            }
        }
    }

    fn demand(&self) -> Demand {
        let waiting = self.jobs.iter().filter(|job| job.has.is_empty());
        let gangs = waiting.map(|job| GangNeed {
            wanted: job.wanted,
            lacks: job.wanted,
        });
        let mut task_managers: Vec<TaskManagerUse> = (self.pods.iter())
            .filter(|(_, real)| real.has_registered && real.is_up)
            .map(|(name, real)| {
                let state = if real.has_vanished {
                    UseState::Lost
                } else if real.is_draining {
                    UseState::Draining
                } else {
                    UseState::Live
                };
                let used = self.used(name);
                TaskManagerUse {
                    name: name.clone(),
                    slots: 2,
                    free: if self.is_usable(name, real) {
                        2 - used
                    } else {
                        0
                    },
                    is_idle: used == 0,
                    state,
                }
            })
            .collect();
        task_managers.extend(self.dead.iter().map(|name| TaskManagerUse {
            name: name.clone(),
            slots: 0,
            free: 0,
            is_idle: true,
            state: UseState::Dead,
        }));
        Demand {
            is_complete: true,
            gangs: gangs.collect(),
            task_managers,
        }
    }
}
