//! `incumbent job logs` and `job run --follow`: what tasks print, from wherever it is asked.

use std::os::unix::fs::PermissionsExt;

use rustix::process::Signal;
use serde_json::Value;

use super::running::{COUNT, Cluster, assert_gapless, gone, lines, pid, tasks};
use crate::harness::{Place, finished, kill, until};

#[test]
fn what_the_tasks_print_is_followed_to_its_end() {
    let cluster = Cluster::new();
    let script = "for i in 1 2 3; do echo $INCUMBENT_RANK.$i; done; echo failed >&2";
    let done = cluster
        .ask(&[
            "job", "run", "--follow", "--tasks", "2", "--name", "x", "--", "sh", "-c", script,
        ])
        .assert_code(0);
    let mut lines: Vec<_> = done.out.lines().collect();
    lines.sort_unstable();
    assert_eq!(
        lines,
        ["0.1", "0.2", "0.3", "1.1", "1.2", "1.3", "failed", "failed"]
    );
    // The same later, from the blobs; and a part of it.
    let later = cluster
        .ask(&["job", "logs", "x", "--rank", "1"])
        .assert_code(0)
        .out;
    assert_eq!(later, "1.1\n1.2\n1.3\nfailed\n");
    let tail = cluster
        .ask(&["job", "logs", "x", "--rank", "0", "--tail", "2"])
        .assert_code(0);
    assert_eq!(tail.out, "0.3\nfailed\n");
}

#[test]
fn a_program_that_is_a_file_here_runs_there() {
    let cluster = Cluster::new();
    let program = cluster.place.path("program");
    std::fs::write(&program, "#!/bin/sh\necho \"I am $0 with $1\"\n").unwrap();
    std::fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).unwrap();
    let run = ["job", "run", "--follow", "--", "./program", "{rank}"];
    let done = cluster.ask(&run).assert_code(0);
    assert!(
        done.out.starts_with("I am /") && done.out.ends_with("with 0\n"),
        "{}",
        done.out
    );
    assert!(
        !done.out.contains(program.to_str().unwrap()),
        "it runs a copy"
    );
    // The file is gone from here; the cluster still has it.
    let again = cluster.ask(&run).assert_code(0);
    assert_eq!(again.out.lines().count(), 1);
    // An artifact of any kind.
    std::fs::write(cluster.place.path("data"), "some data\n").unwrap();
    let done = cluster
        .ask(&[
            "job",
            "run",
            "--follow",
            "--artifact",
            "data",
            "--",
            "cat",
            "{artifact}",
        ])
        .assert_code(0);
    assert_eq!(done.out, "some data\n");
    let two = cluster.ask(&["job", "run", "--artifact", "data", "--", "./program"]);
    assert!(two.assert_code(2).err.contains("one artifact"));
}

#[test]
fn the_environment_is_what_the_job_says_and_nothing_else() {
    let cluster = Cluster::new();
    let mut command = cluster.incumbent(&[
        "job",
        "run",
        "--follow",
        "--env",
        "LEVEL=debug",
        "--",
        "env",
    ]);
    command.env("SECRET_OF_THE_CLIENT", "x");
    let done = finished(command).assert_code(0);
    assert!(
        done.out.contains("LEVEL=debug\n") && done.out.contains("INCUMBENT_RANK=0\n"),
        "{}",
        done.out
    );
    for name in [
        "SECRET_OF_THE_CLIENT",
        "E2E_PLACE",
        "INCUMBENT_CLUSTER",
        "INCUMBENT_HA",
    ] {
        assert!(!done.out.contains(name), "{name} in {}", done.out);
    }
}

#[test]
fn a_reader_that_leaves_ends_a_log_without_an_error() {
    let cluster = Cluster::new();
    cluster.run(&["--name", "hello"], COUNT);
    let mut shell = cluster.place.program("sh");
    shell.env("INCUMBENT_CLUSTER", &cluster.url);
    shell.args([
        "-c",
        "{ $I job logs hello --follow 2>err; echo $? >code; } | head -n 3; cat err code",
    ]);
    let done = finished(shell).assert_code(0);
    assert!(
        done.out.ends_with("\n0\n") && done.out.lines().count() == 4,
        "{}",
        done.out
    );
    kill(cluster.up.pid(), Signal::TERM);
}

#[test]
fn any_process_of_the_cluster_answers_everything() {
    let cluster = Cluster::new();
    cluster.run(&["--name", "hello"], COUNT);
    cluster.running("hello", 1);
    for node in cluster.nodes() {
        let url = format!("http://{}", node["address"].as_str().unwrap());
        let shown = cluster.ask(&["job", "show", "hello", "--cluster", &url]);
        assert_eq!(shown.assert_code(0).json()["name"], "hello", "{node}");
        let tail = ["job", "logs", "hello", "--tail", "1", "--cluster", &url];
        let logged = cluster.ask(&tail).assert_code(0).out;
        assert!(
            logged.starts_with("rank 0 attempt 1 line "),
            "{node}: {logged}"
        );
    }
}

#[test]
fn a_log_is_followed_through_another_node_if_the_one_that_was_asked_dies() {
    let cluster = Cluster::with(Place::new(), &["--task-managers", "3"]);
    cluster.run(&["--name", "hello"], COUNT);
    let job = cluster.running("hello", 1);
    let busy = cluster.node_of(&tasks(&job)[0]);
    let idle = |node: &&Value| node["kind"] == "task-manager" && pid(node) != busy;
    let asked = cluster.nodes().iter().find(idle).cloned().unwrap();
    let nodes = format!(
        "http://{},{}",
        asked["address"].as_str().unwrap(),
        cluster.url
    );
    let _log = cluster.follow("log", &["hello", "--cluster", &nodes]);
    until("it is heard", || {
        lines(&cluster, "log.out", 0, 1).len() > 10
    });
    kill(pid(&asked), Signal::KILL);
    gone("it is gone", &[pid(&asked)]);
    let before = lines(&cluster, "log.out", 0, 1).len();
    until("the log goes on", || {
        lines(&cluster, "log.out", 0, 1).len() > before + 50
    });
    assert_gapless(&lines(&cluster, "log.out", 0, 1));
}
