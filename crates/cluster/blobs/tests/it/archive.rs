//! Jobs that ended long ago.

use incumbent_cluster_blobs::{Blobs, Error, MAX_ARCHIVED_JOB, Written};
use incumbent_cluster_core::{Incarnation, JobId};

use crate::Dir;

pub(crate) async fn archived_jobs_come_back(blobs: &Blobs) {
    for number in 0..25 {
        let (job, incarnation) = (JobId::new(number), Incarnation::new(7));
        let json = format!("{{\"number\":{number}}}");
        let written = blobs
            .put_archived_job(job, incarnation, json.into())
            .await
            .unwrap();
        assert_eq!(written, Written::New);
    }
    let found = blobs.archived_job(JobId::new(3)).await.unwrap();
    assert_eq!(found, [(Incarnation::new(7), "{\"number\":3}".into())]);

    let mut after = None;
    let mut seen = Vec::new();
    loop {
        let page = blobs.archived_jobs(after, 10).await.unwrap();
        seen.extend(page.entries.iter().map(|entry| entry.job.get()));
        after = page.entries.last().map(|last| (last.job, last.incarnation));
        if !page.more {
            break;
        }
        assert_eq!(page.entries.len(), 10);
    }
    assert_eq!(seen, (0..25).collect::<Vec<_>>());
}

#[tokio::test]
async fn an_id_that_came_back_keeps_both_pasts() {
    let blobs = Blobs::open("memory:").await.unwrap();
    let job = JobId::new(1);
    for (incarnation, json) in [(1, "\"a\""), (2, "\"b\""), (1, "\"late\"")] {
        blobs
            .put_archived_job(job, Incarnation::new(incarnation), json.into())
            .await
            .unwrap();
    }
    let found = blobs.archived_job(job).await.unwrap();
    let (first, second) = (Incarnation::new(1), Incarnation::new(2));
    assert_eq!(found, [(first, "\"a\"".into()), (second, "\"b\"".into())]);
}

#[tokio::test]
async fn what_is_not_archived_is_not_found() {
    let dir = Dir::new().await;
    let refused = dir.blobs.archived_job(JobId::new(1)).await.unwrap_err();
    assert!(matches!(refused, Error::NotFound { .. }), "{refused:?}");
    let large = vec![b' '; MAX_ARCHIVED_JOB + 1];
    let (job, incarnation) = (JobId::new(1), Incarnation::new(1));
    let refused = dir
        .blobs
        .put_archived_job(job, incarnation, large.into())
        .await
        .unwrap_err();
    assert!(matches!(refused, Error::TooLarge { .. }), "{refused:?}");
}
