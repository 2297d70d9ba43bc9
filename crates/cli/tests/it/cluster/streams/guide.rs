//! What docs/guide/streams.md promises of its thirty lines: on a cluster of two tasks and more,
//! kill -9 of every kind of process, state that is shown, another number of tasks, another build.
//!
//! The program is that of the guide, but for where it writes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use incumbent_stream::{Generator, Job, Timestamp, Tumbling};
use incumbent_stream_files::Files;
use rustix::process::Signal;
use serde_json::Value;

use super::super::running::{Cluster, get, gone, pid, task_pids, tasks};
use super::clicks;
use super::job::assert_lines;
use crate::harness::{Place, finished, kill, parent, until};

/// Where it writes.
const DIR: &str = "CLICKS_DIR";

/// If it is set, this is the second build.
const SECOND: &str = "CLICKS_SECOND";

const TEST: &str = "cluster::streams::guide::the_program_of_the_guide";

/// What differs between the guide and this program.
const CHANGES: [(&str, &str); 4] = [
    ("\nfn clicks(", "\npub(super) fn clicks("),
    ("\"/tmp/clicks/counts\"", "super::guide::path(\"counts\")"),
    (
        "\"/tmp/clicks/thousands\"",
        "super::guide::path(\"thousands\")",
    ),
    ("\nfn main(", "\npub(super) fn main("),
];

/// What the guide's program reads.
const RECORDS: u64 = 300_000;
const PAGES: u64 = 97;

/// Where it writes this.
pub(super) fn path(sink: &str) -> String {
    let dir = std::env::var(DIR).expect("it is only called in the program");
    format!("{dir}/{sink}")
}

/// The first block of code of the guide in this language.
pub(super) fn block(language: &str) -> String {
    let guide = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/guide/streams.md");
    let guide = std::fs::read_to_string(guide).unwrap();
    let (_, block) = guide.split_once(&format!("```{language}\n")).unwrap();
    let (block, _) = block.split_once("```").unwrap();
    block.to_owned()
}

#[test]
fn the_program_of_these_tests_is_that_of_the_guide() {
    let mut expected = block("rust");
    for (there, here) in CHANGES {
        assert_eq!(expected.matches(there).count(), 1, "{there:?}");
        expected = expected.replace(there, here);
    }
    assert_eq!(include_str!("clicks.rs"), expected);
}

/// The second build: another operator with state, another sink, and no rate. What the first one has
/// kept means the same.
fn second_build(job: &Job<'_>) {
    let click = |n: u64| (format!("/page/{}", n % PAGES), n.cast_signed());
    let clicks = job
        .source("clicks", Generator::new(click).records(RECORDS))
        .event_time(|(_, time)| Timestamp::millis(*time), Duration::from_secs(1))
        .key_by(|(page, _)| page.clone());
    clicks
        .window("per-second", Tumbling::seconds(1))
        .count()
        .sink("counts", Files::ndjson(path("counts")));
    clicks
        .window("per-minute", Tumbling::minutes(1))
        .count()
        .map(|minute| minute.value)
        .sink("minutes", Files::ndjson(path("minutes")));
    clicks
        .state("totals", |page, _, total: &mut u64, out| {
            *total += 1;
            out.give((page.clone(), *total));
        })
        .filter(|(_, total)| total % 1000 == 0)
        .sink("thousands", Files::ndjson(path("thousands")));
}

/// A program that is submitted.
pub(super) struct Program {
    /// Where it is submitted, which its name may be relative to.
    pub(super) from: PathBuf,
    /// Its name, and its arguments.
    pub(super) command: Vec<String>,
    /// `NAME=VALUE`.
    pub(super) env: Vec<String>,
}

/// A cluster with the guide's job.
pub(super) struct Story {
    pub(super) cluster: Cluster,
    /// Where the job writes.
    dir: PathBuf,
}

impl Story {
    /// The job writes below this directory, or in the cluster's own if it is relative.
    pub(super) fn new(dir: &str) -> Self {
        let cluster = Cluster::with(Place::new(), &["--task-managers", "3"]);
        let dir = cluster.place.path(dir);
        Self { cluster, dir }
    }

