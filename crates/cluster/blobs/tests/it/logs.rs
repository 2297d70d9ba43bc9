//! Log tails.

use incumbent_cluster_blobs::{Blobs, Error, LogTail, MAX_LOG_TAIL, Written};
use incumbent_cluster_core::{Attempt, Incarnation, Rank};

use crate::{Dir, task};

pub(crate) async fn tails_are_kept_and_listed(blobs: &Blobs) {
    for (attempt, rank) in [(1, 0), (1, 1), (2, 0), (2, 10), (2, 9), (10, 0)] {
        for stream in ["stdout", "stderr"] {
            let tail = format!("{attempt} {rank} {stream}");
            let task = task(1, 1, attempt, rank);
            assert_eq!(
                blobs.put_log_tail(task, stream, tail.into()).await.unwrap(),
                Written::New
            );
        }
    }
    let one = task(1, 1, 2, 10);
    assert_eq!(blobs.log_tail(one, "stderr").await.unwrap(), "2 10 stderr");
    let attempts = blobs
        .attempts_with_log_tails(one.job, one.incarnation)
        .await
        .unwrap();
    assert_eq!(attempts, [Attempt(1), Attempt(2), Attempt(10)]);
    let page = blobs
        .log_tails(one.job, one.incarnation, Attempt(2))
        .await
        .unwrap();
    assert!(!page.more);
    let ranks: Vec<_> = page.entries.iter().map(|tail| tail.rank.0).collect();
    assert_eq!(ranks, [0, 0, 9, 9, 10, 10]);
    let last = LogTail {
        rank: Rank(10),
        stream: "stdout".to_owned(),
        size: 11,
    };
    assert_eq!(page.entries.last(), Some(&last));
    // Another incarnation of the id has none of them.
    let other = Incarnation::new(2);
    assert!(
        blobs
            .attempts_with_log_tails(one.job, other)
            .await
            .unwrap()
            .is_empty()
    );
    assert!(
        blobs
            .log_tails(one.job, other, Attempt(2))
            .await
            .unwrap()
            .entries
            .is_empty()
    );
}

#[tokio::test]
async fn a_tail_is_never_overwritten() {
    let dir = Dir::new().await;
    let task = task(1, 1, 1, 0);
    assert_eq!(
        dir.blobs
            .put_log_tail(task, "stdout", "first".into())
            .await
            .unwrap(),
        Written::New
    );
    assert_eq!(
        dir.blobs
            .put_log_tail(task, "stdout", "late".into())
            .await
            .unwrap(),
        Written::Already
    );
    assert_eq!(dir.blobs.log_tail(task, "stdout").await.unwrap(), "first");
    // An empty one is one, too.
    dir.blobs
        .put_log_tail(task, "stderr", "".into())
        .await
        .unwrap();
    assert_eq!(dir.blobs.log_tail(task, "stderr").await.unwrap(), "");
}

#[tokio::test]
async fn a_tail_has_a_limit() {
    let dir = Dir::new().await;
    let task = task(1, 1, 1, 0);
    let tail = vec![b'x'; MAX_LOG_TAIL + 1];
    let refused = dir
        .blobs
        .put_log_tail(task, "stdout", tail.into())
        .await
        .unwrap_err();
    assert!(matches!(refused, Error::TooLarge { .. }), "{refused:?}");
    dir.blobs
        .put_log_tail(task, "stdout", vec![b'x'; MAX_LOG_TAIL].into())
        .await
        .unwrap();
    // Nor does a file that somebody has put there fill the memory.
    let foreign = dir
        .path("jobs")
        .join(task.job.to_string())
        .join(task.incarnation.to_string());
    std::fs::write(
        foreign.join("logs/1/0/stderr"),
        vec![b'x'; MAX_LOG_TAIL + 1],
    )
    .unwrap();
    let refused = dir.blobs.log_tail(task, "stderr").await.unwrap_err();
    assert!(matches!(refused, Error::TooLarge { .. }), "{refused:?}");
}

#[tokio::test]
async fn a_stream_must_not_lead_elsewhere() {
    let dir = Dir::new().await;
    let task = task(1, 1, 1, 0);
    for bad in ["../../../../../../cluster", "a/b", "..", "", "stdout#1"] {
        let refused = dir
            .blobs
            .put_log_tail(task, bad, "x".into())
            .await
            .unwrap_err();
        assert!(matches!(refused, Error::Name { .. }), "{refused:?}");
        let refused = dir.blobs.log_tail(task, bad).await.unwrap_err();
        assert!(matches!(refused, Error::Name { .. }), "{refused:?}");
    }
    assert_eq!(dir.files(), ["cluster.json"]);
}
