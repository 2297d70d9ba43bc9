//! What goes wrong with pods, leaders and answers.

use incumbent_kubernetes_double::{Fault, How, Match, Verb};
use rustix::process::Signal;

use super::running::SLEEP;
use super::site::{NAMESPACE, Site, name, node};
use crate::harness::{kill, until};

#[test]
fn a_pod_that_is_killed_is_replaced() {
    let mut site = Site::new();
    site.manager("jm-1", &[]);
    site.run(&["--name", "hello", "--tasks", "4"], SLEEP);
    site.runs("hello", 1);
    let killed = name(&site.has_pods(2)[0]);
    assert!(site.kubelet.kill(&killed));
    site.runs("hello", 2);
    let pods = site.has_pods(2);
    assert!(pods.iter().all(|pod| name(pod) != killed));
}

#[test]
fn a_pod_that_is_evicted_or_deleted_is_replaced() {
    let mut site = Site::new();
    site.manager("jm-1", &[]);
    site.run(&["--name", "hello", "--tasks", "2"], SLEEP);
    site.runs("hello", 1);
    let evicted = name(&site.has_pods(1)[0]);
    assert!(site.kubelet.evict(&evicted));
    site.runs("hello", 2);
    let log = site.managers[0].log();
    assert!(
        log.contains("Evicted: The node was low on resource"),
        "{log}"
    );
    let deleted = name(&site.has_pods(1)[0]);
    assert_ne!(deleted, evicted);
    // As `kubectl delete pod` does: the TaskManager drains, and its tasks are moved.
    site.double.delete("pods", NAMESPACE, &deleted);
    site.runs("hello", 3);
    assert_ne!(name(&site.has_pods(1)[0]), deleted);
}

#[test]
fn what_was_on_a_node_that_vanished_runs_elsewhere() {
    let mut site = Site::new();
    site.manager("jm-1", &[]);
    site.run(&["--name", "hello", "--tasks", "2", "--fenced"], SLEEP);
    site.runs("hello", 1);
    let lost = site.has_pods(1).remove(0);
    assert!(site.kubelet.vanish(&node(&lost)));
    // Silence proves nothing: for a fenced job it takes 10 s.
    site.runs("hello", 2);
    let pods = site.pods();
    let there = pods
        .iter()
        .find(|pod| name(pod) == name(&lost))
        .expect("it is left alone");
    assert!(there["metadata"]["deletionTimestamp"].is_null());
    assert_eq!(pods.len(), 2);
    site.kubelet.come_back(&node(&lost));
}

#[test]
fn an_image_that_never_comes_is_said_in_the_words_of_kubernetes() {
    let mut site = Site::new();
    site.manager("jm-1", &["--task-manager-image", "nowhere/none:1"]);
    site.run(&["--name", "hello"], SLEEP);
    let why = site.says(
        "hello",
        "ImagePullBackOff: Back-off pulling image \"nowhere/none:1\"",
    );
    assert!(
        why.contains("Kubernetes is asked for TaskManagers with 1 more"),
        "{why}"
    );
    assert_eq!(site.pods().len(), 1, "no other pod would come either");
    let program = env!("CARGO_BIN_EXE_incumbent").into();
    site.kubelet.image("nowhere/none:1", Some(program));
    site.runs("hello", 1);
}

#[test]
fn a_quota_is_said_and_pods_come_when_it_allows_them() {
    let mut site = Site::new();
    site.quota(0);
    site.manager("jm-1", &[]);
    site.run(&["--name", "hello"], SLEEP);
    site.says(
        "hello",
        "exceeded quota: few, requested: pods=1, used: pods=0, limited: pods=0",
    );
    assert!(site.pods().is_empty());
    site.no_quota();
    site.runs("hello", 1);
}