    /// `incumbent job run FLAGS -- PROGRAM`.
    fn run(&self, flags: &[&str], program: &Program) {
        let mut command = self.cluster.incumbent(&["job", "run"]);
        command.args(flags).current_dir(&program.from);
        for variable in &program.env {
            command.args(["--env", variable]);
        }
        command.arg("--").args(&program.command);
        finished(command).assert_code(0);
    }

    /// Waits until so many tasks run, in a later attempt than this.
    #[track_caller]
    fn running_after(&self, attempt: u64, count: usize) -> Value {
        self.cluster.job("clicks", "runs again", |view| {
            view["state"] == "running"
                && view["attempt"].as_u64() > Some(attempt)
                && tasks(view).len() == count
                && tasks(view).iter().all(|task| task["state"] == "running")
        })
    }

    /// Waits until the job has got further than it is.
    #[track_caller]
    fn goes_on(&self) {
        let number = |view: &Value| view["checkpoint"]["number"].as_u64().unwrap_or(0);
        let present = number(&self.cluster.show("clicks"));
        let what = "has a later checkpoint";
        self.cluster
            .job("clicks", what, |view| number(view) > present);
    }

    /// Kills a process of the job with -9, and waits until the job has begun again.
    #[track_caller]
    fn kill_and_go_on(&self, which: impl FnOnce(&Value) -> i32) {
        let view = self.cluster.show("clicks");
        kill(which(&view), Signal::KILL);
        self.running_after(view["attempt"].as_u64().unwrap(), tasks(&view).len());
        gone("the tasks before", &task_pids(&view));
        self.goes_on();
    }

    /// All totals, as `job state` shows them: of each page, or of those that were seen.
    fn totals(&self, as_of: &str) -> BTreeMap<String, u64> {
        let flags = ["--as-of", as_of, "--limit", "1000"];
        let ask = [&["job", "state", "clicks", "totals"], &flags[..]].concat();
        let mut shown = None;
        until("the state is shown", || {
            let done = self.cluster.ask(&ask);
            // While an attempt begins, nobody can answer.
            shown = (done.code == Some(0)).then_some(done.out);
            shown.is_some()
        });
        let lines = shown.as_deref().unwrap().lines();
        let entry = |line: &str| {
            let entry: Value = serde_json::from_str(line).unwrap();
            let page = entry["key"].as_str().unwrap().to_owned();
            (page, entry["value"].as_u64().unwrap())
        };
        lines.map(entry).collect()
    }

    /// The total of one page.
    fn total(&self, page: &str, as_of: &str) -> u64 {
        let ask = ["job", "state", "clicks", "totals", page, "--as-of", as_of];
        let mut total = None;
        until("the total is shown", || {
            let done = self.cluster.ask(&ask);
            total = (done.code == Some(0)).then(|| done.json()["value"].as_u64().unwrap());
            total.is_some()
        });
        total.unwrap()
    }

    /// Which checkpoint state is shown of that is asked for as of a checkpoint.
    fn shown_checkpoint(&self) -> u64 {
        let path = "/v1/jobs/clicks/state?as-of=checkpoint";
        let shown = get(&self.cluster.url, path).unwrap();
        shown["checkpoint"]
            .as_u64()
            .unwrap_or_else(|| panic!("{shown}"))
    }

    fn output(&self, sink: &str) -> PathBuf {
        self.dir.join(sink)
    }
}

#[test]
fn the_guides_job_outlives_everything_is_shown_rescaled_and_goes_on_in_another_build() {
    let story = Story::new("clicks");
    let program = |more: Option<String>| {
        let exe = std::env::current_exe().unwrap().display().to_string();
        let arguments = [TEST, "--exact", "--nocapture"].map(str::to_owned);
        let dir = format!("{DIR}={}", story.dir.display());
        Program {
            from: story.cluster.place.path(""),
            command: [exe].into_iter().chain(arguments).collect(),
            env: [dir].into_iter().chain(more).collect(),
        }
    };
    tell(&story, &program(None), || {
        program(Some(format!("{SECOND}=1")))
    });
}

