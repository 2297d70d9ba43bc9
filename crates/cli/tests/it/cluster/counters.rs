//! A job that counts with checkpoints, and what comes out of it.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::running::Cluster;
use crate::harness::Place;

/// The program of its tasks.
const PROGRAM: &str = include_str!("counters.py");

/// How many counters there are.
const COUNTERS: u64 = 8;

/// How a counting job is started.
pub(super) struct Counting<'a> {
    pub(super) name: &'a str,
    pub(super) tasks: u32,
    /// Each counter goes up to this.
    pub(super) limit: u64,
    /// The pause between two steps of all counters, in seconds.
    pub(super) pace: &'a str,
    /// More flags of `job run`.
    pub(super) flags: &'a [&'a str],
}

impl Default for Counting<'_> {
    /// As good as endless, in two tasks, with a checkpoint each 200 ms.
    fn default() -> Self {
        Self {
            name: "count",
            tasks: 2,
            limit: 1_000_000,
            pace: "0.01",
            flags: &[],
        }
    }
}

impl Counting<'_> {
    /// The arguments of `incumbent` that start it, with further flags of `job run`.
    pub(super) fn args(&self, cluster: &Cluster) -> Vec<String> {
        let program = cluster.place.path("counters.py");
        std::fs::write(&program, PROGRAM).unwrap();
        let sdk = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sdk/python");
        let mut args: Vec<String> = ["job", "run", "--fenced", "--checkpoint-interval", "200ms"]
            .map(str::to_owned)
            .into();
        for (flag, value) in [
            ("--name", self.name.to_owned()),
            ("--tasks", self.tasks.to_string()),
            ("--env", format!("SDK={}", sdk.display())),
            ("--env", format!("LIMIT={}", self.limit)),
            ("--env", format!("PACE={}", self.pace)),
            ("--env", format!("OUTPUT={}", output(cluster).display())),
        ] {
            args.extend([flag.to_owned(), value]);
        }
        args.extend(self.flags.iter().map(|flag| (*flag).to_owned()));
        args.extend([
            "--".to_owned(),
            python().expect("the cluster was made with it"),
            program.display().to_string(),
        ]);
        args
    }

    /// Submits it.
    pub(super) fn run(&self, cluster: &Cluster) -> Value {
        let args = self.args(cluster);
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        cluster.ask(&args).assert_code(0).json()
    }
}

/// If set, a missing program is a failure and not a skipped test.
const REQUIRED: &str = "INCUMBENT_REQUIRE_FOREIGN";

/// A cluster with two TaskManagers of two slots, and flags for `up`. `None` if there is no Python:
/// the test is then skipped, aloud.
pub(super) fn cluster(flags: &[&str]) -> Option<Cluster> {
    if python().is_some() {
        return Some(Cluster::with(Place::new(), flags));
    }
    assert!(
        std::env::var_os(REQUIRED).is_none(),
        "{REQUIRED} is set, and there is no python3"
    );
    // Not `eprintln!`: the output of a test that passes is not shown.
    let _ = writeln!(std::io::stderr(), "SKIPPED: there is no python3");
    None
}

/// The interpreter itself: what is on the path may be a script that needs the user's home.
fn python() -> Option<String> {
    let mut command = Command::new("python3");
    command.args(["-c", "import sys; print(sys.executable)"]);
    let found = command
        .output()
        .ok()
        .filter(|found| found.status.success())?;
    Some(String::from_utf8(found.stdout).unwrap().trim().to_owned())
}

fn output(cluster: &Cluster) -> PathBuf {
    cluster.place.path("output")
}

/// What a job has published: the numbers of each counter, in order.
pub(super) fn published(cluster: &Cluster, job: &str) -> BTreeMap<u64, Vec<u64>> {
    let mut numbers: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
    let dir = output(cluster).join(job);
    for entry in std::fs::read_dir(dir).into_iter().flatten() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if name.starts_with('.') {
            continue;
        }
        // It may be taken away meanwhile: never, once it is published.
        for line in std::fs::read_to_string(&path).unwrap().lines() {
            let (counter, number) = line.split_once(' ').unwrap();
            let all = numbers.entry(counter.parse().unwrap()).or_default();
            all.push(number.parse().unwrap());
        }
    }
    numbers.values_mut().for_each(|all| all.sort_unstable());
    numbers
}

/// Asserts that each counter went from 1 to this, and each number is there once.
#[track_caller]
pub(super) fn assert_counted(cluster: &Cluster, job: &str, limit: u64) {
    let found = published(cluster, job);
    assert_eq!(found.len() as u64, COUNTERS, "{:?}", found.keys());
    for (counter, numbers) in found {
        let expected: Vec<u64> = (1..=limit).collect();
        let first = numbers
            .iter()
            .zip(&expected)
            .find(|(is, should)| is != should);
        let (is, should) = (numbers.len(), expected.len());
        assert!(
            first.is_none() && is == should,
            "counter {counter}: {is} of {should}: {first:?}"
        );
    }
}

impl Cluster {
    /// Waits until the job has a completed checkpoint of at least this number.
    #[track_caller]
    pub(super) fn checkpointed(&self, job: &str, number: u64) -> Value {
        self.job(job, &format!("has checkpoint {number}"), |view| {
            view["checkpoint"]["number"].as_u64() >= Some(number)
        })
    }

    /// Waits until the job has a checkpoint that this attempt has made.
    #[track_caller]
    pub(super) fn checkpointed_in(&self, job: &str, attempt: u64) -> Value {
        self.job(
            job,
            &format!("has a checkpoint of attempt {attempt}"),
            |view| view["checkpoint"]["attempt"].as_u64() == Some(attempt),
        )
    }

    #[track_caller]
    pub(super) fn finished(&self, job: &str) -> Value {
        self.job(job, "has finished", |view| view["state"] == "finished")
    }
}
