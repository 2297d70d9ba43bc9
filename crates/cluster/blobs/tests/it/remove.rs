//! Removing the files of a job.

use incumbent_cluster_blobs::{Blobs, Error, Removed};

use crate::{Dir, OURS, task};

#[tokio::test]
async fn exactly_one_incarnation_of_one_job_is_removed() {
    let dir = Dir::new().await;
    let blobs = &dir.blobs;
    let gone = task(1, 1, 1, 0);
    let kept = [task(1, 2, 1, 0), task(2, 1, 1, 0), task(0x10, 1, 1, 0)];
    let artifact = blobs
        .put_artifact(crate::pieces(b"shared", 3), None)
        .await
        .unwrap();
    for task in kept.into_iter().chain([gone, crate::task(1, 1, 2, 5)]) {
        blobs
            .put_log_tail(task, "stdout", "12345".into())
            .await
            .unwrap();
    }
    for task in kept.into_iter().chain([gone]) {
        blobs
            .put_archived_job(task.job, task.incarnation, "{}".into())
            .await
            .unwrap();
    }
    let before = dir.files().len();

    let removed = blobs.remove_job(gone.job, gone.incarnation).await.unwrap();
    assert_eq!(
        removed,
        Removed {
            files: 3,
            bytes: 12,
            left: 0,
            more: false,
        }
    );
    assert_eq!(dir.files().len(), before - 3);
    for task in kept {
        blobs.log_tail(task, "stdout").await.unwrap();
        blobs.archived_job(task.job).await.unwrap();
    }
    assert!(blobs.has_artifact(artifact.digest).await.unwrap());
    // Its directory went with it.
    let parent = dir.path("jobs").join(gone.job.to_string());
    assert!(!parent.join(gone.incarnation.to_string()).exists());
    assert!(parent.exists(), "the other incarnation's");
    // Once more is harmless.
    let removed = blobs.remove_job(gone.job, gone.incarnation).await.unwrap();
    assert_eq!(removed, Removed::default());
}

#[tokio::test]
async fn what_nobody_knows_is_never_deleted() {
    let dir = Dir::new().await;
    let task = task(1, 1, 1, 0);
    dir.blobs
        .put_log_tail(task, "stdout", "12345".into())
        .await
        .unwrap();
    let job = format!("jobs/{}/{}", task.job, task.incarnation);
    let foreign = [
        "notes.txt".to_owned(),
        "jobs/readme".to_owned(),
        format!("jobs/{}/readme", task.job),
        format!("{job}/readme"),
        format!("{job}/checkpoints/1/manifest"),
        format!("{job}/logs/1/0/stdout.bak"),
    ];
    for name in &foreign {
        let path = dir.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, "mine").unwrap();
    }
    let removed = dir
        .blobs
        .remove_job(task.job, task.incarnation)
        .await
        .unwrap();
    assert_eq!(
        removed,
        Removed {
            files: 1,
            bytes: 5,
            left: 3,
            more: false,
        }
    );
    let mut left = foreign.to_vec();
    left.push("cluster.json".to_owned());
    left.sort();
    assert_eq!(dir.files(), left);
}

#[tokio::test]
async fn nothing_is_removed_from_the_blobs_of_another_cluster() {
    let dir = Dir::new().await;
    let task = task(1, 1, 1, 0);
    dir.blobs
        .put_log_tail(task, "stdout", "12345".into())
        .await
        .unwrap();
    // The directory was given to another cluster while this one ran.
    let file = dir.path("cluster.json");
    let theirs = std::fs::read_to_string(&file)
        .unwrap()
        .replace(OURS, "another");
    std::fs::write(&file, theirs).unwrap();
    let refused = dir
        .blobs
        .remove_job(task.job, task.incarnation)
        .await
        .unwrap_err();
    assert!(matches!(refused, Error::NotOurs { .. }), "{refused:?}");
    dir.blobs.log_tail(task, "stdout").await.unwrap();

    let unclaimed = Blobs::open("memory:").await.unwrap();
    let refused = unclaimed
        .remove_job(task.job, task.incarnation)
        .await
        .unwrap_err();
    assert!(matches!(refused, Error::NotOurs { .. }), "{refused:?}");
}

#[tokio::test]
async fn many_files_are_removed_in_pieces_so_that_a_leader_can_look_whether_it_leads() {
    let dir = Dir::new().await;
    let task = task(1, 1, 1, 0);
    let logs = dir.path(&format!("jobs/{}/{}/logs/1", task.job, task.incarnation));
    for rank in 0..1001 {
        std::fs::create_dir_all(logs.join(rank.to_string())).unwrap();
        std::fs::write(logs.join(format!("{rank}/stdout")), "1").unwrap();
    }
    let remove = || dir.blobs.remove_job(task.job, task.incarnation);
    let first = remove().await.unwrap();
    assert_eq!((first.files, first.more), (1000, true));
    let second = remove().await.unwrap();
    assert_eq!((second.files, second.more), (1, false));
}
