//! [`Pods`]: one term of a leader that has Kubernetes make its TaskManagers.
//!
//! ```text
//!   what the jobs need           ──►┌──────┐──► Ask, Delete
//!   lists and changes of pods    ──►│ Pods │──► Retire: let a TaskManager leave
//!   outcomes of asking, deleting ──►└──────┘──► Say: what is done, and why no more comes
//! ```
//!
//! # What holds
//!
//! - **Nothing is asked for before all pods are listed**, of whichever leader, and before all
//!   records of jobs are open.
//! - **Two leaders never make the same pod twice.** A name has the epoch of the leader that asks
//!   and a number that rises within its term. A request whose answer is lost is repeated under the
//!   same name, which makes the pod once.
//! - **A pod that an earlier leader asked for is this leader's**, even if it comes late. What is
//!   too much then goes again: at once if it has not started, otherwise when it has been idle.
//! - **No pod is chosen for deletion while a task is in it**, unless it has ended or its
//!   TaskManager is proven dead. One with an idle TaskManager is not deleted either: the
//!   TaskManager is told by the leader to leave, which it places nothing on from that moment, and
//!   ends by itself. Silence is a reason to ask for another pod and none to delete this one.
//! - **Kubernetes is not asked without end**: pauses double after each refusal, and after each pod
//!   that has ended, or was deleted by somebody else, before its TaskManager had registered. Of
//!   what was asked for together, the first that fails counts. Pauses of a pod that is not deleted
//!   double, too.
//!
//! Start reading in `settle.rs`: what is deleted, asked for, released. The reasons are in
//! `docs/design/0017-pods.md`.

mod action;
mod config;
mod event;
mod name;
mod pod;
mod seen;
mod settle;
#[cfg(test)]
mod tests;
mod words;

use std::collections::{BTreeMap, VecDeque};

use incumbent_core::{Pace, Seal, Time};

pub use self::action::PodsAction;
pub use self::config::{IDLE_RELEASE, MOST_TASK_MANAGERS, MOST_UNDER_WAY, PodsConfig};
pub use self::event::{Asked, Deleted, PodsEvent};
pub use self::name::{BadPodsName, check_name, pod_name};
pub use self::seen::{PodPhase, PodSeen};

use self::config::{FORGET_AFTER, MOST_GONE, PAUSES, REPEAT_AFTER};
use self::pod::{Deleting, Pod, Stage};
use crate::demand::{Demand, Need, Supply, UseState};
use crate::dice::Dice;

/// One term of a leader that has Kubernetes make its TaskManagers.
#[derive(Debug)]
#[cfg_attr(test, derive(Clone))]
pub struct Pods {
    config: PodsConfig,
    seal: Seal,
    /// The number of the next pod.
    next: u64,
    pods: BTreeMap<String, Pod>,
    /// Counts the lists that were begun.
    listing: u64,
    is_listed: bool,
    /// Why the last list failed.
    unlisted: Option<String>,
    demand: Option<Demand>,
    need: Need,
    /// Why Kubernetes refused the last pod, until one is made.
    refusal: Option<String>,
    /// How the last pod ended that had not registered, until one does.
    failure: Option<String>,
    /// Why Kubernetes did not delete a pod, until it deletes one.
    undeleted: Option<String>,
    /// Before this, no pod is asked for.
    hold_until: Option<Time>,
    /// Counts the pauses. What was asked for before the last one is no reason for a longer one.
    holds: u64,
    refused: Pace,
    failed: Pace,
    /// Pods that are gone, by their ids: an answer that comes late brings none of them back.
    gone: VecDeque<String>,
    /// When it last looked at everything.
    looked_at: Time,
    /// What was said last.
    said: Option<Supply>,
    dice: Dice,
}

/// What a pause is for.
#[derive(Clone, Copy, Debug)]
enum Trouble {
    /// Kubernetes has refused a pod.
    Refused,
    /// A pod has ended, or was deleted, before its TaskManager had registered.
    Failed,
}

impl Pods {
    /// A term begins.
    pub fn new(config: PodsConfig, seal: Seal) -> Self {
        let (first, longest) = PAUSES;
        Self {
            config,
            seal,
            next: 1,
            pods: BTreeMap::new(),
            listing: 0,
            is_listed: false,
            unlisted: None,
            demand: None,
            need: Need::default(),
            refusal: None,
            failure: None,
            undeleted: None,
            hold_until: None,
            holds: 0,
            refused: Pace::new(first, longest),
            failed: Pace::new(first, longest),
            gone: VecDeque::new(),
            looked_at: Time::default(),
            said: None,
            dice: Dice::new(seal.nonce),
        }
    }

