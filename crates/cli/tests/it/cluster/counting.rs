//! The counting job of `examples/jobs`, and whether its output is right.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

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
        let mut expected: BTreeMap<String, u64> = BTreeMap::new();
        let input = fs::read_to_string(self.dir.join("input.ndjson")).unwrap();
        for line in input.lines() {
            let record: Value = serde_json::from_str(line).unwrap();
            *expected
                .entry(record["key"].as_str().unwrap().to_owned())
                .or_default() += 1;
        }
        let (mut added, mut totals) = (BTreeMap::new(), BTreeMap::new());
        for entry in fs::read_dir(self.dir.join("output")).unwrap() {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            if name.starts_with('.') {
                continue;
            }
            for line in fs::read_to_string(entry.path()).unwrap().lines() {
                let line: Value = serde_json::from_str(line).unwrap();
                let key = line["key"].as_str().unwrap().to_owned();
                if let Some(total) = line["total"].as_u64() {
                    let before = totals.insert(key, total);
                    assert_eq!(before, None, "a total is there twice: {line} in {name}");
                } else {
                    *added.entry(key).or_default() += line["add"].as_u64().unwrap();
                }
            }
        }
        assert_eq!(totals, expected, "{view:#}");
        assert_eq!(added, expected, "{view:#}");
    }
}
