//! Savepoints.

use incumbent_cluster_blobs::{Error, Written};
use incumbent_cluster_core::SavepointId;
use object_store::ObjectStoreExt;
use object_store::path::Path;

use super::{Place, everywhere, id, job, savepoint, savepoint_id};

everywhere!(
    a_marked_savepoint_is_found_without_a_record,
    an_id_means_one_savepoint,
    savepoints_are_listed_piece_by_piece,
    a_savepoint_that_cannot_be_read_says_why,
    a_removed_savepoint_is_gone_and_nothing_else,
);

async fn a_marked_savepoint_is_found_without_a_record(place: Place) {
    let (job, incarnation) = job();
    let (point, manifest) = place.checkpoint(savepoint_id(9, 1, 6), 2).await;
    let refused = place.blobs.savepoint(SavepointId::new(9)).await;
    assert!(
        matches!(refused, Err(Error::NotFound { .. })),
        "{refused:?}"
    );
    let saved = savepoint(&point);
    for written in [Written::New, Written::Already] {
        let marked = place
            .blobs
            .mark_savepoint(job, incarnation, "count", &saved);
        assert_eq!(marked.await.unwrap(), written);
    }
    let found = place.blobs.savepoint(SavepointId::new(9)).await.unwrap();
    assert_eq!((found.job, found.incarnation), (job, incarnation));
    assert_eq!((found.name.as_str(), &found.savepoint), ("count", &saved));
    assert_eq!(found.restore_point(), point);
    let read = place.blobs.manifest(&found.restore_point()).await.unwrap();
    assert_eq!(read, manifest);
}

async fn an_id_means_one_savepoint(place: Place) {
    let (job, incarnation) = job();
    let (first, _) = place.checkpoint(savepoint_id(9, 1, 6), 1).await;
    let (second, _) = place.checkpoint(savepoint_id(9, 1, 7), 1).await;
    let first = savepoint(&first);
    let marked = place
        .blobs
        .mark_savepoint(job, incarnation, "count", &first);
    marked.await.unwrap();
    let second = savepoint(&second);
    let marked = place
        .blobs
        .mark_savepoint(job, incarnation, "count", &second);
    let refused = marked.await;
    assert!(matches!(refused, Err(Error::Damaged { .. })), "{refused:?}");
    let found = place.blobs.savepoint(SavepointId::new(9)).await.unwrap();
    assert_eq!(found.savepoint.checkpoint.number, 6);
    assert_eq!((found.job, found.incarnation), (job, incarnation));
}

async fn savepoints_are_listed_piece_by_piece(place: Place) {
    let (job, incarnation) = job();
    for number in [3_u128, 1, 2, 5, 4] {
        let (point, _) = place.checkpoint(savepoint_id(number, 1, 6), 1).await;
        // Of these, one was never committed.
        if number != 4 {
            let saved = savepoint(&point);
            let marked = place
                .blobs
                .mark_savepoint(job, incarnation, "count", &saved);
            marked.await.unwrap();
        }
    }
    let mut found = Vec::new();
    let mut after = None;
    loop {
        let page = place.blobs.savepoints(after, 2).await.unwrap();
        assert!(page.entries.len() <= 2);
        found.extend(page.entries.iter().map(|listed| listed.id.get()));
        after = page.entries.last().map(|listed| listed.id);
        if !page.more {
            break;
        }
    }
    assert_eq!(found, [1, 2, 3, 5]);
}

