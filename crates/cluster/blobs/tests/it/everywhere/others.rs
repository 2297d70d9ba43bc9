//! Artifacts, log tails, archived jobs, and whose the blobs are.

use futures::TryStreamExt;
use incumbent_cluster_blobs::{Digest, Error, Written};
use incumbent_cluster_core::TaskId;
use object_store::ObjectStoreExt;

use super::{Place, everywhere, id, numbered};
use crate::{OURS, content, pieces, task};

everywhere!(
    an_artifact_is_fetched_as_it_was_uploaded,
    artifacts_are_listed_piece_by_piece,
    log_tails_are_kept_and_listed,
    a_tail_is_never_overwritten,
    archived_jobs_come_back,
    one_cluster_owns_the_blobs,
    a_check_leaves_nothing,
    a_job_is_removed_with_its_checkpoints,
);

async fn an_artifact_is_fetched_as_it_was_uploaded(place: Place) {
    let target = tempfile::tempdir().unwrap();
    for length in [0, 1, 17 * 1024 * 1024 + 5] {
        let whole = content(length);
        let digest = Digest::of(&whole);
        for _ in 0..2 {
            let uploaded = place
                .blobs
                .put_artifact(pieces(&whole, 100_000), Some(digest))
                .await
                .unwrap();
            assert_eq!((uploaded.digest, uploaded.size), (digest, length as u64));
            let to = target.path().join("program");
            place.blobs.fetch_artifact(digest, &to).await.unwrap();
            assert!(std::fs::read(&to).unwrap() == whole);
            let parts: Vec<_> = place
                .blobs
                .read_artifact(uploaded)
                .try_collect()
                .await
                .unwrap();
            assert!(parts.concat() == whole);
        }
    }
    let other = Digest::of(b"other");
    let refused = place
        .blobs
        .put_artifact(pieces(b"x", 1), Some(other))
        .await
        .unwrap_err();
    assert!(matches!(refused, Error::Damaged { .. }), "{refused:?}");
    assert!(!place.blobs.has_artifact(other).await.unwrap());
    // No upload is left.
    let files = place.files().await.unwrap_or_default();
    assert!(files.iter().all(|name| name.starts_with("artifacts/")));
}

async fn artifacts_are_listed_piece_by_piece(place: Place) {
    let mut stored = Vec::new();
    for number in 0..25_u8 {
        let artifact = place.blobs.put_artifact(pieces(&[number], 1), None).await;
        stored.push(artifact.unwrap());
    }
    stored.sort_by_key(|artifact| artifact.digest);
    let mut found = Vec::new();
    loop {
        let after = found
            .last()
            .map(|last: &incumbent_cluster_blobs::Artifact| last.digest);
        let page = place.blobs.artifacts(after, 10).await.unwrap();
        assert_eq!(page.more, page.entries.len() == 10);
        found.extend(page.entries);
        if !page.more {
            break;
        }
    }
    assert_eq!(found, stored);
}

async fn log_tails_are_kept_and_listed(place: Place) {
    crate::logs::tails_are_kept_and_listed(&place.blobs).await;
}

async fn a_tail_is_never_overwritten(place: Place) {
    let task = task(1, 1, 1, 0);
    for (tail, written) in [("first", Written::New), ("late", Written::Already)] {
        let stored = place.blobs.put_log_tail(task, "stdout", tail.into()).await;
        assert_eq!(stored.unwrap(), written);
    }
    assert_eq!(place.blobs.log_tail(task, "stdout").await.unwrap(), "first");
}

async fn archived_jobs_come_back(place: Place) {
    crate::archive::archived_jobs_come_back(&place.blobs).await;
}

async fn one_cluster_owns_the_blobs(place: Place) {
    place.blobs.belongs_to(OURS).await.unwrap();
    assert_eq!(place.blobs.cluster(), Some(OURS));
    assert!(place.blobs.place().is_some());
    let Some(raw) = place.raw() else { return };
    let owner = object_store::path::Path::from("cluster.json");
    let written = raw.get(&owner).await.unwrap().bytes().await.unwrap();
    let theirs = String::from_utf8(written.to_vec()).unwrap();
    raw.put(&owner, theirs.replace(OURS, "another").into())
        .await
        .unwrap();
    let refused = place.blobs.belongs_to(OURS).await.unwrap_err();
    assert!(matches!(refused, Error::NotOurs { .. }), "{refused:?}");
    assert!(refused.to_string().contains("cluster another"), "{refused}");
}

async fn a_check_leaves_nothing(place: Place) {
    for _ in 0..3 {
        place.blobs.check().await.unwrap();
    }
    assert_eq!(place.files().await.unwrap_or_default(), [""; 0]);
}

async fn a_job_is_removed_with_its_checkpoints(place: Place) {
    let TaskId {
        job, incarnation, ..
    } = task(1, 2, 3, 0);
    place.checkpoint(id(3, 5), 2).await;
    place.store(super::last(3, 1), "state", b"last").await;
    let tail = place
        .blobs
        .put_log_tail(task(1, 2, 3, 0), "stdout", "x".into());
    tail.await.unwrap();
    let archived = place.blobs.put_archived_job(job, incarnation, "{}".into());
    archived.await.unwrap();
    let mut other = id(3, 5);
    other.incarnation = incumbent_cluster_core::Incarnation::new(3);
    let kept = place.store(numbered(other, 0), "state", b"kept").await;

    let removed = place.blobs.remove_job(job, incarnation).await.unwrap();
    assert_eq!((removed.files, removed.left), (6, 0));
    assert_eq!(place.read(&other, &kept).await.unwrap(), b"kept");
    assert!(place.files().await.is_none_or(|files| files.len() == 1));
    let removed = place.blobs.remove_job(job, incarnation).await.unwrap();
    assert_eq!(removed.files, 0);
}
