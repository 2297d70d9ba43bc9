//! A job that counts words of its own making, into a file that grows.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};

use incumbent_stream::{
    At, Batch, BoxError, Found, Job, Read, Reader, Sink, Source, Staged, Writer, run,
};
use serde_json::Value;

/// The splits of a source: each has this many numbers.
pub(crate) const SPLITS: u64 = 8;
pub(crate) const LENGTH: u64 = 100;

/// A directory that has what the job reads: `limit`, a number up to which sources read now.
const DIR: &str = "JOB_DIR";

/// What goes wrong: `panic` in the operator, `sink` in the sink, `names` in the description. With
/// `pieces`, nothing does, and the sink stages each record by itself.
const FAULT: &str = "JOB_FAULT";

/// The process of a job.
pub(crate) fn process(dir: &Path, fault: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args([
            "--exact",
            "job::runs",
            "--ignored",
            "--nocapture",
            "--test-threads=1",
        ])
        .env_clear()
        .env(DIR, dir)
        .env(FAULT, fault)
        .env("TMPDIR", dir)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// Its exit code and what it wrote to standard error.
pub(crate) fn ended(child: Child) -> (Option<i32>, String) {
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code(), said)
}

/// What is published: how often which number.
pub(crate) fn published(dir: &Path) -> BTreeMap<u64, u64> {
    let mut counts = BTreeMap::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|kind| kind == "published") {
            for line in std::fs::read_to_string(path).unwrap().lines() {
                *counts.entry(line.parse().unwrap()).or_insert(0) += 1;
            }
        }
    }
    counts
}

/// Every number once.
pub(crate) fn all_once() -> BTreeMap<u64, u64> {
    (0..SPLITS * LENGTH).map(|number| (number, 1)).collect()
}

/// Lets sources read so many numbers of each split.
pub(crate) fn allow(dir: &Path, limit: u64) {
    let new = dir.join("limit.new");
    std::fs::write(&new, limit.to_string()).unwrap();
    std::fs::rename(new, dir.join("limit")).unwrap();
}

#[test]
#[ignore = "it is the process of a job, which tests start"]
fn runs() {
    let Some(dir) = std::env::var_os(DIR) else {
        return;
    };
    let dir = PathBuf::from(dir);
    let fault = std::env::var(FAULT).unwrap();
    let code = run(move |job| describe(job, &dir, &fault));
    // The harness of tests is not to say more.
    std::process::exit(i32::from(code != ExitCode::SUCCESS));
}

fn describe(job: &Job<'_>, dir: &Path, fault: &str) {
    let panics = fault == "panic";
    let numbers = job.source(
        "numbers",
        Numbers {
            dir: dir.to_owned(),
        },
    );
    let seen = numbers.key_by(|number| *number).state(
        "seen",
        move |number: &u64, _: u64, count: &mut u64, out| {
            assert!(
                !(panics && *number == 5),
                "five is not a number for this job"
            );
            *count += 1;
            out.give(*number);
        },
    );
    let sink = Lines {
        dir: dir.to_owned(),
        fails: fault == "sink",
        is_in_pieces: fault == "pieces",
    };
    seen.sink("lines", sink);
    if fault == "names" {
        job.source(
            "numbers",
            Numbers {
                dir: dir.to_owned(),
            },
        );
    }
}

struct Numbers {
    dir: PathBuf,
}

struct NumbersReader {
    limit: PathBuf,
    at: BTreeMap<String, u64>,
}

impl Source for Numbers {
    type Record = u64;
    type Reader = NumbersReader;

    fn open(&self, _: &At, positions: BTreeMap<String, Value>) -> Result<NumbersReader, BoxError> {
        let at = positions.into_iter();
        Ok(NumbersReader {
            limit: self.dir.join("limit"),
            at: at
                .map(|(split, at)| (split, at.as_u64().unwrap()))
                .collect(),
        })
    }
}

impl Reader for NumbersReader {
    type Record = u64;

