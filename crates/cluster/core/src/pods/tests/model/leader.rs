//! The leader of the moment: what it is told, what it wants, and whether it keeps what is promised.

use std::collections::{BTreeSet, VecDeque};

use super::super::seal;
use super::Mutation;
use super::things::{Answer, Phase, Real, Request, Shot, Shown};
use super::world::{World, numbers};
use crate::demand::{Demand, GangNeed, TaskManagerUse, UseState};
use crate::pods::{Asked, Deleted, Pods, PodsAction, PodsEvent};

impl World {
    /// The next leader: it knows nothing, and what the last one has sent may still arrive.
    pub(super) fn lead(&mut self) {
        self.term += 1;
        self.machine = Pods::new(numbers(), seal(self.term));
        for request in &mut self.requests {
            request.is_waited_for = false;
        }
        self.requests.sort();
        (self.answers, self.watch) = (Vec::new(), VecDeque::new());
        for real in self.pods.values_mut() {
            real.is_known = false;
        }
        // It may not act before it has listed, so it knows all that there is now.
        self.told = (self.pods.values())
            .map(|real| real.shot.uid.clone())
            .collect();
        (self.going, self.outstanding) = (BTreeSet::new(), BTreeSet::new());
        if self.mutation == Mutation::AsksBeforeListing {
            self.tell(PodsEvent::Listed(Vec::new()));
        }
        self.list();
    }

    pub(super) fn list(&mut self) {
        self.tell(PodsEvent::Listing);
        let all = self.pods.values().map(|real| real.shot.clone()).collect();
        self.watch.push_back(Shown::List(all));
    }

    pub(super) fn has_list_to_come(&self) -> bool {
        let mut shown = self.watch.iter();
        shown.any(|shown| matches!(shown, Shown::List(_)))
    }

    pub(super) fn wake(&mut self) {
        if let Some(at) = self.machine.next_wake() {
            self.now = at;
            self.tell(PodsEvent::Tick);
        }
    }

    pub(super) fn demand(&self) -> Demand {
        let lacks = u32::try_from(self.wanted - self.tasks.len()).unwrap();
        let gang = GangNeed {
            wanted: u32::try_from(self.wanted).unwrap(),
            lacks,
        };
        let there = self.pods.iter().filter_map(|(name, real)| {
            let state = real.state(self.is_busy(name))?;
            Some(self.use_of(name, real.takes_tasks(), state))
        });
        let dead = self.dead.iter().filter(|name| {
            let real = self.pods.get(*name);
            real.is_none_or(|real| real.shot.phase != Phase::Running)
        });
        let dead = dead.map(|name| self.use_of(name, false, UseState::Dead));
        Demand {
            is_complete: true,
            gangs: (lacks > 0).then_some(gang).into_iter().collect(),
            task_managers: there.chain(dead).collect(),
        }
    }

    fn use_of(&self, name: &str, takes_tasks: bool, state: UseState) -> TaskManagerUse {
        TaskManagerUse {
            name: name.to_owned(),
            slots: 1,
            free: u32::from(takes_tasks && !self.is_busy(name)),
            is_idle: !self.is_busy(name),
            state: match (state, self.mutation) {
                (UseState::Lost, Mutation::SilenceIsDeath) => UseState::Dead,
                (state, _) => state,
            },
        }
    }

    /// The leader hears that it was not answered.
    pub(super) fn unanswered(&mut self, request: &Request) {
        match request.delete {
            None => self.unmade(&request.name),
            Some(_) => self.undeleted(&request.name),
        }
    }

    pub(super) fn unmade(&mut self, name: &str) {
        let why = "no answer".to_owned();
        let outcome = match self.mutation {
            Mutation::UnansweredIsRefused => Asked::Refused(why),
            _ => Asked::Unknown(why),
        };
        let name = name.to_owned();
        self.tell(PodsEvent::Asked { name, outcome });
    }

    pub(super) fn undeleted(&mut self, name: &str) {
        let outcome = Deleted::Not("no answer".to_owned());
        let name = name.to_owned();
        self.tell(PodsEvent::Deleted { name, outcome });
    }

    pub(super) fn hear(&mut self, answer: Answer) {
        match answer {
            Answer::Made(shot) => {
                self.is_told(&shot);
                let (name, outcome) = (shot.name.clone(), Asked::Made(Box::new(shot.seen())));
                self.tell(PodsEvent::Asked { name, outcome });
            }
            Answer::Deleted(name) => {
                let outcome = Deleted::Done;
                self.tell(PodsEvent::Deleted { name, outcome });
            }
        }
    }

