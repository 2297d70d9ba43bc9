//! `incumbent job`: submitting, waiting, showing; with the forms and codes that others rely on.

use std::process::Stdio;

use rustix::process::Signal;
use serde_json::{Value, json};

use super::running::{COUNT, Cluster, code_of, gone, task_pids};
use crate::harness::until;
use crate::terminal::in_terminal;

/// `job run --wait -- sh -c SCRIPT`.
fn waited(cluster: &Cluster, flags: &[&str], script: &str) -> Option<i32> {
    let all = [
        &["job", "run", "--wait"],
        flags,
        &["--", "sh", "-c", script],
    ]
    .concat();
    cluster.ask(&all).code
}

/// A job file whose job is not restarted.
fn once(cluster: &Cluster, name: &str, script: &str) -> String {
    let file = cluster.place.path(&format!("{name}.toml"));
    let text = format!(
        "name = \"{name}\"\ncommand = [\"sh\", \"-c\", {}]\n[restart]\nstrategy = \"none\"\n",
        json!(script)
    );
    std::fs::write(&file, text).unwrap();
    file.display().to_string()
}

#[test]
fn a_job_in_a_pipe_is_one_object_with_the_fields_that_others_rely_on() {
    let cluster = Cluster::new();
    let submitted = cluster.run(&["--name", "hello", "--tasks", "2"], COUNT);
    assert_eq!(submitted["name"], "hello");
    cluster.running("hello", 1);
    let done = cluster.ask(&["job", "show", "hello"]).assert_code(0);
    assert_eq!(done.out.lines().count(), 1);
    let job = done.json();
    assert_eq!(job["id"].as_str().unwrap().len(), 32);
    assert_eq!(job["id"], submitted["id"]);
    assert_eq!(
        (&job["state"], &job["attempt"], &job["restarts"]),
        (&json!("running"), &json!(1), &json!(0))
    );
    assert!(job["epoch"].is_u64());
    for null in ["checkpoint", "cause"] {
        assert_eq!(job[null], Value::Null, "{null} in {job}");
        assert!(job.get(null).is_some());
    }
    for (rank, task) in job["tasks"].as_array().unwrap().iter().enumerate() {
        assert_eq!(task["rank"], rank);
        assert_eq!(task["state"], "running");
        assert!(task["node"].is_string() && task["pid"].is_u64() && task["since"].is_string());
    }
    let by_id = cluster.show(job["id"].as_str().unwrap());
    assert_eq!(by_id["name"], "hello");
    // All jobs, one on each line.
    let list = cluster.ask(&["job", "ls"]).assert_code(0).out;
    let rows: Vec<Value> = list
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0]["name"], "hello");
}

#[test]
fn people_get_tables() {
    let cluster = Cluster::new();
    cluster.run(&["--name", "hello", "--tasks", "2"], COUNT);
    cluster.running("hello", 1);
    let table = |args: &[&str]| {
        cluster
            .ask(&[args, &["--format", "table"]].concat())
            .assert_code(0)
            .out
    };
    let show = table(&["job", "show", "hello"]);
    for line in ["name       hello", "state      running", "RANK  STATE"] {
        assert!(show.contains(line), "{line:?} in {show}");
    }
    let list = table(&["job", "ls"]);
    let row: Vec<_> = list
        .lines()
        .nth(1)
        .unwrap()
        .split_whitespace()
        .take(5)
        .collect();
    assert_eq!(row, ["hello", "running", "2/2", "1", "0"], "{list}");
    let nodes = table(&["node", "ls"]);
    assert!(
        nodes.starts_with("KIND") && nodes.contains("leads, epoch "),
        "{nodes}"
    );
    assert_eq!(nodes.lines().count(), 5, "{nodes}");
}

#[test]
fn who_waits_exits_as_the_job_does() {
    let cluster = Cluster::new();
    assert_eq!(waited(&cluster, &[], "exit 0"), Some(0));
    for (name, script, code) in [
        ("seven", "exit 7", 7),
        ("killed", "kill -9 $$", 128 + 9),
        ("none", "exec /no/such/program", 127),
    ] {
        let file = once(&cluster, name, script);
        let done = cluster.ask(&["job", "run", "--wait", &file]);
        assert_eq!(done.code, Some(code), "{name}: {} {}", done.out, done.err);
    }
    let file = cluster.place.path("absent.toml");
    std::fs::write(
        &file,
        "name = \"absent\"\ncommand = [\"no-such-program\"]\n[restart]\nstrategy = \"none\"\n",
    )
    .unwrap();
    let done = cluster.ask(&["job", "run", "--wait", file.to_str().unwrap()]);
    assert_eq!(done.code, Some(122), "{} {}", done.out, done.err);
    assert!(done.out.contains("no-such-program") || done.err.contains("no-such-program"));
}

