//! What a template may say, and what becomes of it.

use serde_json::{Value, json};

use super::{Particulars, PodSettings, SlotResources, Template};

fn settings() -> PodSettings {
    PodSettings {
        name: "demo".into(),
        image: Some("incumbent:1".into()),
        slots: 4,
        env: [
            ("INCUMBENT_HA", "kubernetes:///demo"),
            ("INCUMBENT_BLOBS", "s3://b/p"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into(),
        port: 8081,
        ..PodSettings::default()
    }
}

fn made(text: &str, settings: PodSettings) -> Value {
    let template = Template::new(text, settings).unwrap();
    let pod = template.pod(&Particulars {
        name: "demo-taskmanager-7-1",
        namespace: "prod",
        cluster: "c1",
        epoch: 7,
        owner: None,
    });
    serde_json::to_value(pod).unwrap()
}

#[track_caller]
fn refused(text: &str) -> Vec<String> {
    refused_with(text, settings())
}

#[track_caller]
fn refused_with(text: &str, settings: PodSettings) -> Vec<String> {
    let refusals = Template::new(text, settings).unwrap_err().0;
    assert!(!refusals.is_empty());
    refusals
}

fn variable<'a>(pod: &'a Value, name: &str) -> &'a Value {
    let all = pod["spec"]["containers"][0]["env"].as_array().unwrap();
    all.iter()
        .find(|one| one["name"] == name)
        .unwrap_or(&Value::Null)
}

#[test]
fn without_a_template_a_pod_has_what_a_task_manager_needs() {
    let pod = made("", settings());
    let spec = &pod["spec"];
    assert_eq!(spec["restartPolicy"], "Never");
    let container = &spec["containers"][0];
    assert_eq!(
        (&container["image"], &container["args"]),
        (&json!("incumbent:1"), &json!(["task-manager"]))
    );
    assert_eq!(variable(&pod, "INCUMBENT_SLOTS")["value"], "4");
    assert_eq!(
        variable(&pod, "INCUMBENT_HA")["value"],
        "kubernetes:///demo"
    );
    let name = &variable(&pod, "INCUMBENT_TASK_MANAGER_NAME")["valueFrom"]["fieldRef"]["fieldPath"];
    assert_eq!(name, "metadata.name");
    assert_eq!(pod["metadata"]["labels"]["incumbent/epoch"], "7");
    assert_eq!(pod["metadata"]["annotations"]["incumbent/slots"], "4");
    assert_eq!(spec["volumes"][0]["emptyDir"], json!({}));
}

#[test]
fn what_a_template_says_is_kept() {
    let text = r#"
apiVersion: v1
kind: Pod
metadata:
  labels: {team: a}
  annotations: {note: b}
spec:
  serviceAccountName: tm
  nodeSelector: {disk: ssd}
  containers:
    - name: logs
      image: sidecar
    - name: task-manager
      image: mine:2
      command: [/opt/incumbent]
      env:
        - {name: EXTRA, value: "$(POD_IP)"}
        - {name: INCUMBENT_BLOBS, value: "file:///blobs"}
      volumeMounts: [{name: blobs, mountPath: /blobs}]
  volumes: [{name: blobs, persistentVolumeClaim: {claimName: blobs}}]
"#;
    let pod = made(text, settings());
    assert_eq!(pod["metadata"]["labels"]["team"], "a");
    assert_eq!(pod["metadata"]["annotations"]["note"], "b");
    let container = &pod["spec"]["containers"][0];
    assert_eq!(
        (&container["name"], &container["image"]),
        (&json!("task-manager"), &json!("mine:2"))
    );
    assert_eq!(container["command"], json!(["/opt/incumbent"]));
    assert_eq!(variable(&pod, "INCUMBENT_BLOBS")["value"], "file:///blobs");
    assert_eq!(variable(&pod, "EXTRA")["value"], "$(POD_IP)");
    let names: Vec<&str> = (container["env"].as_array().unwrap().iter())
        .map(|one| one["name"].as_str().unwrap())
        .collect();
    let place = |name: &str| names.iter().position(|it| *it == name);
    assert!(
        place("POD_IP") < place("EXTRA"),
        "a variable can use only earlier ones: {names:?}"
    );
    assert_eq!(pod["spec"]["containers"][1]["name"], "logs");
    assert_eq!(pod["spec"]["nodeSelector"]["disk"], "ssd");
}

