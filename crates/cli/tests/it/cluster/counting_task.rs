//! The counting job of `examples/jobs/count`, as a program for tests, and what it has to come to.
//!
//! Its program is this test program: it runs [`the_program_of_a_counting_task`] and nothing else.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

#[path = "../../../../../examples/jobs/count/input.rs"]
mod input;
#[path = "../../../../../examples/jobs/count/job.rs"]
mod job;
#[path = "../../../../../examples/jobs/count/state.rs"]
mod state;

/// The arguments of the program, separated by spaces.
const ARGUMENTS: &str = "COUNT_ARGUMENTS";

/// A counting job with a directory of its own.
pub(super) struct Counting {
    dir: PathBuf,
    records: u64,
}

impl Counting {
    pub(super) fn new(dir: PathBuf, records: u64) -> Self {
        input::make(&dir.join("input"), records, 50, 1).unwrap();
        Self { dir, records }
    }

    /// Writes a job file of this name. Each task reads so many records a second; 0 for all it can.
    pub(super) fn job_file(&self, name: &str, tasks: u32, rate: u64, more: &str) -> String {
        let program = std::env::current_exe().unwrap();
        let at = |name: &str| self.dir.join(name).display().to_string();
        let arguments = format!(
            "--input {} --output {} --rate {rate}",
            at("input"),
            at("output")
        );
        let file = at(&format!("{name}.toml"));
        let test = "cluster::counting_task::the_program_of_a_counting_task";
        let command = json!([program.to_str().unwrap(), test, "--exact", "--nocapture"]);
        let text = format!(
            "name = \"{name}\"\ntasks = {tasks}\ncommand = {command}\nfenced = true\n{more}\n\
             [env]\n{ARGUMENTS} = {}\n",
            json!(arguments)
        );
        fs::write(&file, text).unwrap();
        file
    }

    /// That nothing is missing in the output, and nothing is there twice.
    #[track_caller]
    pub(super) fn assert_right(&self) {
        assert_right(&self.dir.join("input"), &self.dir.join("output"));
        let reference = input::reference(&self.dir.join("input")).unwrap();
        assert_eq!(reference.values().sum::<u64>(), self.records);
    }
}

/// That the output of a counting job is what its input says.
#[track_caller]
pub(super) fn assert_right(input: &Path, output: &Path) {
    let reference = input::reference(input).unwrap();
    let (mut added, mut totals) = (BTreeMap::<String, u64>::new(), BTreeMap::new());
    for (file, line) in lines(output) {
        let key = line["key"].as_str().unwrap().to_owned();
        if file.starts_with("part-counts-") {
            *added.entry(key).or_default() += line["add"].as_u64().unwrap();
        } else {
            let total = line["total"].as_u64().unwrap();
            let other = totals.insert(key.clone(), total);
            assert_eq!(
                other, None,
                "the total of {key} is there twice, again in {file}"
            );
        }
    }
    assert_eq!(added, reference, "what was added between checkpoints");
    assert_eq!(totals, reference, "the totals at the end");
}

/// All published lines, with the names of their files.
fn lines(output: &Path) -> Vec<(String, Value)> {
    let mut lines = Vec::new();
    for entry in fs::read_dir(output).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if !name.starts_with("part-") {
            continue;
        }
        for line in fs::read_to_string(&path).unwrap().lines() {
            lines.push((name.clone(), serde_json::from_str(line).unwrap()));
        }
    }
    lines
}

/// Not a test, but the program of a task, if it is started as one.
#[test]
fn the_program_of_a_counting_task() {
    let Ok(arguments) = std::env::var(ARGUMENTS) else {
        return;
    };
    let arguments: Vec<_> = arguments.split(' ').map(str::to_owned).collect();
    let done = job::Options::parse(&arguments).and_then(|options| job::run(&options));
    if let Err(error) = &done {
        eprintln!("count: {error}");
    }
    std::process::exit(done.is_err().into());
}
