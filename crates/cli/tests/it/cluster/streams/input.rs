//! What the job of these tests reads.

use std::fs;
use std::io::Write as _;
use std::ops::Range;
use std::path::Path;

use serde::{Deserialize, Serialize};

/// Something that a user did.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Record {
    pub(super) id: u64,
    pub(super) user: u64,
    /// In milliseconds, in order in each file.
    pub(super) time: i64,
}

const USERS: u64 = 40;

/// More than a job of these tests has tasks.
const FILES: u64 = 7;

/// Between two records, and after each thousand: sessions end there.
const STEP_MS: u64 = 20;
const PAUSE_MS: u64 = 5_000;

/// Writes so many records to files below a directory, the same ones for the same seed.
pub(super) fn write(dir: &Path, records: u64, seed: u64) {
    fs::create_dir_all(dir).unwrap();
    let file = |at: u64| fs::File::create(dir.join(format!("{at}.ndjson"))).unwrap();
    let mut files: Vec<_> = (0..FILES)
        .map(|at| std::io::BufWriter::new(file(at)))
        .collect();
    for id in 0..records {
        let (record, mixed) = record(id, seed);
        put(
            &mut files[usize::try_from((mixed >> 20) % FILES).unwrap()],
            &record,
        );
    }
    for mut file in files {
        file.flush().unwrap();
    }
}

/// Adds a file with these records to a directory, all at once: the job may be looking.
pub(super) fn add(dir: &Path, name: &str, ids: Range<u64>, seed: u64) {
    // Not in the directory, where it would be read.
    let coming = dir.with_extension("coming");
    let mut file = std::io::BufWriter::new(fs::File::create(&coming).unwrap());
    ids.for_each(|id| put(&mut file, &record(id, seed).0));
    file.flush().unwrap();
    fs::rename(&coming, dir.join(name)).unwrap();
}

/// A record, and the number that it is drawn from.
fn record(id: u64, seed: u64) -> (Record, u64) {
    let mixed = (id + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ seed.wrapping_mul(0xbf58_476d);
    let mixed = (mixed ^ (mixed >> 29)).wrapping_mul(0x94d0_49bb_1331_11eb);
    let record = Record {
        id,
        user: (mixed >> 33) % USERS,
        time: i64::try_from(id * STEP_MS + id / 1_000 * PAUSE_MS).unwrap(),
    };
    (record, mixed)
}

fn put(mut file: impl std::io::Write, record: &Record) {
    serde_json::to_writer(&mut file, record).unwrap();
    file.write_all(b"\n").unwrap();
}

/// All records below a directory.
pub(super) fn read(dir: &Path) -> Vec<Record> {
    let files = fs::read_dir(dir).unwrap();
    let texts = files.map(|file| fs::read_to_string(file.unwrap().path()).unwrap());
    let mut records = Vec::new();
    for text in texts {
        let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
        records.extend(lines);
    }
    records
}
