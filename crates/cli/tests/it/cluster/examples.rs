//! The job files of `examples/jobs`, run as they are, under kills.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::process::Signal;
use serde_json::{Value, json};

use super::counting_task::{self, Counting};
use super::running::{Cluster, raw, tasks};
use crate::harness::{Place, eventually, finished, kill, until};

/// If set, a missing program is a failure and not a skipped test.
const REQUIRED: &str = "INCUMBENT_REQUIRE_FOREIGN";

/// Below the target directory; `.ci/servers` fills it.
const BYTEWAX: &str = "foreign/bytewax-0.21.1";

const INTERVAL: &str = "[checkpoints]\ninterval = \"200ms\"";

fn example(name: &str) -> String {
    let jobs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/jobs");
    jobs.join(name).display().to_string()
}

/// Whether there is a Python. A test without it prints that it is skipped.
fn python() -> bool {
    let mut command = Command::new("python3");
    command
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    match command.status() {
        Ok(status) if status.success() => true,
        _ => missing("python3"),
    }
}

fn bytewax() -> Option<PathBuf> {
    let test = std::env::current_exe().unwrap();
    let target = test
        .ancestors()
        .nth(3)
        .expect("a test is TARGET/PROFILE/deps/NAME");
    let path = target.join(BYTEWAX);
    (python() && (path.exists() || missing("Bytewax"))).then_some(path)
}

fn missing(what: &str) -> bool {
    assert!(
        std::env::var_os(REQUIRED).is_none(),
        "{REQUIRED} is set, and there is no {what}: run .ci/servers"
    );
    // Not `eprintln!`: the output of a test that passes is not shown.
    let _ = writeln!(
        std::io::stderr(),
        "SKIPPED: there is no {what}; .ci/servers installs it"
    );
    false
}

/// Three JobManagers and three TaskManagers of two slots.
fn cluster() -> Cluster {
    Cluster::with(
        Place::new(),
        &["--job-managers", "3", "--task-managers", "3"],
    )
}

/// Submits a job file with other values for some of its variables.
fn run(cluster: &Cluster, file: &str, env: &[(&str, String)]) -> Value {
    let env: Vec<_> = env
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let flags = env.iter().flat_map(|pair| ["--env", pair]);
    let all: Vec<_> = ["job", "run"]
        .into_iter()
        .chain(flags)
        .chain([file])
        .collect();
    cluster.ask(&all).assert_code(0).json()
}

/// Waits until all tasks of this or a later attempt run, so many of them.
fn runs_again(cluster: &Cluster, job: &str, attempt: u64, count: usize) -> Value {
    cluster.job(
        job,
        &format!("runs in attempt {attempt} or later, with {count} tasks"),
        |view| {
            view["state"] == "running"
                && view["attempt"].as_u64() >= Some(attempt)
                && tasks(view).len() == count
                && tasks(view).iter().all(|task| task["state"] == "running")
        },
    )
}

fn attempt(view: &Value) -> u64 {
    view["attempt"].as_u64().unwrap()
}

/// Waits until another checkpoint is committed than the present one.
fn another_checkpoint(cluster: &Cluster, job: &str) {
    let number = |view: &Value| view["checkpoint"]["number"].as_u64().unwrap_or(0);
    let present = number(&cluster.show(job));
    cluster.job(job, "has a later checkpoint", |view| number(view) > present);
}

fn kill_task_manager(cluster: &Cluster, task: &Value) {
    kill(cluster.node_of(task), Signal::KILL);
}

/// What the issue of this work wants to see of `count.toml`: everything is killed, the job has
/// another number of tasks, stops, and goes on; and the totals come out right.
fn tell_the_story(cluster: &Cluster, job: &str) {
    let first = runs_again(cluster, job, 1, 2);
    another_checkpoint(cluster, job);
    cluster.kill_leader();
    another_checkpoint(cluster, job);
    kill_task_manager(cluster, &tasks(&first)[0]);
    let second = runs_again(cluster, job, 2, 2);
    another_checkpoint(cluster, job);
    until("all TaskManagers are there again", || {
        cluster.pids("task-manager").len() == 3
    });
    cluster.ask(&["job", "rescale", job, "3"]).assert_code(0);
    runs_again(cluster, job, attempt(&second) + 1, 3);
    another_checkpoint(cluster, job);
    cluster.ask(&["job", "stop", job]).assert_code(0);
    cluster.job(job, "is suspended", |view| view["state"] == "suspended");
    cluster.ask(&["job", "resume", job]).assert_code(0);
    cluster.job(job, "has finished", |view| view["state"] == "finished");
}

