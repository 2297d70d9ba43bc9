//! `incumbent up`: what it starts, what it refuses, and how everything ends with it.

use std::net::TcpListener;

use rustix::process::Signal;
use serde_json::Value;

use super::running::{COUNT, Cluster, gone, interrupted, task_pids, up};
use crate::harness::{Place, finished, kill, runs, until};

/// Everything that a cluster runs besides `up`.
fn everything(cluster: &Cluster) -> Vec<i32> {
    let mut all = cluster.pids("job-manager");
    all.extend(cluster.pids("task-manager"));
    all
}

#[test]
fn it_says_what_runs_where_and_how_to_go_on() {
    let cluster = Cluster::new();
    let out = cluster.place.note("up.out");
    for words in [
        "2 JobManagers, 2 TaskManagers with 2 slots each",
        "incumbent job run --cluster http://127.0.0.1:",
        "Ctrl-C",
        &cluster.place.path("cluster").display().to_string(),
    ] {
        assert!(out.contains(words), "{words:?} in {out}");
    }
    assert_eq!(cluster.view()["slots"], 4);
}

#[test]
fn a_program_reads_who_leads_from_the_list_of_nodes() {
    let cluster = Cluster::new();
    let view = cluster.view();
    let nodes = cluster.ask(&["node", "ls"]).assert_code(0).out;
    let nodes: Vec<Value> = (nodes.lines())
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(nodes.len(), 4);
    let leads: Vec<_> = nodes.iter().filter(|node| node["leads"] == true).collect();
    assert_eq!(leads.len(), 1, "{nodes:#?}");
    assert_eq!(leads[0]["pid"], view["leader"]["pid"]);
    assert_eq!(leads[0]["epoch"], view["epoch"]);
}

#[test]
fn nothing_outlives_an_up_that_is_killed() {
    let mut cluster = Cluster::new();
    cluster.run(&["--name", "hello", "--tasks", "4"], COUNT);
    let mut all = task_pids(&cluster.running("hello", 1));
    all.extend(everything(&cluster));
    assert_eq!(all.len(), 8);
    // One is stopped: it could not do anything by itself.
    kill(all[4], Signal::STOP);
    cluster.up.kill();
    gone("all processes are gone", &all);
}

#[test]
fn ctrl_c_ends_the_tasks_in_order_and_the_next_up_goes_on_with_the_jobs() {
    let mut cluster = Cluster::new();
    let note = cluster.place.path("asked").display().to_string();
    let script = format!(
        "trap 'echo asked $INCUMBENT_ATTEMPT >> {note}; exit 0' TERM; while :; do sleep 0.02; done"
    );
    cluster.run(&["--name", "hello"], &script);
    let mut all = task_pids(&cluster.running("hello", 1));
    all.extend(everything(&cluster));
    assert_eq!(interrupted(&mut cluster.up), Some(0));
    assert!(!all.iter().any(|pid| runs(*pid)));
    assert_eq!(cluster.place.note("asked"), "asked 1");

    let Cluster { place, up, .. } = cluster;
    drop(up);
    let cluster = Cluster::with(place, &[]);
    let job = cluster.job("hello", "runs again", |job| job["state"] == "running");
    assert!(job["attempt"].as_u64() > Some(1), "{job}");
}

#[test]
fn a_second_signal_ends_everything_at_once() {
    let mut cluster = Cluster::new();
    let script = "trap '' TERM; while :; do sleep 0.02; done";
    cluster.run(&["--name", "stubborn"], script);
    let mut all = task_pids(&cluster.running("stubborn", 1));
    all.extend(everything(&cluster));
    cluster.up.signal(Signal::INT);
    cluster.up.logged("ending the tasks");
    cluster.up.signal(Signal::INT);
    assert_eq!(cluster.up.code(), Some(0));
    gone("all processes are gone", &all);
}

#[test]
fn a_child_that_is_killed_is_back_with_one_line_about_it() {
    let cluster = Cluster::new();
    for kind in ["job-manager", "task-manager"] {
        let killed = cluster.pids(kind)[0];
        kill(killed, Signal::KILL);
        until("another one is there", || {
            let pids = cluster.pids(kind);
            pids.len() == 2 && !pids.contains(&killed)
        });
        let log = cluster.up.log();
        let about = log.lines().filter(|line| {
            line.contains(&format!("pid={killed} ")) || line.ends_with(&format!("pid={killed}"))
        });
        let about: Vec<_> = about.filter(|line| line.contains("killed")).collect();
        assert_eq!(about.len(), 1, "{log}");
        assert!(about[0].contains("starting it again"), "{about:?}");
    }
}

#[test]
fn a_second_up_in_the_same_directory_is_told_of_the_first() {
    let cluster = Cluster::new();
    let done = finished(up(&cluster.place, &[])).assert_code(4);
    for words in [&cluster.url, &format!("pid {}", cluster.up.pid()), "--dir"] {
        assert!(done.err.contains(words), "{words} in {}", done.err);
    }
    assert_eq!(done.err.lines().count(), 1, "{}", done.err);
    assert_eq!(done.out, "");
    // The first one is not disturbed. A standby is shown once it is connected to the leader.
    until("all nodes are there", || everything(&cluster).len() == 4);
}

#[test]
fn a_taken_port_is_an_error_with_a_way_out() {
    let place = Place::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = taken.local_addr().unwrap().to_string();
    let mut command = place.incumbent(&["up", "--listen", &listen]);
    command.env_remove("INCUMBENT_HA");
    let done = finished(command).assert_code(4);
    for words in ["another program listens there", "ss -ltnp", "--listen"] {
        assert!(done.err.contains(words), "{words} in {}", done.err);
    }
    assert_eq!(done.err.lines().count(), 1, "{}", done.err);
}

#[test]
fn beyond_loopback_a_token_is_needed() {
    let place = Place::new();
    let mut command = place.incumbent(&["up", "--listen", "0.0.0.0:0"]);
    command.env_remove("INCUMBENT_HA");
    let done = finished(command).assert_code(2);
    assert!(done.err.contains("--token-file"), "{}", done.err);
}

#[test]
fn with_a_token_nobody_else_is_answered() {
    let place = Place::new();
    std::fs::write(place.path("token"), "0123456789abcdef0123\n").unwrap();
    let token = place.path("token").display().to_string();
    let cluster = Cluster::with_token(place, &token);
    let refused = cluster.ask(&["node", "ls"]).assert_code(4);
    assert!(refused.err.contains("--token-file"), "{}", refused.err);
    let mut command = cluster.incumbent(&["node", "ls"]);
    command.env("INCUMBENT_TOKEN_FILE", token);
    finished(command).assert_code(0);
}

#[test]
fn a_place_that_cannot_be_used_is_named_once_and_nothing_is_started() {
    let place = Place::new();
    for (flags, words) in [
        (&["--blobs", "file:///proc/nope"][..], "file:///proc/nope"),
        (&["--blobs", "pigeon://x"], "pigeon"),
        (&["--ha", "file:relative"], "not absolute"),
        (&["--dir", "/proc/x"], "--dir"),
    ] {
        let mut command = place.incumbent(&["up", "--listen", "127.0.0.1:0"]);
        command.env_remove("INCUMBENT_HA").args(flags);
        let done = finished(command).assert_code(2);
        assert!(done.err.contains(words), "{flags:?}: {}", done.err);
        assert_eq!(
            (done.err.lines().count(), &*done.out),
            (1, ""),
            "{}",
            done.err
        );
    }
}
