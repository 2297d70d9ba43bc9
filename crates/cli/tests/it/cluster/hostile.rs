//! What must not work: foreign pages, stolen tokens, damaged records, TaskManagers that lie.

use std::process::Command;

use serde_json::Value;

use super::running::{COUNT, Cluster, task_pids};
use crate::harness::{Answer, Place, kill, until};

/// A request with exactly these lines.
fn request(url: &str, method: &str, path: &str, headers: &[&str], body: &str) -> Answer {
    let address = url.strip_prefix("http://").unwrap();
    super::running::raw(address, method, path, headers, body).unwrap()
}

const JOB: &str = r#"{"name":"bad","command":["true"]}"#;
const JOB_PATH: &str = "/v1/jobs/0123456789abcdef0123456789abcdef";

#[test]
fn a_foreign_page_cannot_submit() {
    let cluster = Cluster::new();
    let address = cluster.url.strip_prefix("http://").unwrap();
    let host = format!("host: {address}");
    for headers in [
        &[&host, "origin: https://evil.example"][..],
        &[&host, "origin: null"],
        &[&host, "sec-fetch-site: cross-site"],
        &["host: evil.example"],
    ] {
        let refused = request(&cluster.url, "PUT", JOB_PATH, headers, JOB);
        assert_eq!(refused.status, 403, "{headers:?}: {}", refused.body);
        assert!(refused.json()["detail"].is_string());
        // On every node.
        for node in cluster.nodes() {
            let url = format!("http://{}", node["address"].as_str().unwrap());
            assert_eq!(request(&url, "PUT", JOB_PATH, headers, JOB).status, 403);
        }
    }
    assert_eq!(cluster.ask(&["job", "ls"]).assert_code(0).out, "");
}

#[test]
fn a_users_token_orders_no_task_manager() {
    let place = Place::new();
    std::fs::write(place.path("token"), "0123456789abcdef0123\n").unwrap();
    let token = place.path("token").display().to_string();
    let cluster = Cluster::with_token(place, &token);
    let nodes = cluster
        .ask(&["node", "ls", "--token-file", &token])
        .assert_code(0)
        .out;
    for line in nodes.lines() {
        let node: Value = serde_json::from_str(line).unwrap();
        let address = node["address"].as_str().unwrap();
        let host = format!("host: {address}");
        let bearer = "authorization: Bearer 0123456789abcdef0123";
        for path in ["/node/v1/orders", "/node/v1/reports"] {
            let refused = request(
                &format!("http://{address}"),
                "POST",
                path,
                &[&host, bearer],
                "[]",
            );
            assert!(
                [401, 403, 404].contains(&refused.status),
                "{path}: {}",
                refused.status
            );
        }
    }
}

#[test]
fn a_task_manager_whose_name_is_taken_is_told_so_and_disturbs_nobody() {
    let cluster = Cluster::new();
    cluster.run(&["--name", "hello", "--tasks", "4"], COUNT);
    let job = cluster.running("hello", 1);
    let second = cluster
        .place
        .start("second", part(&cluster, &["--name", "tm-1"]));
    second.logged("tm-1");
    until("it is told", || {
        second.log().contains("WARN") || second.log().contains("ERROR")
    });
    let log = second.log();
    assert!(log.contains("name"), "{log}");
    assert_eq!(task_pids(&cluster.running("hello", 1)), task_pids(&job));
}

#[test]
fn a_task_manager_that_cannot_be_connected_back_to_is_told_so() {
    let cluster = Cluster::with(Place::new(), &["--task-managers", "1"]);
    let nowhere = format!("127.0.0.1:{}", crate::harness::free_port());
    let flags = ["--name", "behind", "--advertise", &nowhere];
    let behind = cluster.place.start("behind", part(&cluster, &flags));
    let line = behind.logged("--advertise");
    assert!(
        line.contains(&nowhere) || line.contains("advertise"),
        "{line}"
    );
    assert_eq!(cluster.view()["slots"], 2, "it has no slots");
}

#[test]
fn a_damaged_record_is_named_and_its_tasks_go_on() {
    let cluster = Cluster::new();
    let id = cluster.run(&["--name", "hello"], COUNT)["id"]
        .as_str()
        .unwrap()
        .to_owned();
    cluster.run(&["--name", "other"], COUNT);
    let pids = task_pids(&cluster.running("hello", 1));
    let others = task_pids(&cluster.running("other", 1));
    let ha = format!("file://{}", cluster.place.path("cluster/ha").display());
    let record = format!("jobs/{id}");
    cluster
        .ask(&[
            "--ha",
            &ha,
            "--group",
            "cluster",
            "records",
            "put",
            &record,
            "{\"a\":1}",
            "--force",
        ])
        .assert_code(0);
    let leader = super::running::pid(&cluster.view()["leader"]);
    kill(leader, rustix::process::Signal::KILL);
    let told = crate::harness::eventually("the damage is named", || {
        let done = cluster.ask(&["job", "show", &id]);
        done.err.contains("damaged").then_some(done)
    });
    assert_eq!(told.code, Some(1), "{}", told.err);
    assert!(
        pids.iter()
            .chain(&others)
            .all(|pid| crate::harness::runs(*pid))
    );
    assert_eq!(task_pids(&cluster.running("other", 1)), others);
}

/// A TaskManager beside those of `up`.
fn part(cluster: &Cluster, flags: &[&str]) -> Command {
    let dir = |name: &str| {
        format!(
            "file://{}",
            cluster.place.path(&format!("cluster/{name}")).display()
        )
    };
    let mut command = cluster.place.incumbent(&["task-manager"]);
    command.args(["--ha", &dir("ha"), "--blobs", &dir("blobs"), "--slots", "2"]);
    command.arg("--dir").arg(cluster.place.path("second-tasks"));
    command.args(flags);
    command
}
