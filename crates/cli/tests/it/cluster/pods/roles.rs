//! The verbs that a JobManager needs to make pods: those of `deploy/kubernetes/cluster/roles.yaml`,
//! and what is said if one is missing.

use incumbent_kubernetes_double::{Rule, Verb};
use rustix::process::Signal;
use serde_json::Value;

use super::running::SLEEP;
use super::site::{Site, name};
use crate::harness::{kill, until};

/// The rules of the JobManager's role, without those for records, which this cluster has in files.
fn rules() -> Vec<(String, String, Vec<String>)> {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../deploy/kubernetes/cluster/roles.yaml"
    );
    let text = std::fs::read_to_string(path).unwrap();
    let roles: Vec<Value> = serde_saphyr::from_multiple(&text).unwrap();
    let role = roles
        .iter()
        .find(|role| role["metadata"]["name"] == "incumbent-job-manager");
    let rules = role.unwrap()["rules"].as_array().unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let all = rules.iter().map(|rule| {
        let verbs = rule["verbs"].as_array().unwrap().iter().map(text).collect();
        (
            text(&rule["apiGroups"][0]),
            text(&rule["resources"][0]),
            verbs,
        )
    });
    all.filter(|(_, resource, _)| resource != "configmaps")
        .collect()
}

/// An account with all of them but this one.
fn lacking(site: &Site, resource: &str, verb: &str) {
    let rules = rules().into_iter().map(|(group, of, mut verbs)| {
        verbs.retain(|it| of != resource || it != verb);
        let verbs: Vec<&str> = verbs.iter().map(String::as_str).collect();
        Rule::new(&group, &[&of], &verbs).within("default")
    });
    let user = "system:serviceaccount:default:jm";
    site.double.allow("few", user, rules.collect());
    std::fs::write(
        site.place.path("kubeconfig"),
        site.double.kubeconfig(Some("few")),
    )
    .unwrap();
}

#[test]
fn the_role_suffices() {
    let mut site = Site::new();
    lacking(&site, "nothing", "at all");
    site.manager("jm-1", &["--idle-release", "1s"]);
    site.run(&["--name", "hello"], SLEEP);
    site.runs("hello", 1);
    site.ask(&["job", "cancel", "hello", "--wait"])
        .assert_code(0);
    site.has_none();
    let log = site.managers[0].log();
    assert!(!log.contains("the role lacks"), "{log}");
}

#[test]
fn a_verb_that_is_missing_is_named() {
    for verb in ["list", "create"] {
        let mut site = Site::new();
        lacking(&site, "pods", verb);
        site.manager("jm-1", &[]);
        site.run(&["--name", "hello"], SLEEP);
        let why = site.says("hello", &format!("the role lacks {verb:?} on \"pods\""));
        assert!(why.contains("system:serviceaccount:default:jm"), "{why}");
    }
}

#[test]
fn pods_that_cannot_be_listed_are_news_once_and_so_is_the_end_of_it() {
    let mut site = Site::new();
    lacking(&site, "pods", "list");
    site.manager("jm-1", &[]);
    let line = site.managers[0].logged("cannot be listed; retrying");
    assert!(
        line.replace('\\', "")
            .contains("the role lacks \"list\" on \"pods\""),
        "{line}"
    );
    until("it was tried three times", || {
        let seen = site.double.seen().into_iter();
        let tries = seen.filter(|it| it.verb == Verb::List && it.resource == "pods");
        tries.count() >= 3
    });
    // The role is completed.
    lacking(&site, "nothing", "at all");
    site.managers[0].logged("the pods of the cluster are listed again");
    let log = site.managers[0].log();
    assert_eq!(log.matches("cannot be listed").count(), 1, "{log}");
}

#[test]
fn without_the_right_to_watch_pods_are_listed_again_and_again() {
    let mut site = Site::new();
    lacking(&site, "pods", "watch");
    site.manager("jm-1", &[]);
    site.run(&["--name", "hello"], SLEEP);
    site.runs("hello", 1);
}

#[test]
fn without_the_right_to_delete_a_dead_pod_is_replaced_all_the_same() {
    let mut site = Site::new();
    lacking(&site, "pods", "delete");
    site.manager("jm-1", &[]);
    site.run(&["--name", "hello"], SLEEP);
    site.runs("hello", 1);
    let pod = name(&site.has_pods(1)[0]);
    kill(site.kubelet.pid(&pod).unwrap(), Signal::KILL);
    site.runs("hello", 2);
    let line = site.managers[0].logged("could not be deleted");
    assert!(
        line.replace('\\', "")
            .contains("the role lacks \"delete\" on \"pods\""),
        "{line}"
    );
    // It is tried again, and said once.
    until("it was tried three times", || {
        let seen = site.double.seen().into_iter();
        let tries = seen.filter(|it| it.verb == Verb::Delete && it.resource == "pods");
        tries.count() >= 3
    });
    let log = site.managers[0].log();
    assert_eq!(log.matches("could not be deleted").count(), 1, "{log}");
}
