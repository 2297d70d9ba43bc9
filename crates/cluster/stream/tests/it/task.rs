//! As a task, by the task contract.

use crate::gang::Gang;
use crate::job::{LENGTH, SPLITS, all_once, allow, published};

#[test]
fn a_finite_job_stores_its_last_files_publishes_and_stops() {
    for tasks in [1, 2] {
        let dir = tempfile::tempdir().unwrap();
        allow(dir.path(), LENGTH);
        let mut gang = Gang::start(dir.path(), 1, tasks, None);
        gang.finish();
        assert!(published(dir.path()).is_empty(), "nothing is committed");
        gang.commit(1);
        gang.stop();
        for (code, said) in gang.ended() {
            assert_eq!(code, Some(0), "{said}");
        }
        assert_eq!(published(dir.path()), all_once());
    }
}

#[test]
fn a_killed_attempt_goes_on_from_its_checkpoint_with_another_number_of_tasks() {
    let dir = tempfile::tempdir().unwrap();
    allow(dir.path(), 30);
    let mut gang = Gang::start(dir.path(), 1, 2, None);
    let first = gang.checkpoint(1);
    gang.commit(1);
    allow(dir.path(), 70);
    // Read and not in a checkpoint: the next attempt reads it again.
    gang.kill();

    let mut gang = Gang::start(dir.path(), 2, 3, Some((1, &first)));
    let second = gang.checkpoint(2);
    gang.kill();

    allow(dir.path(), LENGTH);
    let mut gang = Gang::start(dir.path(), 3, 1, Some((2, &second)));
    gang.finish();
    gang.commit(3);
    gang.stop();
    for (code, said) in gang.ended() {
        assert_eq!(code, Some(0), "{said}");
    }
    assert_eq!(published(dir.path()), all_once());
}

#[test]
fn a_stop_in_the_middle_publishes_what_is_committed_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    allow(dir.path(), 30);
    let mut gang = Gang::start(dir.path(), 1, 2, None);
    let files = gang.checkpoint(1);
    allow(dir.path(), 60);
    gang.commit(1);
    gang.stop();
    for (code, said) in gang.ended() {
        assert_eq!(code, Some(0), "{said}");
    }
    let staged: usize = files.iter().map(staged_lines).sum();
    assert_eq!(published(dir.path()).values().sum::<u64>(), staged as u64);
}

#[test]
fn a_sink_has_one_file_in_a_checkpoint_however_many_pieces_it_has_staged() {
    let dir = tempfile::tempdir().unwrap();
    allow(dir.path(), LENGTH);
    let pieces = |_| "pieces";
    let mut gang = Gang::with_fault(dir.path(), 1, 2, None, &pieces);
    let files = gang.finish();
    gang.kill();
    let staged: usize = files.iter().map(staged_lines).sum();
    assert_eq!(staged as u64, SPLITS * LENGTH, "each is a piece");
    for files in &files {
        let of_sinks = files.keys().filter(|name| name.starts_with("sink-"));
        assert_eq!(of_sinks.collect::<Vec<_>>(), ["sink-lines"]);
    }
    // All pieces are found again.
    let mut gang = Gang::with_fault(dir.path(), 2, 3, Some((1, &files)), &pieces);
    gang.finish();
    gang.commit(2);
    gang.stop();
    for (code, said) in gang.ended() {
        assert_eq!(code, Some(0), "{said}");
    }
    assert_eq!(published(dir.path()), all_once());
}

fn staged_lines(files: &std::collections::BTreeMap<String, Vec<u8>>) -> usize {
    let sinks = files.iter().filter(|(name, _)| name.starts_with("sink-"));
    sinks
        .map(|(_, bytes)| bytes.iter().filter(|byte| **byte == b'\n').count())
        .sum()
}
