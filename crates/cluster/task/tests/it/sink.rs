//! Output appears whole and once, by whatever attempt.

use std::fs;
use std::io::Write;
use std::path::Path;

use incumbent_task::{FileSink, SinkError, Staged};
use tempfile::TempDir;

use crate::fake::Fake;

fn sink(dir: &Path, attempt: u64, rank: u32, tasks: u32) -> FileSink {
    let task = Fake::of(&attempt.to_string(), rank, tasks).task();
    FileSink::new(&task, dir, "out").unwrap()
}

fn staged(sink: &mut FileSink, text: &str, number: u64) -> Vec<Staged> {
    sink.write_all(text.as_bytes()).unwrap();
    sink.stage(number).unwrap().to_vec()
}

/// What people see, and whether anything is hidden.
fn shown(dir: &Path) -> (Vec<(String, String)>, usize) {
    let entries = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let (hidden, shown): (Vec<_>, Vec<_>) = entries.partition(|path| name(path).starts_with('.'));
    let mut shown: Vec<_> = shown
        .iter()
        .map(|path| (name(path), fs::read_to_string(path).unwrap()))
        .collect();
    shown.sort();
    (shown, hidden.len())
}

fn name(path: &Path) -> String {
    path.file_name().unwrap().to_str().unwrap().to_owned()
}

fn file(name: &str, text: &str) -> (String, String) {
    (name.to_owned(), text.to_owned())
}

#[test]
fn output_appears_when_its_checkpoint_is_committed_and_not_before() {
    let dir = TempDir::new().unwrap();
    let mut sink = sink(dir.path(), 1, 0, 1);
    staged(&mut sink, "one", 1);
    assert_eq!(shown(dir.path()), (vec![], 1));
    sink.write_all(b"two").unwrap();
    sink.committed(1).unwrap();
    sink.committed(1).unwrap();
    assert_eq!(shown(dir.path()), (vec![file("part-out-0-1", "one")], 1));
    // Nothing was written for it: nothing is published.
    sink.stage(2).unwrap();
    assert!(sink.stage(3).unwrap().len() == 1);
    sink.committed(3).unwrap();
    let two = file("part-out-0-2", "two");
    assert_eq!(
        shown(dir.path()),
        (vec![file("part-out-0-1", "one"), two], 0)
    );
}

#[test]
fn what_was_staged_for_a_skipped_checkpoint_belongs_to_the_next_one() {
    let dir = TempDir::new().unwrap();
    let mut sink = sink(dir.path(), 1, 0, 1);
    staged(&mut sink, "one", 1);
    assert_eq!(staged(&mut sink, "two", 2).len(), 2);
    sink.committed(2).unwrap();
    let both = vec![file("part-out-0-1", "one"), file("part-out-0-2", "two")];
    assert_eq!(shown(dir.path()), (both, 0));
}

#[test]
fn the_last_output_waits_for_a_checkpoint_that_it_counts_in() {
    let dir = TempDir::new().unwrap();
    let mut sink = sink(dir.path(), 1, 0, 1);
    staged(&mut sink, "one", 1);
    sink.write_all(b"end").unwrap();
    sink.stage_last().unwrap();
    // It was acknowledged before the end was staged.
    sink.committed(1).unwrap();
    assert_eq!(shown(dir.path()), (vec![file("part-out-0-1", "one")], 1));
    sink.committed(2).unwrap();
    let end = file("part-out-0-last-11111111-1", "end");
    assert_eq!(
        shown(dir.path()),
        (vec![file("part-out-0-1", "one"), end], 0)
    );
}

#[test]
fn a_job_that_goes_on_from_another_one_has_an_end_of_its_own() {
    let dir = TempDir::new().unwrap();
    for job in ["1", "2"] {
        let task = Fake::of_job(&job.repeat(32), "1", 0, 1).task();
        let mut sink = FileSink::new(&task, dir.path(), "out").unwrap();
        sink.write_all(job.as_bytes()).unwrap();
        sink.stage_last().unwrap();
        sink.committed(1).unwrap();
    }
    let both = vec![
        file("part-out-0-last-11111111-1", "1"),
        file("part-out-0-last-22222222-1", "2"),
    ];
    assert_eq!(shown(dir.path()), (both, 0));
}

