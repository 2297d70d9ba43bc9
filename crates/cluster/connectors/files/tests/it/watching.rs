//! Files that appear while a source is read.

use std::time::Duration;

use incumbent_stream::{Reader, Sink, Writer};
use incumbent_stream_files::{FileSet, Files};

use crate::stores::Store;
use crate::{HANGS, Reading, Row, ndjson, rows, woken, write};

const EVERY: Duration = Duration::from_millis(20);

#[test]
fn new_files_are_found_and_wake_the_worker() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "a", ndjson(&rows(0..10)));
    let files = Files::ndjson::<Row>(dir.path().to_str().unwrap()).watch(EVERY);
    let mut reading = Reading::open(&files, 0, 1).unwrap();
    reading.step().unwrap();
    assert_eq!(reading.records.len(), 10);
    for file in 1..5 {
        write(dir.path(), ".b", ndjson(&rows(file * 10..(file + 1) * 10)));
        let name = dir.path().join(format!("b{file}"));
        std::fs::rename(dir.path().join(".b"), name).unwrap();
        // It waits for the file.
        while reading.records.len() < (file as usize + 1) * 10 {
            reading.step().unwrap();
        }
        assert_eq!(reading.records, rows(0..(file + 1) * 10));
        assert!(!reading.is_complete);
    }
}

#[test]
fn new_objects_are_found_and_wake_the_worker() {
    let store = Store::double();
    let make = Files::ndjson::<Row> as fn(String) -> FileSet<Row>;
    let (at, _) = woken(0, 1);
    let mut writer = Sink::open(&store.files(make), &at, Vec::new()).unwrap();
    let mut reading = Reading::open(&store.files(make).watch(EVERY), 0, 1).unwrap();
    for number in 1..4 {
        writer.write(rows(number..number + 1)).unwrap();
        Writer::<Row>::stage(&mut writer, number).unwrap();
        Writer::<Row>::commit(&mut writer, number).unwrap();
        while reading.records.len() < number as usize {
            reading.step().unwrap();
        }
    }
    assert_eq!(reading.records, rows(1..4));
}

#[test]
fn a_directory_that_goes_away_ends_the_attempt() {
    let dir = tempfile::tempdir().unwrap();
    let files = Files::ndjson::<Row>(dir.path().to_str().unwrap()).watch(EVERY);
    let mut reading = Reading::open(&files, 0, 1).unwrap();
    reading.discover().unwrap();
    dir.close().unwrap();
    reading.wakes.recv_timeout(HANGS).unwrap();
    let error = reading.reader.discover().unwrap_err();
    assert!(error.to_string().contains("cannot list"), "{error}");
}