    /// Learns something, and says what to do.
    pub fn step(&mut self, now: Time, event: PodsEvent) -> Vec<PodsAction> {
        let mut out = Vec::new();
        self.looked_at = now;
        self.absorb(now, event, &mut out);
        self.settle(now, &mut out);
        let supply = self.supply();
        if self.said.as_ref() != Some(&supply) {
            self.said = Some(supply.clone());
            out.push(PodsAction::Say(Box::new(supply)));
        }
        out
    }

    fn absorb(&mut self, now: Time, event: PodsEvent, out: &mut Vec<PodsAction>) {
        match event {
            PodsEvent::Listing => self.listing += 1,
            PodsEvent::Listed(all) => self.listed(now, all, out),
            PodsEvent::Unlisted(why) => self.unlisted = Some(why),
            PodsEvent::Seen(seen) => self.saw(now, *seen, out),
            PodsEvent::Gone { name, uid } => self.went(now, &name, &uid, out),
            PodsEvent::Asked { name, outcome } => self.answered(now, name, outcome, out),
            PodsEvent::Deleted { name, outcome } => self.deleted(now, &name, outcome, out),
            PodsEvent::Demand(demand) => self.demand = Some(demand),
            PodsEvent::Tick => {}
        }
    }

    fn listed(&mut self, now: Time, all: Vec<PodSeen>, out: &mut Vec<PodsAction>) {
        self.unlisted = None;
        if !std::mem::replace(&mut self.is_listed, true) {
            self.tell_adopted(&all, out);
        }
        let there: std::collections::BTreeSet<String> =
            all.iter().map(|seen| seen.name.clone()).collect();
        for seen in all {
            self.saw(now, seen, out);
        }
        let listing = self.listing;
        self.pods.retain(|name, pod| match pod.stage {
            _ if pod.listed_from > listing || there.contains(name) => true,
            Stage::Asked => true,
            Stage::Unsure(again) => now.since(again) < FORGET_AFTER,
            Stage::Seen(_) => false,
        });
    }

    /// A pod, from a list, a change or an answer.
    fn saw(&mut self, now: Time, seen: PodSeen, out: &mut Vec<PodsAction>) {
        if self.gone.contains(&seen.uid) {
            return;
        }
        let (listing, holds) = (self.listing, self.holds);
        let pod = (self.pods)
            .entry(seen.name.clone())
            .or_insert_with(|| Pod::new(Stage::Seen(seen.clone()), listing, holds));
        let is_same = pod.seen().is_none_or(|before| before.uid == seen.uid);
        if !is_same {
            *pod = Pod::new(Stage::Seen(seen.clone()), listing, holds);
        }
        if seen.phase == PodPhase::Running {
            pod.running_since.get_or_insert(now);
        }
        let was_ended = (pod.seen()).is_some_and(|s| matches!(s.phase, PodPhase::Ended { .. }));
        let has_registered = pod.has_registered;
        pod.stage = Stage::Seen(seen.clone());
        let has_ended = matches!(seen.phase, PodPhase::Ended { .. });
        if has_ended && !was_ended && !has_registered {
            self.ended_early(now, &seen, out);
        }
    }

    /// A pod has ended, and its TaskManager has not been heard of in this term.
    fn ended_early(&mut self, now: Time, seen: &PodSeen, out: &mut Vec<PodsAction>) {
        let is_failure = seen.phase == PodPhase::Ended { is_well: false };
        // One of an earlier leader may have worked for days.
        if self.use_of(&seen.name).is_some() || !is_failure || seen.epoch != self.seal.epoch.get() {
            return;
        }
        self.pause(now, &seen.name, Trouble::Failed);
        let text = words::ended_early(seen);
        out.push(words::warning(format!(
            "{text}; the next one is asked for after a pause"
        )));
        self.failure = Some(text);
    }