    /// The next change that the watch shows.
    pub(super) fn show(&mut self) {
        let is_hidden = |shot: &Shot| {
            let (is_own, mutation) = (shot.epoch == self.term, self.mutation);
            mutation == Mutation::OwnPodsOnly && !is_own
        };
        match self.watch.pop_front() {
            Some(Shown::List(all)) => {
                let shown = all.iter().filter(|shot| !is_hidden(shot));
                let all = shown.map(Shot::seen).collect();
                self.tell(PodsEvent::Listed(all));
            }
            Some(Shown::Changed(shot)) => {
                let is_hidden = is_hidden(&shot) || self.mutation == Mutation::NoChanges;
                self.is_told(&shot);
                if !is_hidden {
                    self.tell(PodsEvent::Seen(Box::new(shot.seen())));
                }
            }
            Some(Shown::Gone { name, uid }) => {
                self.outstanding.remove(&name);
                self.tell(PodsEvent::Gone { name, uid });
            }
            None => {}
        }
    }

    fn is_told(&mut self, shot: &Shot) {
        self.told.insert(shot.uid.clone());
        self.outstanding.remove(&shot.name);
    }

    pub(super) fn tell(&mut self, event: PodsEvent) {
        let actions = self.machine.step(self.now, event);
        if self.machine.next_wake().is_some_and(|at| at <= self.now) {
            self.broken = Some("the machine is to be woken at once, without end".to_owned());
        }
        for action in &actions {
            if let PodsAction::Delete { uid, .. } = action {
                self.going.insert(uid.clone());
            }
        }
        let is_new = |action: &&PodsAction| matches!(action, PodsAction::Ask { name } if !self.outstanding.contains(name));
        let new = actions.iter().filter(is_new).count();
        self.check_asked(new);
        for action in actions {
            self.perform(action);
        }
    }

    /// A leader asks only for what is missing, given all that it was told and has asked for.
    fn check_asked(&mut self, new: usize) {
        if new == 0 {
            return;
        }
        let missing = self.demand().need(5, |_| true).missing as usize;
        let comes = |real: &&Real| {
            let (shot, is_known) = (&real.shot, self.told.contains(&real.shot.uid));
            let is_on_its_way = !real.is_known && !shot.is_leaving && !real.has_vanished;
            let is_alive = matches!(shot.phase, Phase::Pending | Phase::Running);
            let is_expected = is_known || self.outstanding.contains(&shot.name);
            is_on_its_way && is_alive && is_expected && !self.going.contains(&shot.uid)
        };
        let there = self.pods.values().filter(comes).count();
        // What is proven dead was made.
        let not_there = (self.outstanding.iter())
            .filter(|name| !self.pods.contains_key(*name) && !self.dead.contains(*name));
        let coming = there + not_there.count();
        if coming + new > missing {
            self.broken = Some(format!(
                "{new} pods are asked for, {coming} come, {missing} are missing"
            ));
        }
    }

    fn perform(&mut self, action: PodsAction) {
        match action {
            PodsAction::Ask { name } => {
                self.outstanding.insert(name.clone());
                let name = match self.mutation {
                    Mutation::NamesWithoutEpoch => {
                        name.replacen(&format!("-{}-", self.term), "-", 1)
                    }
                    _ => name,
                };
                self.send(name, None, false);
            }
            PodsAction::Delete { name, uid } => {
                let was_known = self.pods.get(&name).is_some_and(|real| real.is_known);
                self.send(name, Some(uid), was_known);
            }
            PodsAction::Retire { name } => self.retire(&name),
            PodsAction::Say(_) | PodsAction::Tell(_) => {}
        }
    }

    fn send(&mut self, name: String, delete: Option<String>, was_known: bool) {
        self.requests.push(Request {
            term: self.term,
            name,
            delete,
            was_known,
            is_waited_for: true,
        });
        self.requests.sort();
    }

    /// What the leader does: nothing is placed there any more, and the TaskManager hears of it.
    fn retire(&mut self, name: &str) {
        let is_busy = self.is_busy(name);
        let Some(real) = (self.pods.get_mut(name)).filter(|real| real.is_known && !is_busy) else {
            return;
        };
        if self.mutation == Mutation::ReleasesByDeletion {
            let uid = real.shot.uid.clone();
            return self.send(name.to_owned(), Some(uid), true);
        }
        real.is_retired = true;
    }
}
