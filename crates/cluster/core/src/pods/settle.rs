//! What is deleted, asked for and released, as things stand.

use std::cmp::Reverse;

use incumbent_core::Time;

use super::config::{EXCESS_FOR, LEAVE_WITHIN, MOST_UNDER_WAY, REGISTER_WITHIN, RETIRE_EVERY};
use super::pod::{Deleting, Pod, Stage};
use super::{PodPhase, Pods, PodsAction, pod_name, words};
use crate::demand::{Need, UseState};

impl Pods {
    /// Acts on what is known. The order matters: what is deleted makes room for what is asked for.
    pub(super) fn settle(&mut self, now: Time, out: &mut Vec<PodsAction>) {
        self.note_uses(now);
        if !self.is_listed || self.demand.is_none() {
            return;
        }
        for pod in self.pods.values_mut() {
            if matches!(pod.deleting, Deleting::Again(at) if at <= now) {
                pod.deleting = Deleting::Due;
            }
        }
        self.delete_useless(now, out);
        let is_complete = self
            .demand
            .as_ref()
            .is_some_and(|demand| demand.is_complete);
        if !is_complete {
            self.need = Need::default();
            return;
        }
        self.look_at_need();
        self.ask(now, out);
        self.give_up_excess(now, out);
        self.release_idle(now, out);
        if !self.pods.values().any(Pod::is_going) {
            self.undeleted = None;
        }
    }

    /// When it wants a [`PodsEvent::Tick`](super::PodsEvent) at the latest, if nothing happens
    /// before. What was due at the last step was done then, or waits for something else than time.
    pub fn next_wake(&self) -> Option<Time> {
        let pods = self.pods.values().flat_map(|pod| {
            let (mut at, seen) = (Vec::new(), pod.seen());
            if let Stage::Unsure(again) = pod.stage {
                at.push(again);
            }
            if let Deleting::Again(again) = pod.deleting {
                at.push(again);
            }
            let is_running = seen.is_some_and(|seen| seen.phase == PodPhase::Running);
            if let Some(since) = pod
                .running_since
                .filter(|_| is_running && !pod.has_registered)
            {
                at.push(since + REGISTER_WITHIN);
            }
            at.extend(pod.excess_since.map(|since| since + EXCESS_FOR));
            at.extend(pod.left_since.map(|since| since + LEAVE_WITHIN));
            if pod.left_since.is_none()
                && let Some(since) = pod.idle_since
            {
                let idle = since + self.config.idle_release;
                at.push(pod.retired_at.map_or(idle, |told| told + RETIRE_EVERY));
            }
            at
        });
        let all = pods.chain(self.hold_until);
        all.filter(|at| *at > self.looked_at).min()
    }

    /// Takes over what the leader says of their TaskManagers.
    fn note_uses(&mut self, now: Time) {
        let Some(demand) = &self.demand else {
            return;
        };
        let mut has_registered = false;
        for (name, pod) in &mut self.pods {
            let found = demand.task_manager(name);
            let is_here =
                found.is_some_and(|it| matches!(it.state, UseState::Live | UseState::Draining));
            has_registered |= is_here && !pod.has_registered;
            pod.has_registered |= is_here;
            let is_idle = is_here && found.is_some_and(|it| it.is_idle);
            let leaves = found.is_some_and(|it| it.state == UseState::Draining);
            pod.idle_since = is_idle.then(|| pod.idle_since.unwrap_or(now));
            pod.left_since = (is_idle && leaves).then(|| pod.left_since.unwrap_or(now));
            if !is_idle {
                pod.retired_at = None;
            }
        }
        if has_registered {
            self.failed.reset();
            self.failure = None;
        }
    }

    /// Deletes what is of no use to anybody.
    fn delete_useless(&mut self, now: Time, out: &mut Vec<PodsAction>) {
        let names: Vec<String> = self.pods.keys().cloned().collect();
        for name in names {
            let pod = &self.pods[&name];
            let Some(why) = self.useless(&name, pod, now) else {
                continue;
            };
            self.delete(&name, &why, out);
        }
    }

