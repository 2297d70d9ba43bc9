//! [`World`]: an API server, pods, a job and the leader of the moment, with everything that may
//! happen next.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use incumbent_core::Time;

use super::super::{SECOND, config, seal};
use super::things::{Answer, Phase, Real, Request, Shot, Shown};
use super::{Budget, Mutation, Shape};
use crate::pods::{Pods, PodsConfig, PodsEvent};

/// How often the world is looked at again, after all trouble, before it must be well.
const HEALS_WITHIN: usize = 200;

/// One thing that may happen.
#[derive(Clone, Debug)]
pub(super) enum Action {
    /// A request reaches the API server.
    Arrive(Request),
    /// The leader stops waiting for the answer to a request that may still arrive.
    GiveUp(Request),
    /// A request is lost, and the leader hears that it was not answered.
    Lose(Request),
    /// The leader hears an answer, or does not hear it.
    Answer(Answer),
    Miss(Answer),
    /// The watch shows the next change, or the list.
    Watch,
    List,
    /// A pod starts, and its TaskManager registers.
    Start(String),
    /// A TaskManager that was there before registers with this leader.
    Register(String),
    /// A TaskManager that is to leave has left.
    Leave(String),
    /// A marked pod is gone.
    Remove(String),
    Crash(String),
    DeleteByHand(String),
    Vanish(String),
    Cancel,
    Submit,
    NextLeader,
    Wake,
}

#[derive(Clone)]
pub(super) struct World {
    pub(super) now: Time,
    pub(super) term: u64,
    pub(super) machine: Pods,
    pub(super) watch: VecDeque<Shown>,
    pub(super) requests: Vec<Request>,
    pub(super) answers: Vec<Answer>,
    pub(super) pods: BTreeMap<String, Real>,
    /// TaskManagers that are proven dead.
    pub(super) dead: BTreeSet<String>,
    pub(super) wanted: usize,
    /// Tasks of each job.
    job: usize,
    /// Where the tasks of the job are.
    pub(super) tasks: Vec<String>,
    /// The leader that has made a pod of this name, and how often.
    pub(super) made: BTreeMap<String, (u64, u32)>,
    /// Pods, by their ids, that this leader was told of, or must have been.
    pub(super) told: BTreeSet<String>,
    /// Pods that it has decided to delete.
    pub(super) going: BTreeSet<String>,
    /// Names that it has asked for, and whose outcome it does not know.
    pub(super) outstanding: BTreeSet<String>,
    pub(super) left: Budget,
    pub(super) mutation: Mutation,
    pub(super) broken: Option<String>,
}

pub(super) fn numbers() -> PodsConfig {
    PodsConfig {
        slots: 1,
        idle_release: SECOND,
        ..config()
    }
}

impl World {
    pub(super) fn new(shape: &Shape) -> Self {
        let mut world = Self {
            now: Time::from_origin(SECOND),
            term: 0,
            machine: Pods::new(numbers(), seal(1)),
            watch: VecDeque::new(),
            requests: Vec::new(),
            answers: Vec::new(),
            pods: BTreeMap::new(),
            dead: BTreeSet::new(),
            wanted: shape.tasks,
            job: shape.tasks,
            tasks: Vec::new(),
            made: BTreeMap::new(),
            told: BTreeSet::new(),
            going: BTreeSet::new(),
            outstanding: BTreeSet::new(),
            left: shape.budget.clone(),
            mutation: shape.mutation,
            broken: None,
        };
        world.lead();
        world.settle();
        world
    }

    /// Everything that may happen now.
    pub(super) fn actions(&self) -> Vec<Action> {
        let mut all = Vec::new();
        for request in &self.requests {
            all.push(Action::Arrive(request.clone()));
            if request.is_waited_for && self.left.unanswered > 0 {
                all.push(Action::GiveUp(request.clone()));
            }
            if request.is_waited_for && self.left.lost > 0 {
                all.push(Action::Lose(request.clone()));
            }
        }
        for answer in &self.answers {
            all.push(Action::Answer(answer.clone()));
            if self.left.unanswered > 0 {
                all.push(Action::Miss(answer.clone()));
            }
        }
        if !self.watch.is_empty() {
            all.push(Action::Watch);
        }
        for (name, real) in &self.pods {
            self.of_pod(name, real, &mut all);
        }
        let mut may = |budget: u8, action: Action| {
            if budget > 0 {
                all.push(action);
            }
        };
        match self.wanted {
            0 => may(self.left.submits, Action::Submit),
            _ => may(self.left.cancels, Action::Cancel),
        }
        if !self.has_list_to_come() {
            may(self.left.lists, Action::List);
        }
        may(self.left.leaders, Action::NextLeader);
        if self.machine.next_wake().is_some() {
            may(self.left.wakes, Action::Wake);
        }
        all
    }