    fn went(&mut self, now: Time, name: &str, uid: &str, out: &mut Vec<PodsAction>) {
        let is_it = |pod: &Pod| pod.seen().is_some_and(|seen| seen.uid == uid);
        if let Some(pod) = self.pods.get(name).filter(|pod| is_it(pod)) {
            let is_expected = pod.is_going()
                || pod.retired_at.is_some()
                || (pod.seen()).is_some_and(|seen| matches!(seen.phase, PodPhase::Ended { .. }));
            if !is_expected {
                // One of an earlier leader may have worked for days.
                let of_term = (pod.seen()).is_some_and(|seen| seen.epoch == self.seal.epoch.get());
                let is_new = of_term && !pod.has_registered && self.use_of(name).is_none();
                out.push(words::warning(format!(
                    "pod {name} was deleted by somebody else; another is asked for if it is needed"
                )));
                // What deletes a new pod deletes the next one, too: the garbage collector, if the
                // owner of the pods is gone.
                if is_new {
                    self.failure = Some(words::deleted_early(name));
                    self.pause(now, name, Trouble::Failed);
                }
            }
            self.pods.remove(name);
        }
        if self.gone.len() >= MOST_GONE {
            self.gone.pop_front();
        }
        self.gone.push_back(uid.to_owned());
    }

    fn answered(&mut self, now: Time, name: String, outcome: Asked, out: &mut Vec<PodsAction>) {
        match outcome {
            Asked::Made(seen) => {
                if self.refusal.take().is_some() {
                    out.push(words::story("Kubernetes makes pods again".to_owned()));
                }
                self.refused.reset();
                let known = self.pods.get_mut(&name);
                match known {
                    // What a list or a change has shown is newer than the answer.
                    Some(pod) if pod.seen().is_some() => return,
                    // A list that was begun before does not show it.
                    Some(pod) => pod.listed_from = self.listing + 1,
                    None => {}
                }
                if self.gone.contains(&seen.uid) {
                    return self.forget_asked(&name);
                }
                self.saw(now, *seen, out);
            }
            // The next number is free, or the one after that.
            Asked::Taken => self.forget_asked(&name),
            Asked::Refused(why) => {
                self.pause(now, &name, Trouble::Refused);
                self.forget_asked(&name);
                if self.refusal.as_ref() != Some(&why) {
                    out.push(words::warning(format!(
                        "Kubernetes refuses pod {name}: {why}; it is asked again after a pause"
                    )));
                }
                self.refusal = Some(why);
            }
            Asked::Unknown(_) => {
                if let Some(pod) = self.pods.get_mut(&name)
                    && pod.stage == Stage::Asked
                {
                    pod.stage = Stage::Unsure(now + REPEAT_AFTER);
                }
            }
        }
    }

    /// A pod that was asked for is not made.
    fn forget_asked(&mut self, name: &str) {
        if self.pods.get(name).is_some_and(|pod| pod.seen().is_none()) {
            self.pods.remove(name);
        }
    }

    fn deleted(&mut self, now: Time, name: &str, outcome: Deleted, out: &mut Vec<PodsAction>) {
        let Some(pod) = (self.pods.get_mut(name)).filter(|pod| pod.deleting == Deleting::UnderWay)
        else {
            return;
        };
        match outcome {
            Deleted::Done => {
                // Done is not gone yet: the list or a change says so. Asked again, if none does.
                pod.deleting = Deleting::Again(now + config::LEAVE_WITHIN);
                self.undeleted = None;
            }
            Deleted::Not(why) => {
                let pause = pod.undeleted.after_failure(self.dice.number());
                pod.deleting = Deleting::Again(now + pause);
                if self.undeleted.as_ref() != Some(&why) {
                    out.push(words::warning(format!(
                        "pod {name} could not be deleted: {why}; it is tried again after a pause"
                    )));
                }
                self.undeleted = Some(why);
            }
        }
    }

    /// Asks for no pod before a pause is over. All that was asked for before the last pause had its
    /// say in it.
    fn pause(&mut self, now: Time, name: &str, trouble: Trouble) {
        if (self.pods.get(name)).is_none_or(|pod| pod.asked_after < self.holds) {
            return;
        }
        let pace = match trouble {
            Trouble::Refused => &mut self.refused,
            Trouble::Failed => &mut self.failed,
        };
        let until = now + pace.after_failure(self.dice.number());
        self.hold_until = Some(self.hold_until.map_or(until, |before| before.max(until)));
        self.holds += 1;
    }

    /// How the TaskManager of this pod is, if the leader knows it.
    fn use_of(&self, name: &str) -> Option<UseState> {
        Some(self.demand.as_ref()?.task_manager(name)?.state)
    }
}
