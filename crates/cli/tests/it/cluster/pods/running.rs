//! Jobs in pods, from the first slot that is missing to the last pod that nobody needs.

use std::collections::BTreeSet;

use incumbent_kubernetes_double::Verb;
use serde_json::json;

use super::site::{Site, name};
use crate::cluster::running::{COUNT, task_pids};
use crate::harness::until;

/// Sleeps until it is ended.
pub(super) const SLEEP: &str = "exec sleep 1000";

#[test]
fn a_job_gets_pods_for_its_slots_and_they_go_when_it_has_ended() {
    let mut site = Site::new();
    site.manager("jm-1", &["--idle-release", "1s"]);
    site.run(&["--name", "hello", "--tasks", "3"], COUNT);
    let job = site.runs("hello", 1);
    let pods = site.has_pods(2);
    for pod in &pods {
        let labels = &pod["metadata"]["labels"];
        assert_eq!(labels["app.kubernetes.io/instance"], "demo");
        assert!(
            name(pod).starts_with("demo-taskmanager-1-"),
            "{}",
            name(pod)
        );
        assert_eq!(pod["spec"]["restartPolicy"], "Never");
    }
    let nodes: Vec<_> = job["tasks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|task| &task["node"])
        .collect();
    assert!(
        nodes
            .iter()
            .all(|node| pods.iter().any(|pod| **node == name(pod))),
        "{nodes:?}"
    );
    let logs = site.ask(&["job", "logs", "hello", "--rank", "0", "--tail", "1"]);
    assert!(logs.assert_code(0).out.contains("rank 0 attempt 1"));
    let made = |site: &Site| {
        let seen = site.double.seen().into_iter();
        let asked = seen.filter(|it| it.verb == Verb::Create && it.resource == "pods");
        asked.map(|it| it.name).collect::<BTreeSet<_>>().len()
    };
    assert_eq!(made(&site), 2, "as many as are missing, each once");
    site.ask(&["job", "cancel", "hello", "--wait"])
        .assert_code(0);
    site.has_none();
    assert_eq!(made(&site), 2);
}

#[test]
fn the_next_leader_adopts_pods_and_asks_for_none() {
    let mut site = Site::new();
    site.manager("jm-1", &[]);
    site.manager("jm-2", &[]);
    site.run(&["--name", "hello", "--tasks", "4"], SLEEP);
    let pids = task_pids(&site.runs("hello", 1));
    let pods = site.has_pods(2);
    let leader = site.leader();
    site.managers[leader].kill();
    site.run(&["--name", "more"], SLEEP);
    site.runs("more", 1);
    assert_eq!(
        task_pids(&site.runs("hello", 1)),
        pids,
        "nothing was restarted"
    );
    let now = site.has_pods(3);
    assert!(
        pods.iter()
            .all(|pod| now.iter().any(|it| name(it) == name(pod)))
    );
}

#[test]
fn a_job_is_rescaled_to_more_slots_than_there_are() {
    let mut site = Site::new();
    site.manager("jm-1", &[]);
    site.run(&["--name", "hello", "--tasks", "2"], SLEEP);
    site.runs("hello", 1);
    site.has_pods(1);
    until("it may have 4 tasks", || {
        site.ask(&["job", "rescale", "hello", "4"]).code == Some(0)
    });
    assert_eq!(site.runs("hello", 2)["tasks"].as_array().unwrap().len(), 4);
    site.has_pods(2);
    let too_many = site.ask(&["job", "rescale", "hello", "1000"]);
    assert_eq!(too_many.code, Some(4), "{}", too_many.err);
}

#[test]
fn the_template_is_what_pods_are_made_from() {
    let mut site = Site::new();
    let template = json!({"metadata": {"labels": {"team": "a"}}, "spec": {
        "containers": [{"name": "task-manager", "env": [{"name": "GREETING", "value": "hello"}]}],
    }});
    let data = json!({"kind": "ConfigMap", "apiVersion": "v1", "metadata": {},
        "data": {"pod.yaml": template.to_string()}});
    site.double
        .put_by_hand("configmaps", "default", "template", data);
    site.manager(
        "jm-1",
        &[
            "--pod-template",
            "configmap/template",
            "--slot-memory",
            "64Mi",
        ],
    );
    site.run(&["--name", "hello"], SLEEP);
    site.runs("hello", 1);
    let pod = &site.has_pods(1)[0];
    assert_eq!(pod["metadata"]["labels"]["team"], "a");
    let container = &pod["spec"]["containers"][0];
    assert_eq!(container["resources"]["limits"]["memory"], "128Mi");
    let has = |name: &str| {
        container["env"]
            .as_array()
            .unwrap()
            .iter()
            .any(|it| it["name"] == name)
    };
    assert!(has("GREETING") && has("INCUMBENT_HA"));
}

#[test]
fn a_template_that_cannot_be_used_is_refused_at_the_start() {
    let site = Site::new();
    let text = "kind: Pod\nmetadata: {name: a}\nspec:\n  restartPolicy: Always\n  containers:\n  - {name: task-manager}\n  - {name: task-manager}\n";
    std::fs::write(site.place.path("pod.yaml"), text).unwrap();
    let path = site.place.path("pod.yaml").display().to_string();
    let command = site.manager_command("jm-1", &["--pod-template", &path]);
    let done = crate::harness::finished(command).assert_code(2);
    for words in [
        "metadata.name: ",
        "spec.restartPolicy: ",
        "spec.containers[1]: two containers",
    ] {
        assert!(done.err.contains(words), "{}", done.err);
    }
    for (template, words) in [
        (
            "configmap/none",
            "there is no such ConfigMap in namespace default",
        ),
        (
            "/nowhere/pod.yaml",
            "cannot read the pod template /nowhere/pod.yaml",
        ),
    ] {
        let command = site.manager_command("jm-1", &["--pod-template", template]);
        let done = crate::harness::finished(command).assert_code(2);
        assert!(done.err.contains(words), "{}", done.err);
    }
}