#[test]
fn the_counting_job_in_python_comes_out_right_whatever_is_killed() {
    if !python() {
        return;
    }
    let cluster = cluster();
    let dir = cluster.place.path("count");
    let env = [
        ("DIRECTORY", dir.display().to_string()),
        ("RECORDS", "12000".to_owned()),
        ("RATE", "800".to_owned()),
    ];
    let job = run(&cluster, &example("count.toml"), &env);
    tell_the_story(&cluster, "count");
    let output = dir.join(job["id"].as_str().unwrap());
    counting_task::assert_right(&dir.join("input-12000-100-1.ndjson"), &output);
    // People can ask as well.
    let mut check = Command::new("python3");
    check
        .args(["-B", &example("counter"), "--directory"])
        .arg(&dir);
    check.args(["--records", "12000", "--check"]).arg(&output);
    let done = finished(check).assert_code(0);
    assert!(
        done.out.contains("12000 of 12000 records, 0 keys differ"),
        "{}",
        done.out
    );
}

#[test]
fn the_counting_job_in_rust_comes_out_right_whatever_is_killed() {
    let cluster = cluster();
    let counting = Counting::new(cluster.place.path("count"), 12_000);
    run(&cluster, &counting.job_file("count", 2, 800, INTERVAL), &[]);
    tell_the_story(&cluster, "count");
    counting.assert_right();
}

#[test]
fn an_input_that_is_shorter_than_an_interval_comes_out_once() {
    let cluster = Cluster::new();
    for records in [0, 10] {
        let name = format!("short-{records}");
        let counting = Counting::new(cluster.place.path(&name), records);
        let often = "[checkpoints]\ninterval = \"1h\"";
        run(&cluster, &counting.job_file(&name, 2, 0, often), &[]);
        cluster.job(&name, "has finished", |view| view["state"] == "finished");
        counting.assert_right();
    }
}

#[test]
fn the_job_in_one_file_knows_after_a_kill_what_it_had_stored_and_answers() {
    if !python() {
        return;
    }
    let cluster = cluster();
    run(&cluster, &example("visits.toml"), &[]);
    let first = runs_again(&cluster, "visits", 1, 2);
    until("visits are counted", || visits(&cluster) > 0);
    // All of these are in a checkpoint that begins later.
    let stored = visits(&cluster);
    another_checkpoint(&cluster, "visits");
    another_checkpoint(&cluster, "visits");
    kill_task_manager(&cluster, &tasks(&first)[0]);
    runs_again(&cluster, "visits", 2, 2);
    until("the tasks answer again", || visits(&cluster) >= stored);
    cluster
        .ask(&["job", "rescale", "visits", "3"])
        .assert_code(0);
    runs_again(&cluster, "visits", 3, 3);
    until("three ranks have it all", || visits(&cluster) >= stored);
    let one = cluster.ask(&["job", "state", "visits", "pages", "/page/7"]);
    assert_eq!(one.assert_code(0).json()["key"], "/page/7");
}

/// What the ranks have counted together; 0 while they do not all answer.
fn visits(cluster: &Cluster) -> u64 {
    let asked = cluster.ask(&["job", "state", "visits", "pages"]);
    // Each entry is a line.
    let entries = asked.out.lines().map(serde_json::from_str::<Value>);
    match entries.collect::<Result<Vec<_>, _>>() {
        Ok(entries) if asked.code == Some(0) => entries
            .iter()
            .filter_map(|entry| entry["value"].as_u64())
            .sum(),
        _ => 0,
    }
}

#[test]
fn a_training_goes_on_from_its_last_checkpoint() {
    if !python() {
        return;
    }
    let cluster = cluster();
    let env = [("STEPS", "120".to_owned()), ("PAUSE", "0.05".to_owned())];
    run(&cluster, &example("torchrun.toml"), &env);
    let first = cluster.running("train", 1);
    another_checkpoint(&cluster, "train");
    kill_task_manager(&cluster, &tasks(&first)[1]);
    let ended = cluster.job("train", "has finished", |view| view["state"] == "finished");
    assert!(attempt(&ended) > 1, "{ended}");
    let log = cluster
        .ask(&["job", "logs", "train", "--rank", "0"])
        .assert_code(0)
        .out;
    assert!(log.contains("step 120: y = 3.00 x + 2.00"), "{log}");
}