    /// Why a pod is of no use, if it is of none.
    fn useless(&self, name: &str, pod: &Pod, now: Time) -> Option<String> {
        let seen = pod.seen()?;
        if let PodPhase::Ended { is_well } = seen.phase {
            return Some(match (&seen.why, is_well) {
                (_, true) => "its TaskManager has left".to_owned(),
                (None, false) => "it has ended".to_owned(),
                (Some(why), false) => format!("it has ended: {why}"),
            });
        }
        if self.use_of(name) == Some(UseState::Dead) {
            return Some("its TaskManager is proven dead".to_owned());
        }
        if pod
            .left_since
            .is_some_and(|since| now.since(since) >= LEAVE_WITHIN)
        {
            return Some("its TaskManager leaves, has no task, and does not end".to_owned());
        }
        match seen.phase {
            PodPhase::Pending if seen.template != self.config.template => {
                Some("it has not started, and pods are made from another template now".to_owned())
            }
            PodPhase::Running if !pod.has_registered && self.use_of(name).is_none() => {
                let since = pod.running_since.unwrap_or(now);
                (now.since(since) >= REGISTER_WITHIN).then(|| {
                    format!(
                        "it runs, and its TaskManager has not registered for {} s",
                        REGISTER_WITHIN.as_secs()
                    )
                })
            }
            PodPhase::Pending | PodPhase::Running | PodPhase::Ended { .. } => None,
        }
    }

    fn delete(&mut self, name: &str, why: &str, out: &mut Vec<PodsAction>) {
        let Some(pod) = self.pods.get_mut(name) else {
            return;
        };
        let Some(seen) = pod.seen() else {
            return;
        };
        let may = match pod.deleting {
            // What is marked goes by itself.
            Deleting::No | Deleting::Due => !seen.is_leaving,
            Deleting::UnderWay | Deleting::Again(_) => false,
        };
        if !may {
            return;
        }
        if pod.deleting == Deleting::No {
            out.push(words::story(format!("pod {name} is deleted: {why}")));
        }
        let uid = seen.uid.clone();
        pod.deleting = Deleting::UnderWay;
        let name = name.to_owned();
        out.push(PodsAction::Delete { name, uid });
    }

    fn look_at_need(&mut self) {
        let most = self.config.most.saturating_mul(self.config.slots);
        if let Some(demand) = &self.demand {
            self.need = demand.need(most, |name| self.pods.contains_key(name));
        }
    }

    /// Slots that are on their way.
    pub(super) fn coming(&self) -> u32 {
        (self.pods.iter())
            .filter(|(name, pod)| self.is_coming(name, pod))
            .map(|(_, pod)| self.slots_of(pod))
            .sum()
    }

    /// Whether the slots of a pod will be there by themselves.
    pub(super) fn is_coming(&self, name: &str, pod: &Pod) -> bool {
        if pod.is_going() || !pod.counts() {
            return false;
        }
        match self.use_of(name) {
            None | Some(UseState::Coming) => true,
            Some(UseState::Live | UseState::Draining | UseState::Lost | UseState::Dead) => false,
        }
    }

    /// Pods that count against the most that there may be. One whose TaskManager is lost does not:
    /// it may never come back, and the jobs need another.
    pub(super) fn counted(&self) -> usize {
        let is_lost = |name| matches!(self.use_of(name), Some(UseState::Lost | UseState::Dead));
        let counted = self.pods.iter();
        counted
            .filter(|(name, pod)| pod.counts() && !is_lost(name))
            .count()
    }

    fn slots_of(&self, pod: &Pod) -> u32 {
        pod.seen().map_or(self.config.slots, |seen| seen.slots)
    }

    /// Asks for what is missing, and again for what may not have been made.
    fn ask(&mut self, now: Time, out: &mut Vec<PodsAction>) {
        if self.hold_until.is_some_and(|until| until > now) {
            return;
        }
        self.hold_until = None;
        let under_way = (self.pods.values()).filter(|pod| pod.stage == Stage::Asked);
        let mut room = MOST_UNDER_WAY.saturating_sub(under_way.count());
        let lacks = self.need.missing.saturating_sub(self.coming());
        self.repeat(now, &mut room, out);
        let counted = self.counted();
        let left = (self.config.most as usize).saturating_sub(counted);
        let wanted = lacks.div_ceil(self.config.slots.max(1)) as usize;
        let number = wanted.min(left).min(room);
        if number == 0 {
            return;
        }
        out.push(words::story(words::asking(number, lacks)));
        for _ in 0..number {
            let name = self.next_name();
            let pod = Pod::new(Stage::Asked, self.listing + 1, self.holds);
            self.pods.insert(name.clone(), pod);
            out.push(PodsAction::Ask { name });
        }
    }

