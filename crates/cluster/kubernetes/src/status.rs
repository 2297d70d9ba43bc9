//! What the API shows of a pod, understood.

use incumbent_cluster_core::pods::{PodPhase, PodSeen};
use k8s_openapi::api::core::v1::{ContainerState, ContainerStatus, Pod, PodStatus};

use crate::template::{CONTAINER, EPOCH, SLOTS, TEMPLATE};

/// Longest text of the API that is kept of one pod.
const LONGEST: usize = 500;

/// Reasons of containers that only say that nothing is known yet.
const VAGUE: [&str; 2] = ["ContainerCreating", "PodInitializing"];

/// A pod of ours; `None` if it lacks what every pod has, or the label of the epoch that asked for
/// it: a person's own pod is left alone, whatever else it is labelled with.
pub(crate) fn seen(pod: &Pod) -> Option<PodSeen> {
    let metadata = &pod.metadata;
    let label = |key: &str| metadata.labels.as_ref()?.get(key).map(String::as_str);
    let annotation = |key: &str| metadata.annotations.as_ref()?.get(key).map(String::as_str);
    let nothing = PodStatus::default();
    let status = pod.status.as_ref().unwrap_or(&nothing);
    let (phase, why) = phase(status);
    Some(PodSeen {
        name: metadata.name.clone()?,
        uid: metadata.uid.clone()?,
        epoch: label(EPOCH)?.parse().ok()?,
        slots: annotation(SLOTS)
            .and_then(|text| text.parse().ok())
            .unwrap_or(0),
        template: annotation(TEMPLATE).unwrap_or_default().to_owned(),
        phase,
        is_leaving: metadata.deletion_timestamp.is_some(),
        node: pod.spec.as_ref().and_then(|spec| spec.node_name.clone()),
        why: why.map(|text| shortened(&text)),
    })
}

/// On one line, and not without end.
pub(crate) fn shortened(text: &str) -> String {
    let mut line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.len() > LONGEST {
        let end = (0..=LONGEST).rev().find(|at| line.is_char_boundary(*at));
        line.truncate(end.unwrap_or(0));
        line.push('…');
    }
    line
}

fn phase(status: &PodStatus) -> (PodPhase, Option<String>) {
    let of_pod = reason(status.reason.as_deref(), status.message.as_deref());
    let state = ours(status);
    if let Some(ended) = state.and_then(|state| state.terminated.as_ref()) {
        let is_well = ended.exit_code == 0;
        let how = reason(ended.reason.as_deref(), ended.message.as_deref());
        let code = format!("exit code {}", ended.exit_code);
        let how = how.map_or(code.clone(), |how| format!("{how}, {code}"));
        let why = of_pod.unwrap_or(how);
        return (PodPhase::Ended { is_well }, (!is_well).then_some(why));
    }
    match status.phase.as_deref() {
        Some("Succeeded") => return (PodPhase::Ended { is_well: true }, None),
        Some("Failed") => return (PodPhase::Ended { is_well: false }, of_pod),
        _ => {}
    }
    if state.is_some_and(|state| state.running.is_some()) {
        return (PodPhase::Running, of_pod);
    }
    let why = of_pod
        .or_else(|| waiting(status))
        .or_else(|| unscheduled(status));
    (PodPhase::Pending, why)
}

/// The state of the container that is the TaskManager.
fn ours(status: &PodStatus) -> Option<&ContainerState> {
    let all = status.container_statuses.iter().flatten();
    let mut ours = all.filter(|container| container.name == CONTAINER);
    ours.next()?.state.as_ref()
}

/// Why a container does not start: the first that says so.
fn waiting(status: &PodStatus) -> Option<String> {
    let init = status.init_container_statuses.iter().flatten();
    let all = init.chain(status.container_statuses.iter().flatten());
    all.filter_map(why_waiting).next()
}

fn why_waiting(container: &ContainerStatus) -> Option<String> {
    let waiting = container.state.as_ref()?.waiting.as_ref()?;
    let is_vague = |reason: &str| VAGUE.contains(&reason);
    if waiting.reason.as_deref().is_none_or(is_vague) && waiting.message.is_none() {
        return None;
    }
    reason(waiting.reason.as_deref(), waiting.message.as_deref())
}

