//! What kubelets and scheduler write into pods: pure changes of objects, and events.

use serde_json::{Value, json};

/// A condition of a pod, in the place of the one of this type.
pub(super) fn condition(pod: &mut Value, kind: &str, is_so: bool, reason: &str, message: &str) {
    let status = if is_so { "True" } else { "False" };
    let mut new = json!({"type": kind, "status": status});
    for (field, text) in [("reason", reason), ("message", message)] {
        if !text.is_empty() {
            new[field] = json!(text);
        }
    }
    let all = pod["status"]["conditions"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    let mut all: Vec<Value> = all.into_iter().filter(|one| one["type"] != kind).collect();
    all.push(new);
    pod["status"]["conditions"] = Value::Array(all);
}

/// The state of every container: that of the first one stands for all.
pub(super) fn containers(pod: &mut Value, state: &Value, is_ready: bool, restarts: u32) {
    let all = pod["spec"]["containers"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    let statuses = all.iter().map(|container| {
        json!({
            "name": container["name"], "image": container["image"], "imageID": "",
            "ready": is_ready, "started": is_ready, "restartCount": restarts, "state": state,
        })
    });
    pod["status"]["containerStatuses"] = statuses.collect();
    condition(pod, "ContainersReady", is_ready, "", "");
    condition(pod, "Ready", is_ready, "", "");
}

/// An event about a pod.
pub(super) fn event(
    pod: &Value,
    uid: &str,
    now: &str,
    kind: &str,
    reason: &str,
    message: &str,
) -> Value {
    let metadata = &pod["metadata"];
    let name = metadata["name"].as_str().unwrap_or_default();
    json!({
        "kind": "Event", "apiVersion": "v1",
        "metadata": {
            "name": format!("{name}.{}", &uid[..13]), "namespace": metadata["namespace"],
            "uid": uid, "creationTimestamp": now,
        },
        "involvedObject": {
            "kind": "Pod", "apiVersion": "v1", "name": metadata["name"],
            "namespace": metadata["namespace"], "uid": metadata["uid"],
        },
        "type": kind, "reason": reason, "message": message, "count": 1,
        "firstTimestamp": now, "lastTimestamp": now, "source": {"component": "kubelet-double"},
    })
}
