//! Disks that are full or read-only: in a mount namespace, which ends with the process.

use std::path::{Path, PathBuf};
use std::process::Command;

use incumbent_cluster_blobs::{Blobs, Digest, Error};
use incumbent_cluster_core::checkpoint::{CheckpointId, PartKind, PartPlace, StoredFile};

use crate::{OURS, content, files, pieces, task};

/// Where the small disk is, in the process that has one.
const DISK: &str = "INCUMBENT_TEST_DISK";

/// Runs the test of this name once more, with a small disk. `None` in that process: the disk.
fn on_a_small_disk(test: &str) -> Option<PathBuf> {
    if let Some(disk) = std::env::var_os(DISK) {
        return Some(disk.into());
    }
    let dir = tempfile::tempdir().unwrap();
    let mount = "mount -t tmpfs -o size=256k,mode=755 none \"$1\" || exit 77; export INCUMBENT_TEST_DISK=\"$1\"; \
                 exec \"$2\" --exact \"$3\" --nocapture --test-threads 1";
    // With the rights of root, or in a namespace where we are root.
    for flags in ["-m", "-rm"] {
        let mut unshare = Command::new("unshare");
        unshare
            .args([flags, "sh", "-c", mount, "sh"])
            .arg(dir.path());
        let ran = unshare
            .arg(std::env::current_exe().unwrap())
            .arg(test)
            .output();
        let Ok(ran) = ran else { break };
        let said = String::from_utf8_lossy(&ran.stdout).into_owned()
            + &String::from_utf8_lossy(&ran.stderr);
        if ran.status.success() {
            assert!(
                said.contains("1 passed"),
                "the test has another name: {said}"
            );
            return None;
        }
        if ran.status.code() == Some(101) {
            panic!("on the small disk:\n{said}");
        }
    }
    eprintln!(
        "SKIPPED: no file system can be mounted here; to run {test}, be root or allow user namespaces"
    );
    None
}

fn fill(disk: &Path) {
    let filling = std::fs::write(disk.join("filling"), vec![0; 1 << 20]);
    assert_eq!(filling.unwrap_err().kind(), std::io::ErrorKind::StorageFull);
}

async fn put(blobs: &Blobs, content: &[u8]) -> Result<StoredFile, Error> {
    let task = task(1, 1, 1, 1);
    let checkpoint = CheckpointId {
        job: task.job,
        incarnation: task.incarnation,
        attempt: task.attempt,
        number: 7,
        savepoint: None,
    };
    let place = PartPlace {
        checkpoint,
        rank: task.rank,
        kind: PartKind::Numbered,
    };
    blobs
        .put_checkpoint_file(place, "state", pieces(content, 1000))
        .await
}

#[tokio::test]
async fn a_full_disk_is_told_and_nothing_half_written_stays() {
    let Some(disk) = on_a_small_disk("disk::a_full_disk_is_told_and_nothing_half_written_stays")
    else {
        return;
    };
    let blobs = Blobs::open(&format!("file://{}/blobs", disk.display()))
        .await
        .unwrap();
    blobs.belongs_to(OURS).await.unwrap();
    let kept = blobs.put_artifact(pieces(b"kept", 2), None).await.unwrap();
    let before = files(&disk);

    // Full in the middle of an upload.
    let large = content(3 << 20);
    let refused = blobs
        .put_artifact(pieces(&large, 1000), None)
        .await
        .unwrap_err();
    assert!(matches!(refused, Error::Full { .. }), "{refused:?}");
    assert!(
        refused
            .to_string()
            .contains("are full: storing an artifact failed"),
        "{refused}"
    );
    assert!(refused.is_outage());
    assert!(!blobs.has_artifact(Digest::of(&large)).await.unwrap());
    while files(&disk) != before {
        tokio::task::yield_now().await;
    }

    // Also in the middle of a file of a checkpoint, large or small.
    for length in [3 << 20, 300 << 10] {
        let refused = put(&blobs, &large[..length]).await.unwrap_err();
        assert!(matches!(refused, Error::Full { .. }), "{refused:?}");
        while files(&disk) != before {
            tokio::task::yield_now().await;
        }
    }

    // Full before anything is written.
    fill(&disk);
    let tail = content(100_000);
    for refused in [
        blobs.check().await.unwrap_err(),
        put(&blobs, &tail).await.unwrap_err(),
        blobs
            .put_log_tail(task(1, 1, 1, 1), "stdout", tail.clone().into())
            .await
            .unwrap_err(),
        blobs
            .put_archived_job(
                task(1, 1, 1, 1).job,
                task(1, 1, 1, 1).incarnation,
                tail.into(),
            )
            .await
            .unwrap_err(),
    ] {
        assert!(matches!(refused, Error::Full { .. }), "{refused:?}");
    }
    // What is there can be read, and fetching to a full disk is no fault of the blobs.
    let elsewhere = tempfile::tempdir().unwrap();
    blobs
        .fetch_artifact(kept.digest, &elsewhere.path().join("kept"))
        .await
        .unwrap();
    let refused = blobs
        .fetch_artifact(kept.digest, &disk.join("kept"))
        .await
        .unwrap_err();
    assert!(matches!(refused, Error::Target { .. }), "{refused:?}");

    std::fs::remove_file(disk.join("filling")).unwrap();
    blobs.check().await.unwrap();
    assert_eq!(files(&disk), before);
}