async fn a_savepoint_that_cannot_be_read_says_why(place: Place) {
    let Some(raw) = place.raw() else { return };
    let (job, incarnation) = job();
    let (point, _) = place.checkpoint(savepoint_id(9, 1, 6), 1).await;
    let saved = savepoint(&point);
    let marked = place
        .blobs
        .mark_savepoint(job, incarnation, "count", &saved);
    marked.await.unwrap();
    let dir = "savepoints/00000000000000000000000000000009";
    let path = Path::parse(format!("{dir}/savepoint.json")).unwrap();
    let right = raw.get(&path).await.unwrap().bytes().await.unwrap();
    let right: serde_json::Value = serde_json::from_slice(&right).unwrap();
    assert_eq!(right["format"], 1);

    let mut later = right.clone();
    later["format"] = 2.into();
    later["savepoint"] = 7.into();
    let mut other = right.clone();
    other["savepoint"]["id"] = "0".repeat(32).into();
    let mut no_savepoint = right.clone();
    no_savepoint["savepoint"]["checkpoint"]["savepoint"] = serde_json::Value::Null;
    let mut out = right.clone();
    out["savepoint"]["checkpoint"]["manifest"]["object"] = "../../cluster.json".into();
    for bad in [
        later.to_string(),
        other.to_string(),
        no_savepoint.to_string(),
        out.to_string(),
        String::new(),
        "{}".to_owned(),
        "x".repeat(100_000),
    ] {
        raw.put(&path, bad.clone().into()).await.unwrap();
        let refused = place
            .blobs
            .savepoint(SavepointId::new(9))
            .await
            .unwrap_err();
        let is_later = bad.contains("\"savepoint\":7");
        let is_right = match &refused {
            Error::OtherVersion { found, .. } => is_later && *found == 2,
            Error::Damaged { .. } => !is_later,
            Error::TooLarge { .. } => bad.len() > 50_000,
            _ => false,
        };
        assert!(is_right, "{bad}: {refused:?}");
        assert!(refused.to_string().contains("savepoint 0000"), "{refused}");
        // It does not hide the others.
        let page = place.blobs.savepoints(None, 10).await.unwrap();
        assert_eq!(page.entries.len(), 1);
        assert!(page.entries[0].marked.is_err());
        // Nor is it replaced.
        let again = place
            .blobs
            .mark_savepoint(job, incarnation, "count", &saved);
        again.await.unwrap_err();
    }
}

async fn a_removed_savepoint_is_gone_and_nothing_else(place: Place) {
    let (job, incarnation) = job();
    let (checkpoint, _) = place.checkpoint(id(1, 5), 2).await;
    let (kept, _) = place.checkpoint(savepoint_id(8, 1, 7), 2).await;
    // One that was aborted lies beside the one that was committed.
    let (gone, _) = place.checkpoint(savepoint_id(9, 1, 6), 2).await;
    let (committed, manifest) = place.checkpoint(savepoint_id(9, 1, 8), 2).await;
    for point in [&kept, &committed] {
        let saved = savepoint(point);
        let marked = place
            .blobs
            .mark_savepoint(job, incarnation, "count", &saved);
        marked.await.unwrap();
    }
    // Removing the job does not touch them.
    let removed = place.blobs.remove_job(job, incarnation).await.unwrap();
    assert_eq!((removed.files, removed.left), (3, 0));
    let refused = place.blobs.manifest(&checkpoint).await;
    assert!(
        matches!(refused, Err(Error::NotFound { .. })),
        "{refused:?}"
    );
    place.blobs.manifest(&committed).await.unwrap();
    place
        .read(&committed.from, &manifest.ranks[0].files[0])
        .await
        .unwrap();

    let stranger = Path::parse("savepoints/00000000000000000000000000000009/readme").unwrap();
    if let Some(raw) = place.raw() {
        raw.put(&stranger, "mine".into()).await.unwrap();
    }
    let removed = place
        .blobs
        .remove_savepoint(SavepointId::new(9))
        .await
        .unwrap();
    assert_eq!(removed.files, 7);
    assert_eq!(removed.left, u64::from(place.raw().is_some()));
    for point in [gone, committed] {
        let refused = place.blobs.manifest(&point).await;
        assert!(
            matches!(refused, Err(Error::NotFound { .. })),
            "{refused:?}"
        );
    }
    let refused = place.blobs.savepoint(SavepointId::new(9)).await;
    assert!(
        matches!(refused, Err(Error::NotFound { .. })),
        "{refused:?}"
    );
    place.blobs.manifest(&kept).await.unwrap();
    // Once more is harmless.
    let removed = place
        .blobs
        .remove_savepoint(SavepointId::new(9))
        .await
        .unwrap();
    assert_eq!((removed.files, removed.bytes), (0, 0));
    assert_eq!(
        place
            .blobs
            .savepoints(None, 10)
            .await
            .unwrap()
            .entries
            .len(),
        1
    );
}
