use serde_json::{Value, json};

use super::*;

const MARK: &str = "incumbent-process-000102";

fn note() -> Note {
    Note {
        nonce: Nonce::new(7),
        name: "jm-0".into(),
        uid: Some("u-1".into()),
        mark: MARK.into(),
    }
}

fn pod(status: Value) -> PodObject {
    let pod = json!({ "metadata": { "name": "jm-0", "uid": "u-1", "resourceVersion": "9" }, "status": status });
    serde_json::from_value(pod).unwrap()
}

fn container(states: Value) -> Value {
    let mut container = json!({ "name": "jm", "image": "i", "imageID": "", "ready": true, "restartCount": 3, "containerID": "containerd://b" });
    container
        .as_object_mut()
        .unwrap()
        .extend(states.as_object().unwrap().clone());
    json!({ "phase": "Running", "containerStatuses": [container] })
}

fn terminated(message: &str) -> Value {
    json!({ "terminated": { "exitCode": 137, "reason": "OOMKilled", "message": message, "containerID": "containerd://a" } })
}

#[test]
fn a_termination_message_with_the_mark_is_the_proof() {
    let words = format!("{MARK}\nand what the program said");
    for states in [
        json!({ "state": terminated(&words) }),
        json!({ "state": { "running": {} }, "lastState": terminated(&words) }),
    ] {
        assert_eq!(
            verdict(&note(), &pod(container(states))),
            Some(Some(
                "container jm of pod jm-0 ended: OOMKilled, exit code 137".into()
            ))
        );
    }
    let sidecar = container(json!({ "state": terminated(&words) }));
    let sidecar = json!({ "initContainerStatuses": sidecar["containerStatuses"] });
    assert!(matches!(verdict(&note(), &pod(sidecar)), Some(Some(_))));
}

#[test]
fn nothing_else_is_a_proof() {
    for status in [
        json!({}),
        // Not set by the kubelet: garbage collection of pods, a lost node.
        json!({ "phase": "Failed", "reason": "NodeLost" }),
        json!({ "phase": "Succeeded" }),
        // Another run of the container: an earlier one, or one without a message.
        container(json!({ "state": terminated("incumbent-process-999") })),
        container(
            json!({ "state": { "running": {} }, "lastState": terminated("incumbent-process-999") }),
        ),
        container(
            json!({ "state": { "terminated": { "exitCode": 137, "reason": "ContainerStatusUnknown" } } }),
        ),
        container(
            json!({ "state": { "waiting": { "reason": "CrashLoopBackOff", "message": MARK } } }),
        ),
    ] {
        assert_eq!(verdict(&note(), &pod(status.clone())), None, "{status}");
    }
    let mut marked = pod(json!({ "phase": "Running" }));
    marked.metadata.deletion_timestamp =
        Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(
            "2026-01-01T00:00:00Z".parse().unwrap(),
        ));
    assert_eq!(
        verdict(&note(), &marked),
        None,
        "it was asked to end, and may not have"
    );
}

#[test]
fn another_pod_of_the_name_never_tells_anything() {
    let mut other = pod(container(json!({ "state": terminated(MARK) })));
    other.metadata.uid = Some("u-2".into());
    assert_eq!(verdict(&note(), &other), Some(None));
}

#[test]
fn the_environment_names_our_pod() {
    let from = |values: &'static [(&str, &str)]| {
        Pod::from(|name| {
            values
                .iter()
                .find(|(known, _)| *known == name)
                .map(|(_, value)| (*value).to_owned())
        })
    };
    assert_eq!(from(&[]), None);
    let short = from(&[("HOSTNAME", "jm-0")]).unwrap();
    assert_eq!(
        (&*short.name, short.termination_log),
        ("jm-0", USUAL_LOG.into())
    );
    let long = from(&[
        ("HOSTNAME", "h"),
        ("POD_NAME", "jm-1"),
        ("POD_UID", "u"),
        ("TERMINATION_LOG", "/t"),
    ])
    .unwrap();
    assert_eq!(
        long,
        Pod {
            name: "jm-1".into(),
            uid: Some("u".into()),
            termination_log: "/t".into()
        }
    );
}

const ROOT: &str = r#"{"incumbent":"root","format":1,"epoch":7,"holder":"jm-1","nonce":"00000000000000000000000000000007","state":"active","lease_ms":15000,"seq":4}"#;

#[test]
fn only_the_holder_names_its_pod() {
    let log = tempfile::NamedTempFile::new().unwrap();
    let pod = Pod {
        name: "jm-0".into(),
        uid: None,
        termination_log: log.path().into(),
    };
    let here = Here::mark(pod).unwrap();
    assert_eq!(
        std::fs::read_to_string(log.path()).unwrap(),
        format!("{}\n", here.mark)
    );
    let group: GroupName = "g".parse().unwrap();
    let (root, body) = (Key::root(group.clone()), ROOT.as_bytes());
    assert_eq!(here.note(&root, body), None, "it holds no term");
    let other = Here::appear(&here, &group, Nonce::new(8));
    assert_eq!(here.note(&root, body), None, "it holds another term");
    let shown = Here::appear(&here, &group, Nonce::new(7));
    let note: Note = serde_json::from_str(&here.note(&root, body).unwrap()).unwrap();
    assert_eq!(
        (note.nonce, &*note.name, &note.mark),
        (Nonce::new(7), "jm-0", &here.mark)
    );
    assert_eq!(
        here.note(&Key::floor(group.clone()), body),
        None,
        "only roots say it"
    );
    assert_eq!(here.note(&root, b"{}"), None);
    drop((shown, other));
    assert_eq!(here.note(&root, body), None, "it has given it up");
}

#[test]
fn without_the_file_there_is_no_mark() {
    let pod = Pod {
        name: "a".into(),
        uid: None,
        termination_log: "/nonexistent/log".into(),
    };
    assert!(Here::mark(pod).is_err());
}
