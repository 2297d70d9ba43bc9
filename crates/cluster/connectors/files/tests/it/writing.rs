//! Output appears once, whatever is cut off, in every kind of place.

use std::path::Path;

use incumbent_stream::{At, Sink, Staged, Writer};
use incumbent_stream_files::{FileSet, FileWriter, Files};

use crate::stores::Store;
use crate::{Row, rows, whole, woken};

type Make = fn(String) -> FileSet<Row>;

fn at(attempt: u64, rank: u32, tasks: u32) -> At {
    At {
        attempt,
        ..woken(rank, tasks).0
    }
}

fn open(store: &Store, make: Make, at: &At, staged: &[Staged]) -> FileWriter<Row> {
    Sink::open(&store.files(make), at, staged.to_vec()).unwrap()
}

/// Numbers that look random and are the same in each run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (self.0 >> 33) % sides
    }
}

/// A job that counts: what the record of the cluster has of it.
#[derive(Default)]
struct Committed {
    /// All rows below this are in the last checkpoint.
    count: u64,
    staged: Vec<Staged>,
}

/// Runs attempts that are cut off anywhere, with another number of tasks each. After each start,
/// exactly what is committed must be visible.
fn appears_once(store: &Store, make: Make, seed: u64) {
    let mut dice = Dice(seed);
    let mut committed = Committed::default();
    let mut number = 0;
    for attempt in 1..12 {
        let tasks = 1 + dice.roll(3) as u32;
        let ranks: Vec<_> = (0..tasks).map(|rank| at(attempt, rank, tasks)).collect();
        let mut writers: Vec<_> = ranks
            .iter()
            .map(|at| open(store, make, at, &committed.staged))
            .collect();
        assert!(
            store.records(make) == rows(0..committed.count),
            "attempt {attempt} of {seed}"
        );
        let mut count = committed.count;
        for _ in 0..dice.roll(5) {
            for writer in &mut writers {
                let more = dice.roll(4) * 3;
                writer.write(rows(count..count + more)).unwrap();
                count += more;
            }
            number += 1;
            let is_last = dice.roll(6) == 0;
            let mut staged = Vec::new();
            for writer in &mut writers {
                staged.extend(
                    match is_last {
                        true => Writer::<Row>::stage_last(writer),
                        false => Writer::<Row>::stage(writer, number),
                    }
                    .unwrap(),
                );
            }
            if is_last {
                // The last files count in the next checkpoint.
                number += 1;
            }
            // Aborted: what was staged belongs to the next one.
            if dice.roll(3) == 0 && !is_last {
                continue;
            }
            committed = Committed { count, staged };
            if dice.roll(3) == 0 {
                break;
            }
            for writer in &mut writers {
                Writer::<Row>::commit(writer, number).unwrap();
                Writer::<Row>::commit(writer, number).unwrap();
                if dice.roll(8) == 0 {
                    break;
                }
            }
            if is_last {
                break;
            }
        }
        // The end of the attempt: as a process that is killed, it says nothing.
        for writer in writers {
            std::mem::forget(writer);
        }
    }
    let last = at(100, 0, 1);
    drop(open(store, make, &last, &committed.staged));
    assert!(
        store.records(make) == rows(0..committed.count),
        "the end of {seed}"
    );
    assert!(committed.count > 0, "something was written");
}

#[test]
fn output_in_a_directory_appears_once() {
    for seed in 1..8 {
        appears_once(&Store::directory(), Files::ndjson, seed);
    }
    appears_once(&Store::directory(), Files::csv, 12);
    appears_once(&Store::directory(), Files::parquet, 13);
}

#[test]
fn output_in_a_bucket_appears_once() {
    for seed in 1..3 {
        appears_once(&Store::double(), Files::ndjson, seed);
    }
    appears_once(&Store::double(), Files::csv, 12);
    appears_once(&Store::double(), Files::parquet, 13);
}

#[test]
fn output_in_a_bucket_of_moto_appears_once() {
    let Some(store) = Store::moto() else { return };
    appears_once(&store, Files::ndjson, 1);
}

