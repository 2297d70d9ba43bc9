//! What a template may not say.

use serde_json::Value;

use super::{CONTAINER, PodSettings};
use crate::quantity;

/// What a template may say of `metadata`; all else is this program's, or the server's.
const METADATA: [&str; 2] = ["labels", "annotations"];

/// Labels that are this program's, besides those that begin with `incumbent/`.
const LABELS: [&str; 4] = [
    "app.kubernetes.io/name",
    "app.kubernetes.io/managed-by",
    "app.kubernetes.io/component",
    "app.kubernetes.io/instance",
];

/// Fields of `spec` that a template may not have, and why.
const SPEC: [(&str, &str); 3] = [
    ("ephemeralContainers", "a new pod cannot have any"),
    (
        "activeDeadlineSeconds",
        "it would end the TaskManager with its tasks",
    ),
    (
        "nodeName",
        "it passes the scheduler; choose nodes by nodeSelector or affinity",
    ),
];

/// Fields of our container that a template may not have, and why.
const OURS: [(&str, &str); 3] = [
    (
        "args",
        "the arguments are this program's: the TaskManager is set by its environment",
    ),
    (
        "restartPolicy",
        "a TaskManager that has ended is replaced by another pod",
    ),
    (
        "restartPolicyRules",
        "a TaskManager that has ended is replaced by another pod",
    ),
];

/// Variables that a template may not set, because the pods are counted by them.
const VARIABLES: [&str; 2] = ["INCUMBENT_SLOTS", "INCUMBENT_TASK_MANAGER_NAME"];

/// Everything that is wrong with it, one line each.
pub(super) fn check(pod: &Value, settings: &PodSettings) -> Vec<String> {
    let mut refusals = Vec::new();
    metadata(&pod["metadata"], &mut refusals);
    if !pod["status"].is_null() {
        refusals.push("status: only Kubernetes says how a pod is".to_owned());
    }
    spec(&pod["spec"], &mut refusals);
    containers(&pod["spec"], settings, &mut refusals);
    quantities(settings, &mut refusals);
    if settings.port == 0 {
        refusals
            .push("--pod-port: 0 is no port; all pods have the same one, such as 8081".to_owned());
    }
    refusals
}

fn metadata(metadata: &Value, refusals: &mut Vec<String>) {
    let fields = metadata.as_object().into_iter().flatten();
    for (field, _) in fields.filter(|(field, value)| is_said(value) && !is_allowed(field)) {
        let why = match field.as_str() {
            "name" | "generateName" => "each pod gets a name of its own",
            "namespace" => "pods are made in the namespace of the JobManagers",
            "ownerReferences" => "the owner is set by --pod-owner",
            "finalizers" => "a pod must be able to go",
            _ => "a template has labels and annotations, and nothing else there",
        };
        refusals.push(format!("metadata.{field}: {why}"));
    }
    for (what, keys) in [("labels", &LABELS[..]), ("annotations", &LABELS[..0])] {
        let given = metadata[what].as_object().into_iter().flatten();
        for (key, _) in given {
            if key.starts_with("incumbent/") || keys.contains(&key.as_str()) {
                refusals.push(format!(
                    "metadata.{what}: {key:?} is set by Incumbent, which finds its pods by it"
                ));
            }
        }
    }
}

fn is_allowed(field: &str) -> bool {
    METADATA.contains(&field)
}

fn is_said(value: &Value) -> bool {
    !value.is_null()
}

fn spec(spec: &Value, refusals: &mut Vec<String>) {
    match &spec["restartPolicy"] {
        Value::Null => {}
        Value::String(policy) if policy == "Never" => {}
        other => refusals.push(format!(
            "spec.restartPolicy: it is {other}, and must be \"Never\" or left out: a TaskManager \
             that has ended is replaced by another pod"
        )),
    }
    for (field, why) in SPEC {
        let value = &spec[field];
        if is_said(value) && value.as_array().is_none_or(|items| !items.is_empty()) {
            refusals.push(format!("spec.{field}: {why}"));
        }
    }
}

fn containers(spec: &Value, settings: &PodSettings, refusals: &mut Vec<String>) {
    let named = |field: &str| -> Vec<(usize, &Value)> {
        let all = spec[field].as_array().into_iter().flatten().enumerate();
        all.filter(|(_, container)| container["name"] == CONTAINER)
            .collect()
    };
    for (at, _) in named("initContainers") {
        refusals.push(format!(
            "spec.initContainers[{at}]: {CONTAINER:?} is the container of the TaskManager; give \
             this one another name"
        ));
    }
    let ours = named("containers");
    for (at, one) in &ours {
        our_container(*at, one, settings, refusals);
    }
    match ours.as_slice() {
        [] if settings.image.is_none() => refusals.push(format!(
            "spec.containers: none is named {CONTAINER:?}, and no image is known for it; add one, \
             or --task-manager-image"
        )),
        [] | [_] => {}
        [_, second, ..] => refusals.push(format!(
            "spec.containers[{}]: two containers are named {CONTAINER:?}; one of them is the \
             TaskManager",
            second.0
        )),
    }
}

fn our_container(at: usize, one: &Value, settings: &PodSettings, refusals: &mut Vec<String>) {
    let path = format!("spec.containers[{at}]");
    for (field, why) in OURS {
        let value = &one[field];
        if is_said(value) && value.as_array().is_none_or(|items| !items.is_empty()) {
            refusals.push(format!("{path}.{field}: {why}"));
        }
    }
    let has_image = one["image"].as_str().is_some_and(|image| !image.is_empty());
    if !has_image && settings.image.is_none() {
        refusals.push(format!(
            "{path}.image: it is missing, and no other is known; add it, or --task-manager-image"
        ));
    }
    for variable in one["env"].as_array().into_iter().flatten() {
        let name = variable["name"].as_str().unwrap_or_default();
        if VARIABLES.contains(&name) {
            refusals.push(format!("{path}.env: {name} is set by Incumbent"));
        }
    }
    let given = &settings.resources;
    let resources = [
        ("cpu", &given.cpu, "--slot-cpu"),
        ("memory", &given.memory, "--slot-memory"),
    ];
    for (resource, given, flag) in resources {
        let is_in = |of: &str| is_said(&one["resources"][of][resource]);
        if given.is_some() && (is_in("requests") || is_in("limits")) {
            refusals.push(format!(
                "{path}.resources: {resource} is said here and by {flag}; say it once"
            ));
        }
    }
}

fn quantities(settings: &PodSettings, refusals: &mut Vec<String>) {
    let given = &settings.resources;
    for (flag, quantity) in [("--slot-cpu", &given.cpu), ("--slot-memory", &given.memory)] {
        if let Some(text) = quantity
            && quantity::times(text, settings.slots).is_none()
        {
            refusals.push(format!(
                "{flag}: {text:?} is no quantity of Kubernetes, such as 500m or 1Gi"
            ));
        }
    }
}