#[test]
fn another_attempt_with_another_number_of_ranks_publishes_what_was_promised() {
    let dir = TempDir::new().unwrap();
    let mut promised = Vec::new();
    for rank in 0..3 {
        promised.extend(staged(&mut sink(dir.path(), 1, rank, 3), "x", 5));
    }
    // After its checkpoint the first one goes on for a while, and is in no state.
    staged(&mut sink(dir.path(), 1, 3, 4), "lost", 6);
    // One of them has come to publishing before it died.
    fs::hard_link(
        dir.path().join(&promised[1].hidden),
        dir.path().join("part-out-1-5"),
    )
    .unwrap();
    for rank in [1, 0, 1, 0] {
        sink(dir.path(), 2, rank, 2).recover(&promised).unwrap();
    }
    let all = (0..3)
        .map(|rank| file(&format!("part-out-{rank}-5"), "x"))
        .collect();
    assert_eq!(shown(dir.path()), (all, 0));
}

#[test]
fn a_process_that_should_be_dead_changes_nothing() {
    let dir = TempDir::new().unwrap();
    let mut zombie = sink(dir.path(), 1, 0, 1);
    let promised = staged(&mut zombie, "one", 1);
    staged(&mut zombie, "two of the zombie", 2);
    let mut living = sink(dir.path(), 2, 0, 1);
    living.recover(&promised).unwrap();
    staged(&mut living, "two", 2);
    living.committed(2).unwrap();
    // It comes late with what it was told, and with what it goes on to write.
    zombie.committed(1).unwrap();
    staged(&mut zombie, "three of the zombie", 3);
    staged(&mut living, "three", 3);
    living.committed(3).unwrap();
    let all = vec![
        file("part-out-0-1", "one"),
        file("part-out-0-2", "two"),
        file("part-out-0-3", "three"),
    ];
    assert_eq!(shown(dir.path()).0, all);
}

#[test]
fn nothing_of_another_job_is_replaced() {
    let dir = TempDir::new().unwrap();
    fs::write(dir.path().join("part-out-0-1"), "of another job").unwrap();
    let mut sink = sink(dir.path(), 1, 0, 1);
    let promised = staged(&mut sink, "one", 1);
    let taken = sink.committed(1).unwrap_err();
    assert!(matches!(taken, SinkError::Taken { .. }), "{taken}");
    assert_eq!(
        shown(dir.path()).0,
        [file("part-out-0-1", "of another job")]
    );
    assert_eq!(promised.len(), 1);
}

#[test]
fn a_promise_that_cannot_be_kept_stops_the_task() {
    let dir = TempDir::new().unwrap();
    let promised = staged(&mut sink(dir.path(), 1, 0, 1), "one", 1);
    fs::remove_file(dir.path().join(&promised[0].hidden)).unwrap();
    let lost = sink(dir.path(), 2, 0, 1).recover(&promised).unwrap_err();
    assert!(matches!(lost, SinkError::Lost { .. }), "{lost}");
    // Of another job, which may have ended long ago, it was published and taken away.
    let other = Staged {
        job: "2".repeat(32),
        ..promised[0].clone()
    };
    sink(dir.path(), 2, 0, 1).recover(&[other]).unwrap();
}

#[test]
fn names_that_could_lead_elsewhere_are_refused() {
    let dir = TempDir::new().unwrap();
    let task = Fake::new().task();
    for name in ["", "a/b", "..", "a.b", "ä", &"x".repeat(65)] {
        let error = FileSink::new(&task, dir.path(), name).unwrap_err();
        assert!(matches!(error, SinkError::Name { .. }), "{error}");
    }
}
