//! A full disk. It must be mounted, which only root may do; otherwise the test prints that it is
//! skipped.

use std::path::Path;
use std::process::Command;

use incumbent_journal::{AppendError, OpenError, Options, SnapshotError};

use crate::{open, options};

/// A small file system in memory, gone when this is dropped.
struct Mounted<'a>(&'a Path);

impl<'a> Mounted<'a> {
    #[expect(clippy::print_stderr, reason = "says that it is skipped")]
    fn new(dir: &'a Path) -> Option<Self> {
        let size = ["-t", "tmpfs", "-o", "size=1m", "none"];
        let mounted = run(Command::new("mount").args(size).arg(dir));
        if !mounted {
            eprintln!("SKIPPED: no file system can be mounted here");
        }
        mounted.then_some(Self(dir))
    }
}

impl Drop for Mounted<'_> {
    fn drop(&mut self) {
        run(Command::new("umount").arg("-l").arg(self.0));
    }
}

fn run(command: &mut Command) -> bool {
    command.output().is_ok_and(|output| output.status.success())
}

#[tokio::test]
async fn a_full_disk_fails_by_name_loses_nothing_and_goes_on_after_a_restart_with_room() {
    let dir = tempfile::tempdir().unwrap();
    let Some(_mounted) = Mounted::new(dir.path()) else {
        return;
    };
    let at = dir.path().join("journal");
    let journal = open(&at, options()).unwrap().0.journal;
    let mut last = 0;
    let failure = loop {
        last += 1;
        match journal.append(last, &[1; 5000]) {
            Ok(()) => {}
            Err(AppendError::Failed(failure)) => break failure,
            Err(error) => panic!("{error}"),
        }
        let _ = journal.flush().await;
        assert!(last < 10_000, "it was never full");
    };
    assert!(failure.is_disk_full(), "{failure:?}");
    assert!(failure.to_string().contains("journal/log-"), "{failure}");
    let durable = journal.durable().borrow().clone();
    assert!(durable.failure.is_some() && durable.index > 50);
    assert!(journal.wait_durable(durable.index + 1).await.is_err());
    assert!(journal.room().await.is_err());
    assert!(matches!(
        journal.snapshot(1, |_| Ok(())),
        Err(SnapshotError::Failed(_))
    ));
    assert!(journal.close().await.is_err());

    // Everything can be read, and what fits into the present segment can still be written.
    let (found, _, entries) = open(&at, options()).unwrap();
    assert_eq!(entries.len() as u64, durable.index);
    let roomy = found.journal;
    let told = roomy.snapshot(durable.index, |out| out.write_all(&vec![1; 1 << 20]));
    assert!(matches!(
        told.unwrap().done().await,
        Err(SnapshotError::Io { .. })
    ));
    // A small snapshot fits. After the next one, the beginning of the log is not needed any more
    // and is removed, so there is room again.
    let small = Options {
        keep_snapshots: 1,
        ..options()
    };
    roomy.close().await.unwrap();
    let (found, ..) = open(&at, small).unwrap();
    let task = found
        .journal
        .snapshot(durable.index, |out| out.write_all(b"all of it"));
    task.unwrap().done().await.unwrap();
    for index in durable.index + 1..durable.index + 60 {
        found.journal.append(index, &[1; 5000]).unwrap();
        found.journal.flush().await.unwrap();
    }
    found.journal.close().await.unwrap();
}

#[test]
fn a_disk_without_room_for_a_journal_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let Some(_mounted) = Mounted::new(dir.path()) else {
        return;
    };
    let large = Options {
        segment_bytes: 1 << 22,
        buffer_bytes: 1 << 21,
        ..options()
    };
    let told = open(&dir.path().join("journal"), large).unwrap_err();
    assert!(
        matches!(&told, OpenError::Io { source, .. } if source.kind() == std::io::ErrorKind::StorageFull),
        "{told:?}"
    );
    open(&dir.path().join("journal"), options()).unwrap();
}