#[tokio::test]
async fn a_disk_that_became_read_only_is_denied() {
    let Some(disk) = on_a_small_disk("disk::a_disk_that_became_read_only_is_denied") else {
        return;
    };
    let url = format!("file://{}/blobs", disk.display());
    let blobs = Blobs::open(&url).await.unwrap();
    blobs.belongs_to(OURS).await.unwrap();
    let kept = blobs.put_artifact(pieces(b"kept", 2), None).await.unwrap();
    let mounted = Command::new("mount")
        .args(["-o", "remount,ro"])
        .arg(&disk)
        .status()
        .unwrap();
    assert!(mounted.success());
    for refused in [
        blobs.check().await.unwrap_err(),
        blobs
            .put_artifact(pieces(b"other", 2), None)
            .await
            .unwrap_err(),
        blobs
            .put_log_tail(task(1, 1, 1, 1), "stdout", "x".into())
            .await
            .unwrap_err(),
        Blobs::open(&format!("file://{}/new", disk.display()))
            .await
            .unwrap_err(),
    ] {
        assert!(matches!(refused, Error::Denied { .. }), "{refused:?}");
        assert!(
            refused.to_string().contains("closed to this process"),
            "{refused}"
        );
    }
    let elsewhere = tempfile::tempdir().unwrap();
    blobs
        .fetch_artifact(kept.digest, &elsewhere.path().join("kept"))
        .await
        .unwrap();
}

#[tokio::test]
async fn a_directory_of_another_user_is_denied() {
    let test = "disk::a_directory_of_another_user_is_denied";
    if rustix::process::geteuid().is_root() {
        // Root may write everywhere: so once more as somebody else, who may run this program.
        let mut other = Command::new("setpriv");
        other.args(["--reuid=65534", "--regid=65534", "--clear-groups"]);
        other
            .arg(std::env::current_exe().unwrap())
            .args(["--exact", test, "--nocapture"]);
        match other.output() {
            Ok(ran) if ran.status.success() => {}
            Ok(ran) if ran.status.code() == Some(101) => {
                panic!("as another user:\n{}", String::from_utf8_lossy(&ran.stdout))
            }
            _ => eprintln!(
                "SKIPPED: nobody else can run this program; to run {test}, be another user"
            ),
        }
        return;
    }
    // The first cannot be looked at, the second cannot be made.
    for url in ["file:///root/blobs", "file:///incumbent-blobs"] {
        let denied = Blobs::open(url).await.unwrap_err();
        assert!(matches!(denied, Error::Denied { .. }), "{denied:?}");
        assert!(
            denied.to_string().contains("closed to this process"),
            "{denied}"
        );
    }
    // It can be looked at and not be written.
    let blobs = Blobs::open("file:///usr").await.unwrap();
    let denied = blobs.check().await.unwrap_err();
    assert!(matches!(denied, Error::Denied { .. }), "{denied:?}");
}
