//! What people are told about pods.

use std::time::Duration;

use super::config::MOST_NAMED;
use super::pod::{Pod, Stage};
use super::{PodPhase, PodSeen, Pods, PodsAction};
use crate::demand::{Supply, UseState};
use crate::leader::Story;
use crate::plural::counted;
use crate::view::{PodView, PodViewState};

pub(super) fn story(text: String) -> PodsAction {
    tell(text, false)
}

pub(super) fn warning(text: String) -> PodsAction {
    tell(text, true)
}

fn tell(text: String, is_warning: bool) -> PodsAction {
    PodsAction::Tell(Story {
        job: None,
        attempt: None,
        is_warning,
        text,
    })
}

pub(super) fn asking(pods: usize, slots: u32) -> String {
    let pods = counted(pods, "pod");
    let slots = counted(slots as usize, "slot");
    let are = if slots.starts_with("1 ") { "is" } else { "are" };
    format!("{slots} {are} missing: Kubernetes is asked for {pods}")
}

pub(super) fn releasing(name: &str, is_current: bool, idle: Duration) -> String {
    let why = if is_current {
        format!("has had nothing to do for {} s", idle.as_secs())
    } else {
        "has nothing to do, and pods are made from another template now".to_owned()
    };
    format!("TaskManager {name} {why}: it is told to leave, and its pod is given back")
}

pub(super) fn ended_early(seen: &PodSeen) -> String {
    let why = seen.why.as_deref().unwrap_or("Kubernetes gives no reason");
    format!(
        "pod {} has ended before its TaskManager had registered: {why}",
        seen.name
    )
}

pub(super) fn deleted_early(name: &str) -> String {
    format!(
        "pod {name} was deleted by somebody else before its TaskManager had registered; if that goes \
         on, the owner of the pods may be gone"
    )
}

impl Pods {
    /// What is done, for the leader and for people.
    pub(super) fn supply(&self) -> Supply {
        Supply {
            most_slots: self.config.most.saturating_mul(self.config.slots),
            coming: self.coming(),
            why: self.why(),
            pods: (self.pods.iter())
                .map(|(name, pod)| self.view(name, pod))
                .collect(),
        }
    }

    fn why(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if let Some(why) = &self.unlisted {
            lines.push(format!("the pods of the cluster cannot be listed: {why}"));
        } else if !self.is_listed {
            lines.push("the pods of the cluster are being listed".to_owned());
        }
        if let Some(why) = &self.refusal {
            lines.push(format!(
                "Kubernetes refuses another pod: {why}; it is asked again, after a minute at most"
            ));
        }
        if let Some(failure) = &self.failure {
            lines.push(failure.clone());
        }
        if let Some(why) = &self.undeleted {
            lines.push(format!(
                "pods that are of no use cannot be deleted: {why}; it is tried again, after a minute \
                 at most"
            ));
        }
        let counted = self.counted();
        let most = self.config.most as usize;
        if counted >= most && self.need.missing > self.coming() {
            lines.push(format!(
                "there are {counted} pods, and no more are asked for: the most is {most}"
            ));
        }
        let waiting: Vec<String> = (self.pods.iter())
            .filter(|(name, pod)| self.is_coming(name, pod))
            .map(|(name, pod)| waiting(name, pod))
            .collect();
        let more = waiting.len().saturating_sub(MOST_NAMED);
        lines.extend(waiting.into_iter().take(MOST_NAMED));
        if more > 0 {
            lines.push(format!("and {} more", counted_pods(more)));
        }
        lines
    }

    fn view(&self, name: &str, pod: &Pod) -> PodView {
        let seen = pod.seen();
        PodView {
            name: name.to_owned(),
            state: self.state(name, pod),
            slots: seen.map_or(self.config.slots, |seen| seen.slots),
            epoch: seen.map_or(self.seal.epoch.get(), |seen| seen.epoch),
            node: seen.and_then(|seen| seen.node.clone()),
            why: seen.and_then(|seen| seen.why.clone()),
        }
    }

    fn state(&self, name: &str, pod: &Pod) -> PodViewState {
        let Some(seen) = pod.seen() else {
            return PodViewState::Asked;
        };
        if let PodPhase::Ended { .. } = seen.phase {
            return PodViewState::Ended;
        }
        if pod.is_going() {
            return PodViewState::Leaving;
        }
        match self.use_of(name) {
            Some(UseState::Live) => PodViewState::Registered,
            Some(UseState::Draining) => PodViewState::Leaving,
            Some(UseState::Lost | UseState::Dead) => PodViewState::Lost,
            None | Some(UseState::Coming) if seen.phase == PodPhase::Running => {
                PodViewState::Running
            }
            None | Some(UseState::Coming) => PodViewState::Pending,
        }
    }

    pub(super) fn tell_adopted(&self, all: &[PodSeen], out: &mut Vec<PodsAction>) {
        if !all.is_empty() {
            out.push(story(format!(
                "{} of earlier leaders found: they are this leader's now",
                counted_pods(all.len())
            )));
        }
    }
}

fn counted_pods(number: usize) -> String {
    counted(number, "pod")
}

/// How far a pod is whose slots are waited for.
fn waiting(name: &str, pod: &Pod) -> String {
    let Some(seen) = pod.seen() else {
        return match pod.stage {
            Stage::Unsure(_) => {
                format!("pod {name}: Kubernetes has not answered; it is asked again")
            }
            Stage::Asked | Stage::Seen(_) => format!("pod {name} is being asked for"),
        };
    };
    match (&seen.why, seen.phase, &seen.node) {
        (Some(why), ..) => format!("pod {name}: {why}"),
        (None, PodPhase::Running, _) => {
            format!("pod {name} runs, and its TaskManager has not registered yet")
        }
        (None, _, Some(node)) => format!("pod {name} is being started on node {node}"),
        (None, _, None) => format!("pod {name} waits for a node"),
    }
}