    fn of_pod(&self, name: &str, real: &Real, all: &mut Vec<Action>) {
        let name = || name.to_owned();
        match real.shot.phase {
            _ if real.has_vanished => {}
            Phase::Pending if !real.shot.is_leaving => all.push(Action::Start(name())),
            Phase::Running => {
                if !real.is_known && !real.shot.is_leaving {
                    all.push(Action::Register(name()));
                }
                if real.shot.is_leaving {
                    all.push(Action::Remove(name()));
                } else if real.is_retired && !self.is_busy(&real.shot.name) {
                    all.push(Action::Leave(name()));
                }
                if self.left.crashes > 0 {
                    all.push(Action::Crash(name()));
                }
                if self.left.vanish > 0 && !real.shot.is_leaving {
                    all.push(Action::Vanish(name()));
                }
            }
            Phase::Pending | Phase::Left | Phase::Failed => {}
        }
        // Of one whose making is not answered yet, the leader could take an old change for the
        // newest.
        let makes = |request: &Request| request.delete.is_none() && request.name == real.shot.name;
        let is_answered =
            !self.requests.iter().any(makes) && !self.outstanding.contains(&real.shot.name);
        if self.left.by_hand > 0 && !real.shot.is_leaving && is_answered {
            all.push(Action::DeleteByHand(name()));
        }
    }

    /// Lets it happen, and looks whether everything that is promised holds.
    pub(super) fn act(&mut self, action: &Action) -> Result<(), String> {
        match action {
            Action::Arrive(request) => self.arrive(request),
            Action::GiveUp(request) => {
                self.left.unanswered -= 1;
                let sent = self.take_request(request);
                self.requests.push(Request {
                    is_waited_for: false,
                    ..sent.clone()
                });
                self.requests.sort();
                self.unanswered(&sent);
            }
            Action::Lose(request) => {
                self.left.lost -= 1;
                let sent = self.take_request(request);
                self.unanswered(&sent);
            }
            Action::Answer(answer) => {
                self.take_answer(answer);
                self.hear(answer.clone());
            }
            Action::Miss(answer) => {
                self.left.unanswered -= 1;
                self.take_answer(answer);
                match answer {
                    Answer::Made(shot) => self.unmade(&shot.name),
                    Answer::Deleted(name) => self.undeleted(name),
                }
            }
            Action::Watch => self.show(),
            Action::List => {
                self.left.lists -= 1;
                self.list();
            }
            Action::Start(name) => {
                self.change(name, |real| {
                    real.shot.phase = Phase::Running;
                    real.is_known = true;
                });
            }
            Action::Register(name) => self.pods.get_mut(name).unwrap().is_known = true,
            Action::Leave(name) => self.end(name, Phase::Left),
            Action::Remove(name) => self.remove(name),
            Action::Crash(name) => {
                self.left.crashes -= 1;
                self.end(name, Phase::Failed);
            }
            Action::DeleteByHand(name) => {
                self.left.by_hand -= 1;
                self.mark(name);
            }
            Action::Vanish(name) => {
                self.left.vanish -= 1;
                self.pods.get_mut(name).unwrap().has_vanished = true;
            }
            Action::Cancel => {
                self.left.cancels -= 1;
                (self.wanted, self.tasks) = (0, Vec::new());
            }
            Action::Submit => {
                self.left.submits -= 1;
                self.wanted = self.job;
            }
            Action::NextLeader => {
                self.left.leaders -= 1;
                self.lead();
            }
            Action::Wake => {
                self.left.wakes -= 1;
                self.wake();
            }
        }
        self.settle();
        match self.broken.take() {
            Some(why) => Err(why),
            None => Ok(()),
        }
    }

    /// All trouble is over. Whether everything that can run runs then, and nothing else is left.
    pub(super) fn healed(mut self) -> Result<(), String> {
        self.left = super::NOTHING;
        let vanished = self.pods.iter().filter(|(_, real)| real.has_vanished);
        let vanished: Vec<String> = vanished.map(|(name, _)| name.clone()).collect();
        for name in vanished {
            self.pods.get_mut(&name).unwrap().has_vanished = false;
            self.end(&name, Phase::Failed);
        }
        self.settle();
        for _ in 0..HEALS_WITHIN {
            match self.actions().first().cloned() {
                Some(action) => self.act(&action)?,
                None if self.machine.next_wake().is_some() => {
                    self.wake();
                    self.settle();
                }
                None => break,
            }
        }
        if self.tasks.len() < self.wanted {
            return Err("a job that could run does not, though all trouble is over".to_owned());
        }
        match self.pods.len() - self.wanted {
            0 => Ok(()),
            more => Err(format!("{more} pods are left that nobody needs")),
        }
    }