#[test]
fn who_waits_for_a_job_that_is_canceled_is_told_so() {
    let cluster = Cluster::new();
    let mut waiting = cluster.incumbent(&[
        "job", "run", "--wait", "--name", "hello", "--", "sleep", "1000",
    ]);
    let mut child = waiting
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    until("it is there", || {
        cluster.ask(&["job", "show", "hello"]).code == Some(0)
    });
    cluster.ask(&["job", "cancel", "hello"]).assert_code(0);
    assert_eq!(code_of(&mut child), Some(121));
}

#[test]
fn ctrl_c_ends_the_waiting_and_not_the_job() {
    let cluster = Cluster::new();
    let command = cluster.incumbent(&[
        "job", "run", "--wait", "--name", "hello", "--", "sleep", "1000",
    ]);
    let mut waiting = cluster.place.start("waiting", command);
    let job = {
        until("it is there", || {
            cluster.ask(&["job", "show", "hello"]).code == Some(0)
        });
        cluster.running("hello", 1)
    };
    waiting.signal(Signal::INT);
    assert_eq!(waiting.code(), Some(130));
    waiting.logged("hello goes on");
    assert_eq!(task_pids(&cluster.running("hello", 1)), task_pids(&job));
}

#[test]
fn a_repeated_submission_makes_one_job_and_another_job_needs_another_id() {
    let cluster = Cluster::new();
    let id = "0123456789abcdef0123456789abcdef";
    let run = |name: &str| {
        cluster.ask(&[
            "job", "run", "--id", id, "--name", name, "--", "sleep", "1000",
        ])
    };
    assert_eq!(run("one").assert_code(0).json()["id"], id);
    assert_eq!(run("one").assert_code(0).json()["id"], id);
    let other = run("two").assert_code(4);
    assert!(
        other.err.contains(id) || other.err.contains("id"),
        "{}",
        other.err
    );
    assert_eq!(cluster.ask(&["job", "ls"]).out.lines().count(), 1);
}

#[test]
fn a_name_that_is_taken_is_refused() {
    let cluster = Cluster::new();
    cluster.run(&["--name", "hello"], COUNT);
    cluster.running("hello", 1);
    let done = cluster
        .ask(&["job", "run", "--name", "hello", "--", "true"])
        .assert_code(4);
    assert!(done.err.contains("hello"), "{}", done.err);
    assert_eq!(cluster.show("hello")["state"], "running");
}

#[test]
fn a_job_that_waits_for_slots_says_which_are_missing() {
    let cluster = Cluster::new();
    let job = cluster.run(&["--name", "large", "--tasks", "9"], COUNT);
    assert_eq!(job["state"], "waiting");
    let why = cluster.ask(&["job", "why", "large"]).assert_code(0).out;
    assert!(
        why.contains("large waits") && why.contains('9') && why.contains('4'),
        "{why}"
    );
}

#[test]
fn why_tells_the_first_failure_with_its_last_lines() {
    let cluster = Cluster::new();
    let script = "echo before; echo the disk is on fire >&2; exit 3";
    let file = once(&cluster, "burns", script);
    assert_eq!(cluster.ask(&["job", "run", "--wait", &file]).code, Some(3));
    let why = cluster.ask(&["job", "why", "burns"]).assert_code(0).out;
    for words in [
        "burns has failed",
        "rank 0",
        "exit code 3",
        "    the disk is on fire",
    ] {
        assert!(why.contains(words), "{words:?} in {why}");
    }
}

#[test]
fn jobs_are_restarted_and_forgotten_on_request() {
    let cluster = Cluster::new();
    cluster.run(&["--name", "hello"], COUNT);
    let first = cluster.running("hello", 1);
    cluster.ask(&["job", "restart", "hello"]).assert_code(0);
    cluster.running("hello", 2);
    gone("the first attempt is gone", &task_pids(&first));
    let live = cluster.ask(&["job", "rm", "hello"]).assert_code(4);
    assert!(live.err.contains("cancel"), "{}", live.err);
    cluster
        .ask(&["job", "cancel", "hello", "--wait"])
        .assert_code(0);
    cluster.ask(&["job", "rm", "hello"]).assert_code(0);
    until("it is gone", || {
        cluster.ask(&["job", "show", "hello"]).code == Some(6)
    });
    let missing = cluster.ask(&["job", "logs", "hello"]).assert_code(6);
    assert!(
        missing.err.contains("there is no job \"hello\""),
        "{}",
        missing.err
    );
}

