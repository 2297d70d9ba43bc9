//! Artifacts.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use bytes::Bytes;
use futures::future::join_all;
use futures::{StreamExt, stream};
use incumbent_cluster_blobs::{Blobs, Digest, Error};

use crate::{Dir, content, files, pieces};

/// Lengths around the size of a part.
const LENGTHS: [usize; 5] = [0, 1, (1 << 20) - 1, 1 << 20, (5 << 19) + 7];

async fn round_trip(blobs: &Blobs) {
    let target = tempfile::tempdir().unwrap();
    for length in LENGTHS {
        let content = content(length);
        let stored = blobs
            .put_artifact(pieces(&content, 70_000), None)
            .await
            .unwrap();
        assert_eq!(
            (stored.digest, stored.size),
            (Digest::of(&content), length as u64)
        );
        assert!(blobs.has_artifact(stored.digest).await.unwrap());
        let to = target.path().join("program");
        blobs.fetch_artifact(stored.digest, &to).await.unwrap();
        assert_eq!(std::fs::read(&to).unwrap(), content);
    }
    assert_eq!(files(target.path()), ["program"]);
    let first = blobs.artifacts(None, 3).await.unwrap();
    assert_eq!((first.entries.len(), first.more), (3, true));
    let rest = blobs
        .artifacts(first.entries.last().map(|last| last.digest), 3)
        .await
        .unwrap();
    assert_eq!((rest.entries.len(), rest.more), (2, false));
}

#[tokio::test]
async fn an_artifact_comes_back_from_a_directory_as_it_was() {
    let dir = Dir::new().await;
    round_trip(&dir.blobs).await;
    assert_eq!(dir.files().len(), 1 + LENGTHS.len(), "{:?}", dir.files());
}

#[tokio::test]
async fn an_artifact_comes_back_from_memory_as_it_was() {
    round_trip(&Blobs::open("memory:").await.unwrap()).await;
}

#[tokio::test]
async fn a_fetched_program_can_be_executed() {
    let dir = Dir::new().await;
    let target = tempfile::tempdir().unwrap();
    let to = target.path().join("hello");
    let stored = dir
        .blobs
        .put_artifact(pieces(b"#!/bin/sh\necho hello\n", 5), None)
        .await
        .unwrap();
    dir.blobs.fetch_artifact(stored.digest, &to).await.unwrap();
    let mode = std::fs::metadata(&to).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o555);
    // Fetching it again replaces it as a whole.
    dir.blobs.fetch_artifact(stored.digest, &to).await.unwrap();
    assert_eq!(files(target.path()), ["hello"]);
}

#[tokio::test]
async fn the_same_artifact_may_be_uploaded_by_many_at_once() {
    let dir = Dir::new().await;
    let content = content(3 << 20);
    let uploads = (0..8).map(|number| {
        let upload = pieces(&content, 50_000 + number);
        dir.blobs.put_artifact(upload, Some(Digest::of(&content)))
    });
    for stored in join_all(uploads).await {
        assert_eq!(stored.unwrap().digest, Digest::of(&content));
    }
    assert_eq!(dir.files().len(), 2, "{:?}", dir.files());
}

#[tokio::test]
async fn an_upload_that_breaks_off_leaves_nothing() {
    let dir = Dir::new().await;
    let whole = content(3 << 20);
    let broken = pieces(&whole, 1 << 20).chain(stream::once(async {
        Err(std::io::Error::other("the client went away"))
    }));
    let refused = dir.blobs.put_artifact(broken, None).await.unwrap_err();
    let Error::Sender { received, .. } = refused else {
        panic!("{refused:?}")
    };
    assert_eq!(received, 3 << 20);
    assert!(!refused.is_outage());
    assert!(!dir.blobs.has_artifact(Digest::of(&whole)).await.unwrap());
    assert_eq!(dir.files(), ["cluster.json"]);
}