#[test]
fn a_web_service_on_several_ranks_is_reached_through_any_node() {
    if !python() {
        return;
    }
    let cluster = cluster();
    let job = run(&cluster, &example("web.toml"), &[]);
    cluster.running("web", 1);
    let nodes = cluster.nodes();
    assert_eq!(nodes.len(), 6, "{nodes:?}");
    for node in &nodes {
        let address = node["address"].as_str().unwrap();
        for rank in 0..3 {
            let id = job["id"].as_str().unwrap();
            let path = format!("/v1/jobs/{id}/tasks/{rank}/http/");
            // It runs before it listens.
            let page = eventually("the page is served", || {
                let host = format!("host: {address}");
                let answer = raw(address, "GET", &path, &[&host], "")?;
                (answer.status == 200).then_some(answer.body)
            });
            assert_eq!(page.trim(), format!("rank {rank}, attempt 1"));
        }
    }
}

#[test]
fn bytewax_goes_on_from_its_own_recovery_store() {
    let Some(library) = bytewax() else { return };
    let cluster = cluster();
    let dir = cluster.place.path("words");
    let env = [
        ("WORDS", dir.display().to_string()),
        ("PYTHONPATH", library.display().to_string()),
        ("LINES", "300".to_owned()),
        ("PAUSE", "0.02".to_owned()),
    ];
    run(&cluster, &example("bytewax.toml"), &env);
    let first = cluster.running("bytewax", 1);
    let written = |count: usize| until("words are counted", || words(&dir).len() > count);
    written(50);
    // One of its processes.
    kill(pid_of(&tasks(&first)[1]), Signal::KILL);
    let second = runs_again(&cluster, "bytewax", 2, 2);
    written(150);
    // And a machine.
    kill_task_manager(&cluster, &tasks(&second)[0]);
    cluster.job("bytewax", "has finished", |view| {
        view["state"] == "finished"
    });
    let mut expected: Vec<_> = Vec::new();
    let mut counts = std::collections::BTreeMap::new();
    for file in ["0.txt", "1.txt"] {
        for word in fs::read_to_string(dir.join("input").join(file))
            .unwrap()
            .lines()
        {
            let count = counts.entry(word.to_owned()).or_insert(0);
            *count += 1;
            expected.push(format!("{word} {count}"));
        }
    }
    let mut found = words(&dir);
    expected.sort();
    found.sort();
    assert_eq!(found, expected);
}

fn pid_of(task: &Value) -> i32 {
    super::running::pid(task)
}

/// All lines of Bytewax's output.
fn words(dir: &Path) -> Vec<String> {
    let parts = ["part_0", "part_1"].map(|part| dir.join("output").join(part));
    let text = parts
        .iter()
        .map(|part| fs::read_to_string(part).unwrap_or_default());
    text.collect::<String>()
        .lines()
        .map(str::to_owned)
        .collect()
}

#[test]
fn a_directory_is_an_artifact_of_one_file() {
    if !python() {
        return;
    }
    let cluster = Cluster::new();
    let dir = cluster.place.path("program");
    fs::create_dir(&dir).unwrap();
    fs::write(dir.join("__main__.py"), "import other\nprint(other.WORD)\n").unwrap();
    fs::write(dir.join("other.py"), "WORD = 'packed'\n").unwrap();
    let file = cluster.place.path("packed.toml");
    let text =
        "name = \"packed\"\nartifact = \"./program\"\ncommand = [\"python3\", \"{artifact}\"]\n";
    fs::write(&file, text).unwrap();
    let done = cluster.ask(&["job", "run", "--wait", file.to_str().unwrap()]);
    done.assert_code(0);
    let view = cluster.show("packed");
    assert_eq!(view["spec"]["artifact"]["name"], json!("program.zip"));
    let log = cluster.ask(&["job", "logs", "packed"]).assert_code(0).out;
    assert!(log.contains("packed"), "{log}");
}
