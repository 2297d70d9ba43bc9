//! The counting job of `examples/jobs`, and whether its output is right.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::counting_task;
use super::storm::Storm;
use crate::harness::Place;

/// How many records a job reads, and how many each task reads a second: half a minute in calm
/// weather.
const RECORDS: u64 = 60_000;
const RATE: u64 = 2_000;

const KEYS: u64 = 50;

/// One run of the job, with an input and an output of its own.
pub(super) struct Counting {
    name: String,
    dir: PathBuf,
}

impl Counting {
    pub(super) fn new(place: &Place, round: usize) -> Self {
        let name = format!("count-{round}");
        let dir = place.path(&name);
        fs::create_dir(&dir).unwrap();
        Self { name, dir }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Submits it with four tasks, and returns its id.
    pub(super) fn submit(&self, storm: &mut Storm) -> String {
        let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let path = |name: &str| top.join(name).canonicalize().unwrap().display().to_string();
        let own = |name: &str| self.dir.join(name).display().to_string();
        let text = |word: String| format!("{word:?}");
        let mut command = vec!["python3".to_owned(), path("examples/jobs/counter")];
        for (name, value) in [
            ("--input", own("input.ndjson")),
            ("--output", own("output")),
            ("--records", RECORDS.to_string()),
            ("--keys", KEYS.to_string()),
            ("--seed", storm.draw(1_000_000).to_string()),
            ("--rate", RATE.to_string()),
        ] {
            command.extend([name.to_owned(), value]);
        }
        let file = format!(
            "name = \"{}\"\ntasks = 4\nfenced = true\ncommand = [{}]\n\
             [checkpoints]\ninterval = \"400ms\"\ntimeout = \"20s\"\n\
             [restart]\nstrategy = \"fixed-delay\"\ndelay = \"100ms\"\nattempts = 1000000\n",
            self.name,
            command.into_iter().map(text).collect::<Vec<_>>().join(", "),
        );
        let toml = self.dir.join("job.toml");
        fs::write(&toml, file).unwrap();
        let run = storm.ask(&["job", "run", toml.to_str().unwrap()]);
        let job: Value = run.assert_code(0).json();
        job["id"].as_str().unwrap().to_owned()
    }

    /// The output is the reference: nothing is missing and nothing is there twice.
    #[track_caller]
    pub(super) fn assert_right(&self, view: &Value) {
        eprintln!("{} in attempt {}", self.name, view["attempt"]);
        counting_task::assert_right(&self.dir.join("input.ndjson"), &self.dir.join("output"));
    }
}
