//! Opening and checking.

use std::os::unix::fs::PermissionsExt;

use incumbent_cluster_blobs::{Blobs, Error};

use crate::{Dir, OURS, files};

#[tokio::test]
async fn a_missing_directory_is_made_for_this_user_only() {
    let dir = tempfile::tempdir().unwrap();
    let deep = dir.path().join("a/b");
    let blobs = crate::open(&deep).await;
    blobs.check().await.unwrap();
    let mode = std::fs::metadata(&deep).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
}

#[tokio::test]
async fn a_file_where_the_directory_should_be_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("file"), "").unwrap();
    for (below, answer) in [
        ("file", "it is not a directory"),
        ("file/blobs", "a part of the path"),
    ] {
        let url = format!("file://{}", dir.path().join(below).display());
        let refused = Blobs::open(&url).await.unwrap_err();
        assert!(matches!(refused, Error::Address { .. }), "{refused:?}");
        assert!(refused.to_string().contains(answer), "{refused}");
    }
}

#[tokio::test]
async fn a_check_leaves_nothing_behind() {
    let dir = Dir::new().await;
    for _ in 0..3 {
        dir.blobs.check().await.unwrap();
    }
    assert_eq!(dir.files(), ["cluster.json"]);
    Blobs::open("memory:").await.unwrap().check().await.unwrap();
}

#[tokio::test]
async fn a_directory_that_vanishes_is_an_outage_and_not_empty() {
    let dir = Dir::new().await;
    let stored = dir
        .blobs
        .put_artifact(crate::pieces(b"program", 3), None)
        .await
        .unwrap();
    let away = dir.dir.path().with_extension("away");
    std::fs::rename(dir.dir.path(), &away).unwrap();
    everything_is_unavailable(&dir.blobs, stored.digest).await;
    assert!(!dir.dir.path().exists(), "nothing was made in its place");

    // It comes back, and nothing has to be restarted.
    std::fs::rename(&away, dir.dir.path()).unwrap();
    dir.blobs.check().await.unwrap();
    assert!(dir.blobs.has_artifact(stored.digest).await.unwrap());
}

#[tokio::test]
async fn the_mount_point_of_a_volume_that_is_gone_is_not_written() {
    let dir = Dir::new().await;
    let stored = dir
        .blobs
        .put_artifact(crate::pieces(b"program", 3), None)
        .await
        .unwrap();
    let away = dir.dir.path().with_extension("away");
    std::fs::rename(dir.dir.path(), &away).unwrap();
    std::fs::create_dir(dir.dir.path()).unwrap();
    everything_is_unavailable(&dir.blobs, stored.digest).await;
    assert_eq!(dir.files(), [""; 0]);

    std::fs::remove_dir(dir.dir.path()).unwrap();
    std::fs::rename(&away, dir.dir.path()).unwrap();
    dir.blobs.belongs_to(OURS).await.unwrap();
    assert_eq!(files(dir.dir.path()).len(), 2);
}

async fn everything_is_unavailable(blobs: &Blobs, digest: incumbent_cluster_blobs::Digest) {
    let task = crate::task(1, 2, 3, 4);
    let (job, incarnation) = (task.job, task.incarnation);
    let target = tempfile::tempdir().unwrap();
    let to = target.path().join("program");
    for outage in [
        blobs.check().await.unwrap_err(),
        blobs.belongs_to(OURS).await.unwrap_err(),
        blobs
            .put_artifact(crate::pieces(b"other", 3), None)
            .await
            .unwrap_err(),
        blobs.has_artifact(digest).await.unwrap_err(),
        blobs.artifacts(None, 10).await.unwrap_err(),
        blobs.fetch_artifact(digest, &to).await.unwrap_err(),
        blobs
            .put_log_tail(task, "stdout", "tail".into())
            .await
            .unwrap_err(),
        blobs.log_tail(task, "stdout").await.unwrap_err(),
        blobs
            .log_tails(job, incarnation, task.attempt)
            .await
            .unwrap_err(),
        blobs
            .attempts_with_log_tails(job, incarnation)
            .await
            .unwrap_err(),
        blobs
            .put_archived_job(job, incarnation, "{}".into())
            .await
            .unwrap_err(),
        blobs.archived_job(job).await.unwrap_err(),
        blobs.archived_jobs(None, 10).await.unwrap_err(),
        blobs.remove_job(job, incarnation).await.unwrap_err(),
    ] {
        assert!(matches!(outage, Error::Unavailable { .. }), "{outage:?}");
        assert!(outage.is_outage());
        assert!(outage.to_string().contains("mount it again"), "{outage}");
    }
    assert_eq!(files(target.path()), [""; 0]);
}