/// What the guide promises, of a program and of its second build, which is made when the first one
/// has stopped.
pub(super) fn tell(story: &Story, program: &Program, second: impl FnOnce() -> Program) {
    story.run(&["--name", "clicks", "--tasks", "2"], program);
    story.running_after(0, 2);
    story.goes_on();

    // Its state is shown while it runs.
    let before = story.total("/page/7", "live");
    let checkpoint = story.total("/page/7", "checkpoint");
    until("the total grows", || {
        story.total("/page/7", "live") > before
    });
    assert!(checkpoint > 0);

    // Every process in turn.
    story.kill_and_go_on(|view| story.cluster.node_of(&tasks(view)[0]));
    story.kill_and_go_on(|view| pid(&tasks(view)[1]));
    story.kill_and_go_on(|view| parent(pid(&tasks(view)[0])));
    let leader = story.cluster.leader();
    let attempt = story.cluster.show("clicks")["attempt"].clone();
    kill(leader, Signal::KILL);
    story.cluster.leader_after(leader);
    story.goes_on();
    assert_eq!(story.cluster.show("clicks")["attempt"], attempt);

    // Three tasks.
    until("all TaskManagers are there again", || {
        story.cluster.pids("task-manager").len() == 3
    });
    let attempt = attempt.as_u64().unwrap();
    let rescale = ["job", "rescale", "clicks", "3"];
    story.cluster.ask(&rescale).assert_code(0);
    story.running_after(attempt, 3);
    story.goes_on();
    until("all pages are shown", || {
        story.totals("live").len() as u64 == PAGES
    });

    // It stops with a savepoint, and its state is shown while nothing runs, as it is then.
    let before = story.shown_checkpoint();
    story.cluster.ask(&["job", "stop", "clicks"]).assert_code(0);
    let shown = story.shown_checkpoint();
    let stopped = story.cluster.show("clicks");
    assert_eq!(stopped["checkpoint"]["number"], shown, "{stopped:#}");
    assert!(shown > before);
    let stopped = story.totals("checkpoint");
    let done: u64 = stopped.values().sum();
    assert!(done < RECORDS, "there is something left to do");

    // The new build does the rest.
    let restore = ["--name", "clicks-2", "--restore", "clicks", "--tasks", "3"];
    story.run(&restore, &second());
    let ended = story.cluster.job("clicks-2", "has ended", |view| {
        matches!(view["state"].as_str(), Some("finished" | "failed"))
    });
    assert_eq!(ended["state"], "finished", "{ended:#}");
    assert_lines("counts", &story.output("counts"), &counts());
    assert_lines("thousands", &story.output("thousands"), &thousands());
    assert_eq!(numbers(&story.output("minutes")), RECORDS - done);
}

/// How often each page comes in each second, by a plain loop.
fn counts() -> Vec<String> {
    let mut counts = BTreeMap::new();
    for n in 0..RECORDS {
        *counts.entry((n % PAGES, n / 1000)).or_insert(0) += 1;
    }
    let line = |((page, second), n): ((u64, u64), u64)| {
        let (start, end) = (second * 1000, second * 1000 + 1000);
        format!(
            "{{\"key\":\"/page/{page}\",\"window\":{{\"start\":{start},\"end\":{end}}},\"value\":{n}}}"
        )
    };
    let mut lines: Vec<_> = counts.into_iter().map(line).collect();
    lines.sort();
    lines
}

fn thousands() -> Vec<String> {
    let total = |page: u64| (0..RECORDS).filter(|n| n % PAGES == page).count();
    let of_page = |page: u64| {
        let thousands = (1000..=total(page)).step_by(1000);
        thousands.map(move |thousand| format!("[\"/page/{page}\",{thousand}]"))
    };
    let mut lines: Vec<_> = (0..PAGES).flat_map(of_page).collect();
    lines.sort();
    lines
}

/// The sum of what a sink has written: a number a line.
fn numbers(dir: &Path) -> u64 {
    let lines = super::job::lines(dir);
    lines
        .iter()
        .map(|(line, _)| line.parse::<u64>().unwrap())
        .sum()
}

/// Not a test, but the program of a task, if it is started as one.
#[test]
fn the_program_of_the_guide() {
    if std::env::var_os(DIR).is_none() {
        return;
    }
    let code = match std::env::var_os(SECOND) {
        None => clicks::main(),
        Some(_) => incumbent_stream::run(second_build),
    };
    super::job::exit(code)
}
