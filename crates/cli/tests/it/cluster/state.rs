//! `incumbent job state` and its HTTP: through each node, while nobody leads, and of a job that is
//! suspended.

use std::io::Write;

use serde_json::{Value, json};

use super::counters::{Counting, cluster};
use super::running::{Cluster, raw};
use super::witness::now;
use crate::harness::until;

/// Asks one node.
fn ask(node: &str, path: &str) -> Option<(u16, Value)> {
    let host = format!("host: {node}");
    let answer = raw(node, "GET", path, &[&host], "")?;
    Some((answer.status, serde_json::from_str(&answer.body).ok()?))
}

/// Runs the job, and waits until each rank answers.
fn counting(cluster: &Cluster) -> String {
    let job = Counting::default().run(cluster);
    let id = job["id"].as_str().unwrap().to_owned();
    until("the tasks answer queries", || {
        cluster.ask(&["job", "state", "count"]).code == Some(0)
    });
    id
}

#[test]
fn each_node_shows_what_the_tasks_know() {
    let Some(cluster) = cluster(&[]) else {
        return;
    };
    let id = counting(&cluster);
    let nodes = cluster.nodes();
    assert_eq!(nodes.len(), 4);
    for node in &nodes {
        let address = node["address"].as_str().unwrap();
        for key in 0..8 {
            let path = format!("/v1/jobs/{id}/state/counters/{key}");
            let (status, found) = ask(address, &path).unwrap();
            assert_eq!(status, 200, "{found}");
            assert_eq!(
                (&found["key"], &found["rank"]),
                (&json!(key.to_string()), &json!(key % 2))
            );
        }
        let (_, all) = ask(
            address,
            &format!("/v1/jobs/{id}/state/counters?from=%222%22"),
        )
        .unwrap();
        let keys: Vec<_> = all["entries"]
            .as_array()
            .unwrap()
            .iter()
            .map(|e| &e["key"])
            .collect();
        assert_eq!(json!(keys), json!(["2", "3", "4", "5", "6", "7"]));
    }
    let names = cluster.ask(&["job", "state", "count"]).assert_code(0);
    assert_eq!(names.json(), json!({"state":"counters"}));
    let one = cluster
        .ask(&["job", "state", "count", "counters", "3"])
        .assert_code(0);
    assert_eq!(one.json()["rank"], 1);
    let flags = [
        "job", "state", "count", "counters", "--from", "\"6\"", "--format", "table",
    ];
    let table = cluster.ask(&flags).assert_code(0);
    assert!(table.out.starts_with("KEY"), "{}", table.out);
    assert_eq!(table.out.lines().count(), 3, "{}", table.out);
    for (flags, code, words) in [
        (["counters", "99"], 6, "no key"),
        (["others", "3"], 6, "counters"),
        (["counters", "--limit=0"], 2, "1 to 1000"),
    ] {
        let args = [&["job", "state", "count"][..], &flags].concat();
        let refused = cluster.ask(&args).assert_code(code);
        assert!(refused.err.contains(words), "{}", refused.err);
    }
    times(&nodes, &id);
}

/// Not a claim: what a query costs at each node.
fn times(nodes: &[Value], id: &str) {
    for node in nodes {
        let address = node["address"].as_str().unwrap();
        let mut times: Vec<_> = (0..300)
            .map(|number| {
                let begun = now();
                let path = format!("/v1/jobs/{id}/state/counters/{}", number % 8);
                assert!(ask(address, &path).is_some());
                begun.elapsed()
            })
            .collect();
        times.sort_unstable();
        let name = node["name"].as_str().unwrap();
        let line = format!("{name}: p50 {:?}, p99 {:?}", times[150], times[297]);
        let _ = writeln!(std::io::stderr(), "{line}");
    }
}

#[test]
fn queries_are_answered_while_nobody_leads() {
    let Some(cluster) = cluster(&[]) else {
        return;
    };
    let id = counting(&cluster);
    let nodes = cluster.nodes();
    let of_tasks: Vec<_> = nodes
        .iter()
        .filter(|node| node["kind"] == "task-manager")
        .collect();
    assert_eq!(of_tasks.len(), 2, "{nodes:?}");
    cluster.kill_leader();
    for number in 0..100 {
        for node in &of_tasks {
            let address = node["address"].as_str().unwrap();
            let path = format!("/v1/jobs/{id}/state/counters/{}", number % 8);
            let (status, found) = ask(address, &path).unwrap();
            assert_eq!(status, 200, "{found}");
        }
    }
}

#[test]
fn a_suspended_job_says_to_ask_for_its_checkpoint() {
    let Some(cluster) = cluster(&[]) else {
        return;
    };
    counting(&cluster);
    cluster.checkpointed("count", 1);
    cluster.ask(&["job", "stop", "count"]).assert_code(0);
    let flags = ["job", "state", "count", "counters", "3"];
    let refused = cluster.ask(&flags).assert_code(4);
    assert!(
        refused.err.contains("--as-of checkpoint"),
        "{}",
        refused.err
    );
    // Its files are its own: only those of stream jobs can be read.
    let stored = [&flags[..], &["--as-of", "checkpoint"]].concat();
    let refused = cluster.ask(&stored).assert_code(4);
    assert!(refused.err.contains("format"), "{}", refused.err);
}