    /// A name that no pod has, of any leader.
    fn next_name(&mut self) -> String {
        loop {
            let name = pod_name(&self.config.name, self.seal.epoch, self.next);
            self.next += 1;
            if !self.pods.contains_key(&name) {
                return name;
            }
        }
    }

    /// Repeats requests whose outcome is unknown, under the same names, while they are needed. One
    /// that nobody needs is not repeated: if it was made, a change or the next list shows it.
    fn repeat(&mut self, now: Time, room: &mut usize, out: &mut Vec<PodsAction>) {
        let due = (self.pods.iter())
            .filter(|(_, pod)| matches!(pod.stage, Stage::Unsure(at) if at <= now));
        let names: Vec<String> = due.map(|(name, _)| name.clone()).collect();
        for name in names {
            let coming = self.coming().saturating_sub(self.config.slots);
            if coming >= self.need.missing {
                continue;
            }
            if *room == 0 {
                return;
            }
            *room -= 1;
            if let Some(pod) = self.pods.get_mut(&name) {
                pod.stage = Stage::Asked;
                pod.asked_after = self.holds;
                pod.listed_from = self.listing + 1;
            }
            out.push(PodsAction::Ask { name });
        }
    }

    /// Deletes pods that have not started and that nobody needs any more: those first that were
    /// made otherwise than they would be now, then those that do not get further, then the newest.
    fn give_up_excess(&mut self, now: Time, out: &mut Vec<PodsAction>) {
        // What may never come is no reason to give up what does.
        let seen: u32 = (self.pods.iter())
            .filter(|(name, pod)| pod.seen().is_some() && self.is_coming(name, pod))
            .map(|(_, pod)| self.slots_of(pod))
            .sum();
        let mut excess = seen.saturating_sub(self.need.missing);
        let mut waiting: Vec<_> = (self.pods.iter())
            .filter(|(name, pod)| self.is_coming(name, pod))
            .filter_map(|(name, pod)| {
                let seen = pod.seen()?;
                (seen.phase == PodPhase::Pending).then(|| {
                    let is_fine = seen.why.is_none();
                    (
                        (is_fine, Reverse(seen.epoch), Reverse(name.len())),
                        name.clone(),
                        seen.slots,
                    )
                })
            })
            .collect();
        waiting.sort_by(|a, b| (&a.0, Reverse(&a.1)).cmp(&(&b.0, Reverse(&b.1))));
        for (_, name, slots) in waiting {
            let is_excess = slots <= excess;
            let Some(pod) = self.pods.get_mut(&name) else {
                continue;
            };
            pod.excess_since = is_excess.then(|| pod.excess_since.unwrap_or(now));
            if !is_excess {
                continue;
            }
            excess -= slots;
            if pod
                .excess_since
                .is_some_and(|since| now.since(since) >= EXCESS_FOR)
            {
                let why = "it has not started, and nobody needs it any more";
                self.delete(&name, why, out);
            }
        }
    }

    /// Lets TaskManagers leave that have had nothing to do for long, while no gang waits.
    fn release_idle(&mut self, now: Time, out: &mut Vec<PodsAction>) {
        if self.need.needed > 0 {
            return;
        }
        for (name, pod) in &mut self.pods {
            let (Some(since), None, Some(seen)) = (pod.idle_since, pod.left_since, pod.seen())
            else {
                continue;
            };
            let is_current = seen.template == self.config.template;
            let is_due = !is_current || now.since(since) >= self.config.idle_release;
            let is_told = (pod.retired_at).is_some_and(|told| now.since(told) < RETIRE_EVERY);
            if !is_due || is_told || pod.is_going() {
                continue;
            }
            if pod.retired_at.is_none() {
                out.push(words::story(words::releasing(
                    name,
                    is_current,
                    now.since(since),
                )));
            }
            pod.retired_at = Some(now);
            out.push(PodsAction::Retire { name: name.clone() });
        }
    }
}