#[tokio::test]
async fn an_upload_that_is_dropped_leaves_nothing() {
    let dir = Dir::new().await;
    let whole = content(3 << 20);
    let (dried_up, waits) = tokio::sync::oneshot::channel::<()>();
    let mut dried_up = Some(dried_up);
    let endless = pieces(&whole, 1 << 20).chain(stream::poll_fn(move |_| {
        if let Some(dried_up) = dried_up.take() {
            dried_up.send(()).unwrap();
        }
        std::task::Poll::Pending
    }));
    let upload = dir.blobs.put_artifact(endless, None);
    tokio::select! {
        done = upload => panic!("{done:?}"),
        all_read = waits => all_read.unwrap(),
    }
    // Removed by a thread of the pool: there is nothing else to wait for.
    while dir.files().len() > 1 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn an_upload_beyond_the_limit_is_refused_before_its_end() {
    let dir = Dir::new().await;
    let blobs = dir.blobs.clone().with_largest_artifact(1 << 20);
    let whole = content(1 << 20);
    let fits = blobs
        .put_artifact(pieces(&whole, 1000), None)
        .await
        .unwrap();
    let endless = stream::repeat_with(|| Ok::<_, std::io::Error>(Bytes::from_static(&[7; 4096])));
    let refused = blobs.put_artifact(endless, None).await.unwrap_err();
    assert!(
        matches!(refused, Error::TooLarge { limit, .. } if limit == 1 << 20),
        "{refused:?}"
    );
    assert_eq!(dir.files().len(), 2, "{:?}", dir.files());

    // Nor is what another node has let in fetched.
    let target = tempfile::tempdir().unwrap();
    let strict = dir.blobs.clone().with_largest_artifact(1000);
    let refused = strict
        .fetch_artifact(fits.digest, &target.path().join("x"))
        .await
        .unwrap_err();
    assert!(
        matches!(refused, Error::TooLarge { limit: 1000, .. }),
        "{refused:?}"
    );
}

#[tokio::test]
async fn an_upload_that_was_altered_on_the_way_is_refused() {
    let dir = Dir::new().await;
    let meant = Digest::of(b"what was meant");
    let refused = dir
        .blobs
        .put_artifact(pieces(b"what arrived", 4), Some(meant))
        .await
        .unwrap_err();
    let Error::Damaged {
        expected, found, ..
    } = refused
    else {
        panic!("{refused:?}")
    };
    assert_eq!(expected, meant.to_string());
    assert_eq!(found, Digest::of(b"what arrived").to_string());
    assert_eq!(dir.files(), ["cluster.json"]);
}

async fn is_refused_as_damaged(dir: &Dir, digest: Digest, stored: &[u8]) {
    let target = tempfile::tempdir().unwrap();
    let to = target.path().join("program");
    std::fs::write(&to, "an older one").unwrap();
    let refused = dir.blobs.fetch_artifact(digest, &to).await.unwrap_err();
    let Error::Damaged {
        expected, found, ..
    } = &refused
    else {
        panic!("{refused:?}")
    };
    assert_eq!(
        (expected, found),
        (&digest.to_string(), &Digest::of(stored).to_string())
    );
    let said = refused.to_string();
    assert!(said.contains(expected) && said.contains(found), "{said}");
    assert_eq!(files(target.path()), ["program"]);
    assert_eq!(std::fs::read(&to).unwrap(), b"an older one");
}

fn overwrite(path: &Path, content: &[u8]) {
    std::fs::write(path, content).unwrap();
}

#[tokio::test]
async fn an_altered_or_truncated_artifact_is_refused_with_both_digests() {
    let dir = Dir::new().await;
    let whole = content(3 << 20);
    let digest = Digest::of(&whole);
    dir.blobs
        .put_artifact(pieces(&whole, 1 << 20), None)
        .await
        .unwrap();
    let stored = dir.path("artifacts").join(digest.to_string());
    let mut altered = whole.clone();
    altered[2_000_000] ^= 1;
    let longer = [&whole[..], b"x"].concat();
    for damaged in [
        &altered[..],
        &whole[..whole.len() - 1],
        &whole[..1 << 20],
        &longer,
        b"",
    ] {
        overwrite(&stored, damaged);
        is_refused_as_damaged(&dir, digest, damaged).await;
    }
    // Uploading it again mends it.
    dir.blobs
        .put_artifact(pieces(&whole, 1 << 20), Some(digest))
        .await
        .unwrap();
    let target = tempfile::tempdir().unwrap();
    dir.blobs
        .fetch_artifact(digest, &target.path().join("x"))
        .await
        .unwrap();
}

#[tokio::test]
async fn an_artifact_that_is_missing_is_named() {
    let dir = Dir::new().await;
    let target = tempfile::tempdir().unwrap();
    let digest = Digest::of(b"never uploaded");
    let refused = dir
        .blobs
        .fetch_artifact(digest, &target.path().join("x"))
        .await
        .unwrap_err();
    assert!(matches!(refused, Error::NotFound { .. }), "{refused:?}");
    assert!(
        refused.to_string().contains(&digest.to_string()),
        "{refused}"
    );
    assert!(refused.to_string().contains(dir.blobs.url()), "{refused}");
    assert_eq!(files(target.path()), [""; 0]);
}

#[tokio::test]
async fn a_target_that_cannot_be_written_is_not_the_fault_of_the_blobs() {
    let dir = Dir::new().await;
    let target = tempfile::tempdir().unwrap();
    let stored = dir
        .blobs
        .put_artifact(pieces(b"program", 3), None)
        .await
        .unwrap();
    std::fs::create_dir(target.path().join("taken")).unwrap();
    for to in ["no/such/directory", "taken"] {
        let refused = dir
            .blobs
            .fetch_artifact(stored.digest, &target.path().join(to))
            .await
            .unwrap_err();
        assert!(matches!(refused, Error::Target { .. }), "{refused:?}");
        assert!(!refused.is_outage());
    }
    assert_eq!(files(target.path()), [""; 0]);
}