#[test]
fn nodes_are_drained_and_forgotten_on_request() {
    let cluster = Cluster::new();
    cluster.run(&["--name", "hello", "--fenced"], COUNT);
    let job = cluster.running("hello", 1);
    let node = job["tasks"][0]["node"].as_str().unwrap().to_owned();
    let before = cluster.node_of(&job["tasks"][0]);
    cluster.ask(&["node", "drain", &node]).assert_code(0);
    let moved = cluster.job("hello", "runs elsewhere", |job| {
        job["state"] == "running" && job["attempt"] != 1
    });
    assert_ne!(moved["tasks"][0]["pid"], job["tasks"][0]["pid"]);
    gone("the drained one ends", &[before]);
    let none = cluster.ask(&["node", "drain", "nobody"]).assert_code(6);
    assert!(none.err.contains("incumbent node ls"), "{}", none.err);
    let refused = cluster.ask(&["node", "forget", &node]).assert_code(2);
    assert!(
        refused.err.contains("exclusive jobs will run twice"),
        "{}",
        refused.err
    );
}

#[test]
fn wrong_job_files_are_refused_with_line_and_key_and_without_secrets() {
    let cluster = Cluster::new();
    for (text, words) in [
        (
            "comand = [\"true\"]\n",
            &["line 1", "comand", "command"][..],
        ),
        (
            "name = \"x\"\ncommand = [\"true\"]\ntasks = 0\n",
            &["tasks"],
        ),
        ("command = [\"true\"]\n[env]\nKEY = s3ntinel\n", &["line 3"]),
        ("command = [\"sh\", \"{rnak}\"]\n", &["rank"]),
        ("name = \"x\"\n", &["command"]),
    ] {
        let file = cluster.place.path("bad.toml");
        std::fs::write(&file, text).unwrap();
        let done = cluster
            .ask(&["job", "run", file.to_str().unwrap()])
            .assert_code(2);
        for word in words {
            assert!(done.err.contains(word), "{word:?} in {}", done.err);
        }
        assert!(
            !done.err.contains("s3ntinel") && done.err.contains("bad.toml"),
            "{}",
            done.err
        );
    }
    assert_eq!(cluster.ask(&["job", "ls"]).assert_code(0).out, "");
}

#[test]
fn on_a_terminal_the_way_to_the_end_is_shown() {
    let cluster = Cluster::new();
    let script = format!(
        "INCUMBENT_CLUSTER={} $I job run --wait --name brief -- sh -c 'sleep 1; exit 3' > shown 2>&1; echo $? > code\n",
        cluster.url
    );
    // The output goes to the terminal, which `script` copies.
    let script = script.replace(" > shown 2>&1", "");
    let Some(mut terminal) = in_terminal(&cluster.place, "terminal", &script) else {
        return;
    };
    until("the job has failed once", || {
        cluster
            .ask(&["job", "show", "brief"])
            .out
            .contains("\"restarts\":1")
    });
    cluster.ask(&["job", "cancel", "brief"]).assert_code(0);
    terminal.code();
    assert_eq!(cluster.place.note("code"), "121");
    let shown = cluster.place.note("terminal.out");
    for words in [
        "brief runs: attempt 1, 1/1 tasks",
        "brief restarts: attempt 1 has ended",
        "brief was canceled",
    ] {
        assert!(shown.contains(words), "{words:?} in {shown}");
    }
}

#[test]
fn settings_may_come_from_the_configuration_file() {
    let cluster = Cluster::new();
    let text = format!(
        "[job.run]\ncluster = '{0}'\nname = 'named'\ntasks = 2\n[job.show]\ncluster = '{0}'\n",
        cluster.url
    );
    std::fs::write(cluster.place.path("config.toml"), text).unwrap();
    let with_file = |args: &[&str]| {
        let all = [&["--config", "config.toml"], args].concat();
        cluster.place.ask(&all).assert_code(0).json()
    };
    with_file(&["job", "run", "--", "sleep", "1000"]);
    let job = with_file(&["job", "show", "named"]);
    assert_eq!(job["spec"]["tasks"], 2);
}