#[test]
fn a_quota_that_refuses_many_pods_at_once_costs_one_short_pause() {
    let mut site = Site::new();
    site.quota(0);
    site.manager("jm-1", &["--slots-per-pod", "1"]);
    site.run(&["--name", "hello", "--tasks", "16"], SLEEP);
    // The third time comes after 3 s. If each refusal counted, it would come after a minute.
    until("all of them are asked for three times", || {
        let seen = site.double.seen().into_iter();
        let asked = seen.filter(|it| it.verb == Verb::Create && it.resource == "pods");
        asked.count() >= 3 * 16
    });
    let log = site.managers[0].log();
    assert_eq!(log.matches("Kubernetes refuses pod").count(), 1, "{log}");
}

#[test]
fn a_cluster_without_room_is_said_in_the_words_of_the_scheduler() {
    let mut site = Site::with(|options| options.pods_per_node = 0);
    site.manager("jm-1", &[]);
    site.run(&["--name", "hello"], SLEEP);
    site.says(
        "hello",
        "Unschedulable: 0/2 nodes are available: 2 Too many pods.",
    );
    // What nobody needs any more goes, though it never came.
    site.ask(&["job", "cancel", "hello", "--wait"])
        .assert_code(0);
    site.has_none();
}

#[test]
fn a_volume_that_is_not_there_is_known_from_events() {
    let mut site = Site::new();
    let text = "spec: {containers: [{name: task-manager, volumeMounts: [{name: a, mountPath: /a}]}], \
                volumes: [{name: a, secret: {secretName: nowhere}}]}";
    std::fs::write(site.place.path("pod.yaml"), text).unwrap();
    let path = site.place.path("pod.yaml").display().to_string();
    site.manager("jm-1", &["--pod-template", &path]);
    site.run(&["--name", "hello"], SLEEP);
    site.says(
        "hello",
        "FailedMount: MountVolume.SetUp failed for volume \"a\"",
    );
}

#[test]
fn a_leader_that_is_killed_while_it_asks_doubles_nothing() {
    for delay in [0, 20] {
        let mut site = Site::new();
        for manager in ["jm-1", "jm-2"] {
            site.manager(manager, &["--slots-per-pod", "1", "--idle-release", "2s"]);
        }
        // Half of what is asked for is made, and nobody hears of it.
        site.double.inject(Fault {
            on: Match::on(Verb::Create, "pods"),
            skip: 1,
            times: Some(2),
            how: How::HangAfter,
        });
        let leader = site.leader();
        let job = site.run(&["--name", "hello", "--tasks", "4"], SLEEP);
        assert_eq!(job["name"], "hello");
        crate::cluster::witness::a_moment(delay);
        kill(site.managers[leader].pid(), Signal::KILL);
        let _ = site.managers[leader].ended();
        let view = site.runs("hello", 1);
        assert_eq!(view["restarts"], 0);
        // What is too much is given back.
        site.has_pods(4);
    }
}

#[test]
fn answers_that_are_lost_make_no_pod_twice() {
    let mut site = Site::new();
    for how in [How::CutAfter, How::CutBefore, How::CutInAnswer] {
        site.double.inject(Fault {
            on: Match::on(Verb::Create, "pods"),
            skip: 0,
            times: Some(1),
            how,
        });
    }
    site.manager("jm-1", &["--slots-per-pod", "1"]);
    site.run(&["--name", "hello", "--tasks", "3"], SLEEP);
    site.runs("hello", 1);
    site.has_pods(3);
}

#[test]
fn the_api_server_may_be_away_meanwhile() {
    let mut site = Site::new();
    site.manager("jm-1", &[]);
    site.run(&["--name", "hello", "--tasks", "2"], SLEEP);
    let before = site.runs("hello", 1);
    site.double.go_down();
    site.run(&["--name", "more", "--tasks", "2"], SLEEP);
    until("it is said that Kubernetes does not answer", || {
        let why = site.ask(&["job", "why", "more"]).out;
        why.contains("Kubernetes has not answered") || why.contains("cannot be listed")
    });
    site.double.come_back();
    site.runs("more", 1);
    assert_eq!(site.runs("hello", 1)["tasks"], before["tasks"]);
    site.has_pods(2);
}