    fn discover(&mut self) -> Result<Found, BoxError> {
        Ok(Found {
            splits: (0..SPLITS).map(|split| split.to_string()).collect(),
            is_complete: true,
        })
    }

    fn read(&mut self, split: &str, batch: &mut Batch<u64>) -> Result<Read, BoxError> {
        let limit: u64 = std::fs::read_to_string(&self.limit)?.parse()?;
        let first = split.parse::<u64>()? * LENGTH;
        let at = self.at.entry(split.to_owned()).or_insert(0);
        if *at >= limit {
            return Ok(match *at >= LENGTH {
                true => Read::Ended,
                false => Read::Waiting,
            });
        }
        for number in *at..(*at + 10).min(limit) {
            batch.push(first + number, 8);
        }
        *at = (*at + 10).min(limit);
        Ok(Read::More)
    }

    fn position(&self, split: &str) -> Value {
        self.at.get(split).copied().unwrap_or(0).into()
    }
}

/// Appends to a file of this attempt and rank. What is staged is in the checkpoint.
struct Lines {
    dir: PathBuf,
    fails: bool,
    is_in_pieces: bool,
}

struct LinesWriter {
    at: At,
    dir: PathBuf,
    fails: bool,
    is_in_pieces: bool,
    open: String,
    staged: Vec<Staged>,
    count: u64,
}

impl Sink<u64> for Lines {
    type Writer = LinesWriter;

    fn open(&self, at: &At, staged: Vec<Staged>) -> Result<LinesWriter, BoxError> {
        let writer = LinesWriter {
            at: at.clone(),
            dir: self.dir.clone(),
            fails: self.fails,
            is_in_pieces: self.is_in_pieces,
            open: String::new(),
            staged: Vec::new(),
            count: 0,
        };
        for staged in staged.iter().filter(|staged| at.is_mine(&staged.name)) {
            writer.publish(staged)?;
        }
        Ok(writer)
    }
}

impl LinesWriter {
    /// The name is its own, so doing it again changes nothing.
    fn publish(&self, staged: &Staged) -> Result<(), BoxError> {
        let new = self
            .dir
            .join(format!("{}.{}.new", staged.name, self.at.rank));
        let mut file = OpenOptions::new()
            .create(true)
            .write(true)
            .truncate(true)
            .open(&new)?;
        file.write_all(staged.bytes.as_ref().unwrap())?;
        std::fs::rename(new, self.dir.join(format!("{}.published", staged.name)))?;
        Ok(())
    }

    fn promise(&mut self, from: u64) -> Vec<Staged> {
        let open = std::mem::take(&mut self.open);
        let pieces: Vec<&str> = match self.is_in_pieces {
            true => open.split_inclusive('\n').collect(),
            false => vec![&open],
        };
        for piece in pieces.into_iter().filter(|piece| !piece.is_empty()) {
            self.count += 1;
            let At { attempt, rank, .. } = self.at;
            self.staged.push(Staged {
                name: format!("{attempt}-{rank}-{}", self.count),
                from,
                note: Value::Null,
                bytes: Some(piece.as_bytes().into()),
            });
        }
        self.staged.clone()
    }
}

impl Writer<u64> for LinesWriter {
    fn write(&mut self, records: Vec<u64>) -> Result<(), BoxError> {
        if self.fails {
            return Err("no space is left on this pretended disk".into());
        }
        for record in records {
            self.open.push_str(&format!("{record}\n"));
        }
        Ok(())
    }

    fn stage(&mut self, number: u64) -> Result<Vec<Staged>, BoxError> {
        Ok(self.promise(number))
    }

    fn stage_last(&mut self) -> Result<Vec<Staged>, BoxError> {
        Ok(self.promise(0))
    }

    fn commit(&mut self, number: u64) -> Result<(), BoxError> {
        for staged in std::mem::take(&mut self.staged) {
            match staged.from <= number {
                true => self.publish(&staged)?,
                false => self.staged.push(staged),
            }
        }
        Ok(())
    }
}