#[test]
fn resources_are_those_of_all_slots() {
    let mut settings = settings();
    settings.resources = SlotResources {
        cpu: Some("250m".into()),
        memory: Some("1Gi".into()),
    };
    let pod = made("", settings);
    let resources = &pod["spec"]["containers"][0]["resources"];
    assert_eq!(
        resources["requests"],
        json!({"cpu": "1000m", "memory": "4Gi"})
    );
    assert_eq!(resources["limits"], json!({"memory": "4Gi"}));
}

#[test]
fn two_containers_of_our_name_are_refused() {
    let text = r#"{"spec": {"containers": [
        {"name": "task-manager", "image": "a"}, {"name": "task-manager", "image": "b"}]}}"#;
    let refusals = refused(text);
    assert_eq!(refusals.len(), 1);
    assert!(
        refusals[0].starts_with("spec.containers[1]: two containers are named"),
        "{refusals:?}"
    );
}

#[test]
fn each_forbidden_field_is_refused_by_its_name() {
    let container = |more: &str| {
        format!(
            r#"{{"spec": {{"containers": [{{"name": "task-manager", "image": "a", {more}}}]}}}}"#
        )
    };
    let cases = [
        (r#"{"metadata": {"name": "a"}}"#.to_owned(), "metadata.name"),
        (r#"{"metadata": {"generateName": "a"}}"#.to_owned(), "metadata.generateName"),
        (r#"{"metadata": {"namespace": "a"}}"#.to_owned(), "metadata.namespace"),
        (r#"{"metadata": {"finalizers": ["a/b"]}}"#.to_owned(), "metadata.finalizers"),
        (
            r#"{"metadata": {"ownerReferences": [{"apiVersion": "v1", "kind": "Pod", "name": "a", "uid": "u"}]}}"#.to_owned(),
            "metadata.ownerReferences",
        ),
        (r#"{"metadata": {"labels": {"incumbent/epoch": "1"}}}"#.to_owned(), "metadata.labels"),
        (
            r#"{"metadata": {"labels": {"app.kubernetes.io/component": "x"}}}"#.to_owned(),
            "metadata.labels",
        ),
        (r#"{"status": {"phase": "Running"}}"#.to_owned(), "status"),
        (r#"{"spec": {"containers": [], "restartPolicy": "Always"}}"#.to_owned(), "spec.restartPolicy"),
        (r#"{"spec": {"containers": [], "nodeName": "n"}}"#.to_owned(), "spec.nodeName"),
        (
            r#"{"spec": {"containers": [], "activeDeadlineSeconds": 9}}"#.to_owned(),
            "spec.activeDeadlineSeconds",
        ),
        (
            r#"{"spec": {"containers": [], "initContainers": [{"name": "task-manager"}]}}"#.to_owned(),
            "spec.initContainers[0]",
        ),
        (container(r#""args": ["x"]"#), "spec.containers[0].args"),
        (container(r#""restartPolicy": "Always""#), "spec.containers[0].restartPolicy"),
        (
            container(r#""env": [{"name": "INCUMBENT_SLOTS", "value": "9"}]"#),
            "spec.containers[0].env",
        ),
    ];
    for (text, field) in cases {
        let refusals = refused(&text);
        assert_eq!(refusals.len(), 1, "{text}: {refusals:?}");
        assert!(
            refusals[0].starts_with(&format!("{field}: ")),
            "{text}: {refusals:?}"
        );
    }
}

#[test]
fn everything_that_is_wrong_is_said_at_once() {
    let text = r#"
metadata:
  name: a
  finalizers: [a/b]
  ownerReferences: [{apiVersion: v1, kind: Pod, name: a, uid: u}]
spec:
  bogus: 1
  nodeName: true
  restartPolicy: OnFailure
  containers:
    - {name: task-manager, image: a, args: [x], bogus: 1}
    - name: task-manager
      image: 7
      env: [{name: INCUMBENT_SLOTS, value: "9"}, {name: INCUMBENT_TASK_MANAGER_NAME, value: a}]
"#;
    let mut without_port = settings();
    without_port.port = 0;
    let refusals = refused_with(text, without_port);
    for begin in [
        "spec.nodeName: invalid type: boolean",
        "spec.containers[1].image: invalid type: number",
        "spec.bogus: a pod has no such field",
        "spec.containers[0].bogus: a pod has no such field",
        "metadata.name: ",
        "metadata.finalizers: ",
        "metadata.ownerReferences: ",
        "spec.nodeName: it passes the scheduler",
        "spec.restartPolicy: ",
        "spec.containers[0].args: ",
        "spec.containers[1].env: INCUMBENT_SLOTS ",
        "spec.containers[1].env: INCUMBENT_TASK_MANAGER_NAME ",
        "spec.containers[1]: two containers",
        "--pod-port: ",
    ] {
        let found = refusals.iter().filter(|line| line.starts_with(begin));
        assert_eq!(found.count(), 1, "{begin}: {refusals:#?}");
    }
    assert_eq!(refusals.len(), 14, "{refusals:#?}");
}

#[test]
fn a_field_of_another_type_is_named_with_what_to_do() {
    let refusals = refused("spec: {nodeSelector: {disk: yes, zone: 8}, containers: []}");
    assert!(
        refusals
            .iter()
            .any(|line| line.starts_with("spec.nodeSelector.zone: ") && line.contains("quotes")),
        "{refusals:?}"
    );
    let refusals = refused("spec: {terminationGracePeriodSeconds: soon, containers: []}");
    assert!(
        refusals[0].starts_with("spec.terminationGracePeriodSeconds: invalid type: string")
            && !refusals[0].contains("quotes"),
        "{refusals:?}"
    );
}

#[test]
fn fields_that_no_pod_has_are_refused() {
    let text = r#"{"spec": {"containers": [{"name": "task-manager", "image": "a", "imagePullPolcy": "Never"}], "nodeSelektor": {}, "tolerationz": [1]}}"#;
    let refusals = refused(text);
    assert!(
        refusals.contains(&"spec.containers[0].imagePullPolcy: a pod has no such field".to_owned()),
        "{refusals:?}"
    );
    assert!(
        refusals
            .iter()
            .any(|line| line.starts_with("spec.tolerationz")),
        "{refusals:?}"
    );
}

#[test]
fn what_is_no_pod_is_refused() {
    for (text, why) in [
        ("kind: Deployment", "kind"),
        ("apiVersion: v2", "apiVersion"),
        ("- a", "no object"),
        ("a: [", "neither YAML nor JSON"),
        ("spec: 7", "spec: invalid type"),
    ] {
        let refusals = refused(text);
        assert!(refusals[0].contains(why), "{text}: {refusals:?}");
    }
    let large = format!(
        "metadata: {{annotations: {{a: {}}}}}",
        "x".repeat(300 * 1024)
    );
    assert!(refused(&large)[0].contains("KiB"));
}

#[test]
fn an_image_must_be_known() {
    let mut without = settings();
    without.image = None;
    let refusals = refused_with("", without.clone());
    assert!(refusals[0].contains("--task-manager-image"), "{refusals:?}");
    let text = r#"{"spec": {"containers": [{"name": "task-manager"}]}}"#;
    let refusals = refused_with(text, without);
    assert!(
        refusals[0].starts_with("spec.containers[0].image"),
        "{refusals:?}"
    );
}

#[test]
fn a_resource_is_said_once_and_is_a_quantity() {
    let mut twice = settings();
    twice.resources.cpu = Some("1".into());
    let text = r#"{"spec": {"containers": [{"name": "task-manager", "image": "a", "resources": {"limits": {"cpu": "2"}}}]}}"#;
    assert!(refused_with(text, twice)[0].contains("--slot-cpu"));
    let mut bad = settings();
    bad.resources.memory = Some("1 GB".into());
    assert!(refused_with("", bad)[0].starts_with("--slot-memory"));
}

#[test]
fn pods_of_one_template_have_one_digest_and_others_another() {
    let digest = |text: &str, settings: PodSettings| {
        Template::new(text, settings).unwrap().digest().to_owned()
    };
    let first = digest("", settings());
    assert_eq!(first, digest("", settings()));
    let mut other = settings();
    other.slots = 5;
    assert_ne!(first, digest("", other));
    assert_ne!(first, digest("metadata: {labels: {a: b}}", settings()));
}
