//! What callers see.

use std::io::Write;
use std::path::Path;

use incumbent_journal::{AppendError, Journal, OpenError, Options, SnapshotError};

use crate::{open, options};

fn dir() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

fn journal(dir: &Path) -> Journal {
    open(dir, options()).unwrap().0.journal
}

#[tokio::test]
async fn a_second_opener_is_refused_and_told_who_holds_it() {
    let dir = dir();
    let first = journal(dir.path());
    let told = open(dir.path(), options()).unwrap_err();
    let process = format!("process {} (", std::process::id());
    assert!(
        matches!(told, OpenError::Locked { .. }) && told.to_string().contains(&process),
        "{told}"
    );
    first.close().await.unwrap();
    journal(dir.path());
}

#[tokio::test]
async fn close_writes_what_was_appended_and_frees_the_directory() {
    let dir = dir();
    for round in 0..20 {
        let (found, _, entries) = open(dir.path(), options()).unwrap();
        assert_eq!(entries.len(), round * 10);
        for index in 1..=10 {
            found.journal.append(found.last + index, b"entry").unwrap();
        }
        found.journal.close().await.unwrap();
        assert!(matches!(
            found.journal.append(u64::MAX, b""),
            Err(AppendError::Closed)
        ));
        assert_eq!(found.journal.durable().borrow().index, found.last + 10);
    }
}

#[tokio::test]
async fn appends_are_refused_by_name_and_change_nothing() {
    let dir = dir();
    let journal = journal(dir.path());
    journal.append(5, b"five").unwrap();
    for index in [0, 4, 5] {
        assert!(matches!(
            journal.append(index, b""),
            Err(AppendError::NotRising { last: 5, .. })
        ));
    }
    let large = vec![0; options().buffer_bytes];
    assert!(matches!(
        journal.append(6, &large),
        Err(AppendError::TooLarge { .. })
    ));
    journal.append(6, &large[12..]).ok();
    journal.flush().await.unwrap();
    let mut index = 10;
    // The buffer is finite: a caller that appends faster than the disk writes gets an error.
    loop {
        match journal.append(index, &large[..20_000]) {
            Ok(()) => index += 1,
            Err(AppendError::Full { waiting, limit }) => break assert!(waiting <= limit),
            Err(error) => panic!("{error}"),
        }
    }
    journal.room().await.unwrap();
    assert!(journal.waiting() <= options().buffer_bytes / 2);
    journal.close().await.unwrap();
    let (_, _, entries) = open(dir.path(), options()).unwrap();
    assert_eq!(entries.last().unwrap().0, index - 1);
}

/// The state is the list of indexes, so that it can be compared.
fn state(last: u64) -> Vec<u8> {
    (1..=last).flat_map(u64::to_le_bytes).collect()
}