fn names(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir).unwrap();
    let name = |entry: std::io::Result<std::fs::DirEntry>| entry.unwrap().file_name();
    let mut names: Vec<_> = entries
        .map(|entry| name(entry).into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn nothing_is_visible_before_the_commit_and_litter_is_removed() {
    let store = Store::directory();
    let dir = Path::new(store.url.strip_prefix("file://").unwrap());
    let mut first = open(&store, Files::ndjson, &at(1, 0, 1), &[]);
    first.write(rows(0..5)).unwrap();
    let staged = Writer::<Row>::stage(&mut first, 7).unwrap();
    first.write(rows(5..9)).unwrap();
    std::mem::forget(first);
    assert_eq!(
        names(dir)
            .iter()
            .filter(|name| name.starts_with('.'))
            .count(),
        2
    );
    assert_eq!(store.records(Files::ndjson), []);

    // Of four ranks, one publishes it; rank 0 removes the rest.
    for rank in (0..4).rev() {
        open(&store, Files::ndjson, &at(2, rank, 4), &staged);
    }
    assert_eq!(names(dir), ["part-files-0-7.ndjson"]);
    assert_eq!(store.records(Files::ndjson), rows(0..5));
}

#[test]
fn the_last_files_are_not_published_with_a_number_that_was_committed_before() {
    for store in [Store::directory(), Store::double()] {
        let mut writer = open(&store, Files::ndjson, &at(1, 0, 1), &[]);
        Writer::<Row>::stage(&mut writer, 7).unwrap();
        writer.write(rows(0..5)).unwrap();
        Writer::<Row>::stage_last(&mut writer).unwrap();
        // It was said late, or again.
        Writer::<Row>::commit(&mut writer, 7).unwrap();
        assert_eq!(store.records(Files::ndjson), []);
        Writer::<Row>::commit(&mut writer, 8).unwrap();
        assert_eq!(store.records(Files::ndjson), rows(0..5));
    }
}

#[test]
fn a_local_run_does_not_mix_its_output_with_that_of_an_earlier_one() {
    for store in [Store::directory(), Store::double()] {
        let at = At {
            job: "local".to_owned(),
            ..at(1, 0, 1)
        };
        let mut writer = open(&store, Files::csv, &at, &[]);
        writer.write(rows(0..3)).unwrap();
        Writer::<Row>::stage_last(&mut writer).unwrap();
        Writer::<Row>::commit(&mut writer, 1).unwrap();
        assert_eq!(store.records(Files::csv), rows(0..3));
        let again = Sink::<Row>::open(&store.files(Files::csv), &at, Vec::new());
        let Err(error) = again else {
            panic!("it was opened")
        };
        assert!(error.to_string().contains("earlier run"), "{error}");
    }
}

#[test]
fn output_that_cannot_be_written_says_where() {
    let store = Store::directory();
    let files = Files::ndjson::<Row>(format!("{}/*.ndjson", store.url));
    let Err(error) = Sink::<Row>::open(&files, &at(1, 0, 1), Vec::new()) else {
        panic!("it was opened");
    };
    assert!(
        error.to_string().contains("leave the pattern out"),
        "{error}"
    );

    // A directory below what is a file.
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("file"), "").unwrap();
    let files = Files::ndjson::<Row>(format!("{}/file/below", dir.path().display()));
    let Err(error) = Sink::<Row>::open(&files, &at(1, 0, 1), Vec::new()) else {
        panic!("it was opened");
    };
    assert!(whole(&error).contains("file/below"), "{}", whole(&error));
}

#[test]
fn what_was_promised_and_is_gone_ends_the_attempt() {
    let store = Store::directory();
    let mut writer = open(&store, Files::ndjson, &at(1, 0, 1), &[]);
    writer.write(rows(0..5)).unwrap();
    let staged = Writer::<Row>::stage(&mut writer, 1).unwrap();
    let dir = Path::new(store.url.strip_prefix("file://").unwrap());
    for name in names(dir) {
        std::fs::remove_file(dir.join(name)).unwrap();
    }
    let opened = Sink::<Row>::open(&store.files(Files::ndjson), &at(2, 0, 1), staged);
    let Err(error) = opened else {
        panic!("it was opened")
    };
    assert!(
        error.to_string().contains("neither staged nor published"),
        "{error}"
    );
}