fn unscheduled(status: &PodStatus) -> Option<String> {
    let mut conditions = status.conditions.iter().flatten();
    let condition = conditions.find(|one| one.type_ == "PodScheduled" && one.status == "False")?;
    reason(condition.reason.as_deref(), condition.message.as_deref())
}

pub(crate) fn reason(reason: Option<&str>, message: Option<&str>) -> Option<String> {
    let said = |text: Option<&str>| text.filter(|text| !text.is_empty()).map(str::to_owned);
    match (said(reason), said(message)) {
        (Some(reason), Some(message)) => Some(format!("{reason}: {message}")),
        (one, other) => one.or(other),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn of(status: Value) -> (PodPhase, Option<String>) {
        let pod = json!({
            "metadata": {
                "name": "c-taskmanager-7-1", "uid": "u",
                "labels": {EPOCH: "7"}, "annotations": {SLOTS: "2", TEMPLATE: "t"},
            },
            "spec": {"containers": [], "nodeName": "n1"},
            "status": status,
        });
        let seen = seen(&serde_json::from_value(pod).unwrap()).unwrap();
        assert_eq!((seen.epoch, seen.slots, &*seen.template), (7, 2, "t"));
        assert_eq!(seen.node.as_deref(), Some("n1"));
        (seen.phase, seen.why)
    }

    #[test]
    fn a_pod_that_no_leader_asked_for_is_not_ours() {
        for labels in [json!({}), json!({EPOCH: ""}), json!({EPOCH: "x"})] {
            let pod = json!({"metadata": {"name": "mine", "uid": "u", "labels": labels}});
            assert_eq!(seen(&serde_json::from_value(pod).unwrap()), None);
        }
    }

    fn container(state: Value) -> Value {
        json!({
            "phase": "Pending",
            "containerStatuses": [{
                "name": CONTAINER, "state": state,
                "image": "i", "imageID": "", "ready": false, "restartCount": 0,
            }],
        })
    }

    #[test]
    fn a_pod_is_what_its_container_is() {
        let running = container(json!({"running": {"startedAt": "2026-01-01T00:00:00Z"}}));
        assert_eq!(of(running), (PodPhase::Running, None));
        let ended =
            |code: i32| container(json!({"terminated": {"exitCode": code, "reason": "Error"}}));
        let why = Some("Error, exit code 3".to_owned());
        assert_eq!(of(ended(3)), (PodPhase::Ended { is_well: false }, why));
        assert_eq!(of(ended(0)), (PodPhase::Ended { is_well: true }, None));
        assert_eq!(of(json!({})), (PodPhase::Pending, None));
        assert_eq!(
            of(json!({"phase": "Succeeded"})).0,
            PodPhase::Ended { is_well: true }
        );
    }

    #[test]
    fn the_reason_is_the_api_s() {
        let pulling = json!({"waiting": {
            "reason": "ImagePullBackOff", "message": "Back-off pulling image \"none\"",
        }});
        let why = of(container(pulling)).1.unwrap();
        assert_eq!(why, "ImagePullBackOff: Back-off pulling image \"none\"");
        let creating = json!({"waiting": {"reason": "ContainerCreating"}});
        assert_eq!(of(container(creating)).1, None);
        let unscheduled = json!({"phase": "Pending", "conditions": [{
            "type": "PodScheduled", "status": "False", "reason": "Unschedulable",
            "message": "0/3 nodes are available: 3 Insufficient memory.",
        }]});
        let why = of(unscheduled).1.unwrap();
        assert!(why.starts_with("Unschedulable: 0/3 nodes"), "{why}");
        let evicted = json!({
            "phase": "Failed", "reason": "Evicted", "message": "The node was low on resource: memory.",
        });
        let (phase, why) = of(evicted);
        assert_eq!(phase, PodPhase::Ended { is_well: false });
        assert!(why.unwrap().starts_with("Evicted: The node was low"));
    }

    #[test]
    fn long_texts_are_cut() {
        let long = "ä ".repeat(1000);
        let short = shortened(&long);
        assert!(short.len() < 520 && short.ends_with('…'));
    }
}