#[tokio::test]
async fn snapshots_and_the_log_after_them_are_the_state() {
    let dir = dir();
    let options = Options {
        snapshot_after_entries: 100,
        ..options()
    };
    let mut last = 0;
    for _ in 0..10 {
        let (found, snapshot, entries) = open(dir.path(), options.clone()).unwrap();
        let mut seen = Vec::new();
        let mut covered = 0;
        if let Some((index, bytes)) = snapshot {
            assert_eq!(bytes, state(index));
            covered = index;
            seen.extend(1..=index);
        }
        assert_eq!(found.replayed.entries, last - covered);
        seen.extend(entries.iter().map(|entry| entry.0));
        assert_eq!(seen, (1..=last).collect::<Vec<_>>());
        let journal = found.journal;
        for _ in 0..250 {
            last += 1;
            journal.append(last, &[7; 300]).unwrap();
            if journal.snapshot_due() {
                // Not before the log is durable, which it waits for.
                let task = journal
                    .snapshot(last, move |out| out.write_all(&state(last)))
                    .unwrap();
                let told = journal.snapshot(last, |_| Ok(()));
                assert!(matches!(
                    told,
                    Err(SnapshotError::Busy | SnapshotError::OutOfPlace { .. })
                ));
                task.done().await.unwrap();
                assert_eq!(journal.since_snapshot().entries, 0);
            }
            journal.room().await.unwrap();
        }
        journal.close().await.unwrap();
    }
    let names = || {
        std::fs::read_dir(dir.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
    };
    assert_eq!(
        names().filter(|name| name.starts_with("snapshot")).count(),
        2
    );
    assert!(names().all(|name| name != "log-0000000000000001"));
    assert!(names().count() < 9, "{:?}", names().collect::<Vec<_>>());
}

#[tokio::test]
async fn a_large_snapshot_is_read_as_it_was_written() {
    let dir = dir();
    let large: Vec<u8> = (0..20_000_000_u32).map(|at| (at % 251) as u8).collect();
    let journal = journal(dir.path());
    journal.append(1, b"").unwrap();
    let bytes = large.clone();
    let task = journal.snapshot(1, move |out| {
        bytes
            .chunks(999_983)
            .try_for_each(|chunk| out.write_all(chunk))
    });
    task.unwrap().done().await.unwrap();
    journal.close().await.unwrap();
    assert!(open(dir.path(), options()).unwrap().1.unwrap().1 == large);
}

#[tokio::test]
async fn a_snapshot_that_fails_changes_nothing_and_the_next_one_is_not_due_at_once() {
    let dir = dir();
    let journal = open(
        dir.path(),
        Options {
            snapshot_after_entries: 8,
            ..options()
        },
    )
    .unwrap()
    .0
    .journal;
    for index in 1..=8 {
        journal.append(index, b"").unwrap();
    }
    assert!(journal.snapshot_due());
    let failing = |out: &mut dyn Write| {
        out.write_all(b"half")?;
        Err(std::io::Error::other("no more"))
    };
    let told = journal.snapshot(8, failing).unwrap().done().await;
    assert!(matches!(told, Err(SnapshotError::Io { .. })), "{told:?}");
    assert!(!journal.snapshot_due());
    journal.append(9, b"").unwrap();
    assert!(journal.snapshot_due());
    let panicking = |_: &mut dyn Write| panic!("of the caller's");
    assert!(
        journal
            .snapshot(9, panicking)
            .unwrap()
            .done()
            .await
            .is_err()
    );
    for index in [0, 10] {
        let told = journal.snapshot(index, |_| Ok(()));
        assert!(matches!(
            told,
            Err(SnapshotError::OutOfPlace {
                newest: 0,
                last: 9,
                ..
            })
        ));
    }
    journal
        .snapshot(9, |_| Ok(()))
        .unwrap()
        .done()
        .await
        .unwrap();
    journal.close().await.unwrap();
    let (_, snapshot, entries) = open(dir.path(), options()).unwrap();
    assert_eq!((snapshot, entries), (Some((9, Vec::new())), Vec::new()));
}

#[tokio::test]
async fn a_snapshot_that_is_being_written_does_not_outlive_close() {
    let dir = dir();
    let journal = journal(dir.path());
    journal.append(1, b"").unwrap();
    let endless = |out: &mut dyn Write| loop {
        out.write_all(&[0; 4096])?;
    };
    let task = journal.snapshot(1, endless).unwrap();
    journal.close().await.unwrap();
    assert!(matches!(task.done().await, Err(SnapshotError::Closed)));
    let (_, snapshot, entries) = open(dir.path(), options()).unwrap();
    assert_eq!((snapshot, entries.len()), (None, 1));
}

#[test]
fn nonsense_is_refused() {
    let dir = dir();
    let nonsense = [
        Options {
            keep_snapshots: 0,
            ..options()
        },
        Options {
            segment_bytes: 100_000,
            ..options()
        },
        Options {
            buffer_bytes: 1 << 18,
            ..options()
        },
    ];
    for options in nonsense {
        assert!(matches!(
            open(dir.path(), options),
            Err(OpenError::Options(_))
        ));
    }
}

#[tokio::test]
async fn other_sizes_can_be_chosen_at_the_next_start() {
    let dir = dir();
    let mut last = 0;
    for shift in [20, 17, 22, 18] {
        let options = Options {
            segment_bytes: 1 << shift,
            buffer_bytes: 1 << (shift - 2),
            ..options()
        };
        let (found, _, entries) = open(dir.path(), options.clone()).unwrap();
        assert_eq!(entries.len() as u64, last);
        for _ in 0..8 {
            last += 1;
            found
                .journal
                .append(last, &vec![1; options.buffer_bytes - 12])
                .unwrap();
            found.journal.flush().await.unwrap();
        }
        found.journal.close().await.unwrap();
    }
}

#[tokio::test]
async fn a_directory_of_something_else_is_refused_by_name_and_left_alone() {
    for (names, refused, advice) in [
        (
            &["version-2", "myid"][..],
            "\"myid\"",
            "belongs to ZooKeeper",
        ),
        (&["version-2", "a"], "\"version-2\"", "belongs to ZooKeeper"),
        (&["photo.jpg"], "\"photo.jpg\"", "use an empty directory"),
        (&["log.1"], "\"log.1\"", "use an empty directory"),
        // Looks like a name of a journal's file, and is not one.
        (&["snapshot-1"], "\"snapshot-1\"", "use an empty directory"),
        (&["lost+found", "x"], "\"x\"", "use an empty directory"),
    ] {
        let dir = dir();
        for name in names {
            std::fs::create_dir(dir.path().join(name)).unwrap();
        }
        let told = open(dir.path(), options()).unwrap_err();
        assert!(matches!(told, OpenError::Foreign { .. }), "{told}");
        let text = told.to_string();
        assert!(text.contains(refused) && text.contains(advice), "{text}");
        assert!(text.contains(dir.path().to_str().unwrap()), "{text}");
        let left = std::fs::read_dir(dir.path()).unwrap().count();
        assert_eq!(left, names.len(), "{text}");
    }
}

#[tokio::test]
async fn entries_of_the_file_system_itself_are_let_pass() {
    let dir = dir();
    std::fs::create_dir(dir.path().join("lost+found")).unwrap();
    std::fs::write(dir.path().join("address"), "127.0.0.1:2181 7 1\n").unwrap();
    journal(dir.path()).close().await.unwrap();
    // The directory has a journal now, and other files beside it do no harm.
    std::fs::write(dir.path().join("notes.txt"), "moved the disk").unwrap();
    journal(dir.path()).close().await.unwrap();
}

#[tokio::test]
async fn syncs_are_counted_and_timed() {
    let dir = dir();
    let journal = journal(dir.path());
    assert_eq!(journal.syncs().count, 0);
    journal.append(1, b"one").unwrap();
    journal.wait_durable(1).await.unwrap();
    let syncs = journal.syncs();
    assert_eq!(syncs.count, 1);
    assert_eq!((syncs.shortest, syncs.longest), (syncs.total, syncs.total));
}