    fn take_request(&mut self, request: &Request) -> Request {
        let at = self.requests.iter().position(|it| it == request).unwrap();
        self.requests.remove(at)
    }

    fn take_answer(&mut self, answer: &Answer) {
        let at = self.answers.iter().position(|it| it == answer).unwrap();
        self.answers.remove(at);
    }

    fn arrive(&mut self, request: &Request) {
        let Request { term, name, .. } = self.take_request(request);
        let answer = match &request.delete {
            None => {
                if !self.pods.contains_key(&name) {
                    self.make(term, &name);
                }
                Answer::Made(self.pods[&name].shot.clone())
            }
            Some(uid) => {
                self.delete(&name, uid, request.was_known);
                Answer::Deleted(name)
            }
        };
        if request.is_waited_for {
            self.answers.push(answer);
            self.answers.sort();
        }
    }

    fn make(&mut self, term: u64, name: &str) {
        let (maker, times) = self.made.entry(name.to_owned()).or_insert((term, 0));
        if *maker != term {
            self.broken = Some(format!("two leaders have made {name}"));
        }
        *times += 1;
        let shot = Shot {
            name: name.to_owned(),
            uid: format!("{name}#{times}"),
            epoch: term,
            phase: Phase::Pending,
            is_leaving: false,
        };
        self.watch.push_back(Shown::Changed(shot.clone()));
        let real = Real {
            shot,
            is_known: false,
            is_retired: false,
            has_vanished: false,
        };
        self.dead.remove(name);
        self.pods.insert(name.to_owned(), real);
    }

    fn delete(&mut self, name: &str, uid: &str, was_known: bool) {
        let found = self.pods.get(name).filter(|real| real.shot.uid == uid);
        let Some(real) = found else {
            return;
        };
        let is_up = real.shot.phase == Phase::Running;
        if was_known && is_up && self.is_busy(name) {
            self.broken = Some(format!("{name} is deleted with a task in it"));
        }
        self.mark(name);
    }

    /// A pod in which something runs is told to end; any other goes at once.
    fn mark(&mut self, name: &str) {
        let real = &self.pods[name];
        match real.shot.phase {
            Phase::Running if real.shot.is_leaving => {}
            Phase::Running => self.change(name, |real| real.shot.is_leaving = true),
            Phase::Pending | Phase::Left | Phase::Failed => self.remove(name),
        }
    }

    fn change(&mut self, name: &str, change: impl FnOnce(&mut Real)) {
        let real = self.pods.get_mut(name).unwrap();
        change(real);
        self.watch.push_back(Shown::Changed(real.shot.clone()));
    }

    fn end(&mut self, name: &str, phase: Phase) {
        self.change(name, |real| real.shot.phase = phase);
        self.is_over(name);
        if self.pods[name].shot.is_leaving {
            self.remove(name);
        }
    }

    fn remove(&mut self, name: &str) {
        let real = self.pods.remove(name).unwrap();
        if real.shot.phase == Phase::Running {
            self.is_over(name);
        }
        let (name, uid) = (name.to_owned(), real.shot.uid);
        self.watch.push_back(Shown::Gone { name, uid });
    }

    /// A TaskManager is gone. One task's end is the end of the attempt.
    fn is_over(&mut self, name: &str) {
        self.dead.insert(name.to_owned());
        if self.is_busy(name) {
            self.tasks.clear();
        }
    }

    pub(super) fn is_busy(&self, name: &str) -> bool {
        self.tasks.iter().any(|it| it == name)
    }

    /// The tasks begin when there is a slot for each; and the leader looks at what its jobs need.
    fn settle(&mut self) {
        if self.tasks.len() < self.wanted {
            let free = self.pods.iter().filter(|(_, real)| real.takes_tasks());
            let free: Vec<String> = free.map(|(name, _)| name.clone()).collect();
            if free.len() >= self.wanted {
                self.tasks = free.into_iter().take(self.wanted).collect();
            }
        }
        let demand = self.demand();
        self.tell(PodsEvent::Demand(demand));
        self.forget();
    }

    /// What makes no difference any more would make different states.
    fn forget(&mut self) {
        let pods = &self.pods;
        let is_there = |uid: &String| pods.values().any(|real| real.shot.uid == *uid);
        self.told.retain(is_there);
        self.going.retain(is_there);
        let (machine, outstanding) = (&self.machine, &self.outstanding);
        self.dead.retain(|name| {
            machine.pods.contains_key(name) || outstanding.contains(name) || pods.contains_key(name)
        });
    }
}
