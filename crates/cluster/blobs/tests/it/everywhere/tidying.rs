//! The janitor (R15).

use incumbent_cluster_blobs::{Error, MOST_DELETED, Tidied};
use incumbent_cluster_core::Attempt;
use incumbent_cluster_core::checkpoint::{ManifestPointer, RestorePoint};
use incumbent_cluster_core::leader::Tidy;
use incumbent_core::Epoch;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};

use super::{Place, at, everywhere, id, job, last, numbered, point, savepoint_id};

everywhere!(
    lower_numbers_of_the_present_attempt_go_if_they_are_not_listed,
    older_attempts_go_only_when_their_ranks_are_gone,
    of_older_attempts_stays_what_a_listed_manifest_names,
    nothing_goes_if_a_listed_manifest_cannot_be_read,
    what_nobody_knows_is_reported_and_stays,
    a_list_that_is_out_of_date_deletes_nothing_that_counts,
    the_work_of_one_call_is_bounded,
    leftovers_that_are_young_stay,
    leftovers_that_are_old_go_and_nothing_else,
);

fn tidy(attempt: u32, are_older_gone: bool, listed: &[&RestorePoint]) -> Tidy {
    let (job, incarnation) = job();
    Tidy {
        job,
        incarnation,
        attempt: Attempt(attempt),
        are_older_gone,
        listed: listed.iter().map(|point| (*point).clone()).collect(),
    }
}

/// Whether a checkpoint, its manifest and its files, is all there.
async fn is_whole(place: &Place, point: &RestorePoint) -> bool {
    let Ok(manifest) = place.blobs.manifest(point).await else {
        return false;
    };
    for part in &manifest.ranks {
        for file in &part.files {
            if place.read(&point.from, file).await.is_err() {
                return false;
            }
        }
    }
    true
}

/// A file of rank 0 that no manifest names.
async fn litter(place: &Place, attempt: u32, number: u64) -> bool {
    let id = id(attempt, number);
    let stored = place.store(numbered(id, 0), "litter", b"x").await;
    place.read(&id, &stored).await.is_ok()
}

async fn lower_numbers_of_the_present_attempt_go_if_they_are_not_listed(place: Place) {
    let (one, _) = place.checkpoint(id(2, 1), 2).await;
    let (two, _) = place.checkpoint(id(2, 2), 2).await;
    let (three, _) = place.checkpoint(id(2, 3), 2).await;
    let (five, _) = place.checkpoint(id(2, 5), 2).await;
    // Being made.
    let (six, _) = place.checkpoint(id(2, 6), 2).await;
    let (later, _) = place.checkpoint(id(3, 1), 2).await;
    let (saved, _) = place.checkpoint(savepoint_id(9, 2, 1), 2).await;
    // Aborted.
    assert!(litter(&place, 2, 4).await);
    // Of a number that is listed: it stays until the attempt is over.
    assert!(litter(&place, 2, 3).await);
    let end = place.store(last(2, 7), "state", b"last").await;

    // Nothing is listed yet.
    let tidied = place.blobs.tidy(&tidy(2, true, &[])).await.unwrap();
    assert_eq!(tidied, Tidied::default());

    let all = tidy(2, true, &[&one, &three, &five]);
    let tidied = place.blobs.tidy(&all).await.unwrap();
    // Two files and a manifest of 2, and what is left of 4.
    assert_eq!((tidied.deleted, tidied.more), (4, false));
    assert_eq!(tidied.unknown, [""; 0]);
    assert!(tidied.bytes > 4);
    for kept in [&one, &three, &five, &six, &later, &saved] {
        assert!(is_whole(&place, kept).await, "{kept:?}");
    }
    assert!(!is_whole(&place, &two).await);
    assert_eq!(place.read(&id(2, 5), &end).await.unwrap(), b"last");
    assert_eq!(place.blobs.tidy(&all).await.unwrap(), Tidied::default());
}

async fn older_attempts_go_only_when_their_ranks_are_gone(place: Place) {
    let (old, _) = place.checkpoint(id(1, 1), 2).await;
    let end = place.store(last(1, 7), "state", b"last").await;
    let (new, _) = place.checkpoint(id(2, 2), 2).await;
    for gone in [false, true] {
        let tidied = place.blobs.tidy(&tidy(2, gone, &[&new])).await.unwrap();
        assert_eq!(tidied.deleted, if gone { 4 } else { 0 });
        assert_eq!(is_whole(&place, &old).await, !gone);
        assert_eq!(place.read(&id(1, 1), &end).await.is_ok(), !gone);
        assert!(is_whole(&place, &new).await);
    }
    // Also if nothing was ever completed.
    assert!(litter(&place, 1, 9).await);
    let tidied = place.blobs.tidy(&tidy(3, true, &[])).await.unwrap();
    assert_eq!(tidied.deleted, 4, "{tidied:?}");
}

async fn of_older_attempts_stays_what_a_listed_manifest_names(place: Place) {
    let end = place.store(last(1, 1), "state", b"last").await;
    let other_end = place.store(last(1, 2), "state", b"not named").await;
    let (_, mut manifest) = place.checkpoint(id(1, 4), 1).await;
    manifest
        .ranks
        .push(incumbent_cluster_core::checkpoint::RankPart {
            is_finished: true,
            files: vec![end.clone()],
        });
    // The manifest that was committed; the first one was not.
    let pointer = place.blobs.put_manifest(&manifest, Epoch::new(8)).await;
    let kept = point(id(1, 4), 2, pointer.unwrap());
    assert!(litter(&place, 1, 4).await);
    let (dropped, _) = place.checkpoint(id(1, 3), 2).await;

    let tidied = place.blobs.tidy(&tidy(2, true, &[&kept])).await.unwrap();
    // The other last file, the other manifest, the litter, and all three of number 3.
    assert_eq!(tidied.deleted, 6);
    assert!(is_whole(&place, &kept).await);
    assert!(!is_whole(&place, &dropped).await);
    assert_eq!(place.read(&id(1, 4), &end).await.unwrap(), b"last");
    place.read(&id(1, 4), &other_end).await.unwrap_err();
}

async fn nothing_goes_if_a_listed_manifest_cannot_be_read(place: Place) {
    let (old, _) = place.checkpoint(id(1, 1), 1).await;
    let (two, _) = place.checkpoint(id(2, 2), 1).await;
    let (three, _) = place.checkpoint(id(2, 3), 1).await;
    let (four, _) = place.checkpoint(id(2, 4), 1).await;
    let gone = RestorePoint {
        manifest: ManifestPointer {
            object: format!("manifest-1-{}.json", "0".repeat(32)),
            sha256: three.manifest.sha256.clone(),
        },
        ..three.clone()
    };
    let altered = RestorePoint {
        manifest: ManifestPointer {
            sha256: four.manifest.sha256.clone(),
            ..three.manifest.clone()
        },
        ..three.clone()
    };
    for bad in [gone, altered] {
        let refused = place.blobs.tidy(&tidy(2, true, &[&bad, &four])).await;
        let refused = refused.unwrap_err();
        assert!(refused.to_string().contains("checkpoint 3"), "{refused}");
        assert!(!refused.is_outage());
        for kept in [&old, &two, &three, &four] {
            assert!(is_whole(&place, kept).await, "{kept:?}");
        }
    }
}

async fn what_nobody_knows_is_reported_and_stays(place: Place) {
    let Some(raw) = place.raw() else { return };
    let (_, _) = place.checkpoint(id(1, 1), 1).await;
    let (_, _) = place.checkpoint(id(2, 2), 1).await;
    let (four, _) = place.checkpoint(id(2, 4), 1).await;
    let random = "0".repeat(32);
    let strange = [
        "readme".to_owned(),
        "notes/x".to_owned(),
        "2/readme".to_owned(),
        "2/x/y".to_owned(),
        "2/02/y".to_owned(),
        "2/2/readme".to_owned(),
        format!("2/2/0/.hidden-{random}"),
        "2/2/0/state".to_owned(),
        format!("2/2/00/state-{random}"),
        "1/x".to_owned(),
        format!("1/final/manifest-1-{random}.json"),
    ];
    for name in &strange {
        raw.put(&at(&four.from, name), "mine".into()).await.unwrap();
    }
    let tidied = place.blobs.tidy(&tidy(2, true, &[&four])).await.unwrap();
    assert_eq!(tidied.deleted, 4);
    let mut unknown = tidied.unknown;
    unknown.sort();
    let reported = |name: &String| {
        // Of a directory that is not ours, the directory is.
        let name = match name.as_str() {
            "notes/x" => "notes",
            "2/x/y" => "2/x",
            "2/02/y" => "2/02",
            name => name,
        };
        at(&four.from, name).to_string()
    };
    let mut expected: Vec<_> = strange.iter().map(reported).collect();
    expected.sort();
    assert_eq!(unknown, expected);
    for name in &strange {
        raw.head(&at(&four.from, name)).await.unwrap();
    }
}

async fn a_list_that_is_out_of_date_deletes_nothing_that_counts(place: Place) {
    let mut all = Vec::new();
    for (attempt, number) in [(1, 1), (1, 2), (1, 3), (2, 4), (2, 5), (3, 6)] {
        all.push(place.checkpoint(id(attempt, number), 1).await.0);
    }
    // A leader that was deposed long ago goes on, in each state that there was.
    for past in 0..3 {
        let listed: Vec<_> = all[past..=past + 2].iter().collect();
        let attempt = all[past + 2].from.attempt.0;
        place
            .blobs
            .tidy(&tidy(attempt, true, &listed))
            .await
            .unwrap();
        for kept in &all[past..] {
            assert!(is_whole(&place, kept).await, "{kept:?}");
        }
        assert_eq!(is_whole(&place, &all[0]).await, past == 0);
    }
}

async fn the_work_of_one_call_is_bounded(place: Place) {
    let Some(raw) = place.raw() else { return };
    for number in 0..MOST_DELETED + 5 {
        let name = format!("1/{}/0/state-{number:032x}", number % 7);
        raw.put(&at(&id(1, 0), &name), "x".into()).await.unwrap();
    }
    let all = tidy(2, true, &[]);
    let first = place.blobs.tidy(&all).await.unwrap();
    assert_eq!((first.deleted, first.more), (MOST_DELETED as u64, true));
    let second = place.blobs.tidy(&all).await.unwrap();
    assert_eq!((second.deleted, second.more), (5, false));
    assert_eq!(place.files().await.unwrap(), [""; 0]);
}

/// What work that was cut off leaves, as far as this kind of store shows it.
async fn leave_behind(raw: &dyn ObjectStore) -> [Path; 2] {
    let random = "0".repeat(32);
    let names = [format!("uploads/{random}"), format!("check-{random}")];
    let paths = names.map(|name| Path::parse(name).unwrap());
    for path in &paths {
        raw.put(path, "half".into()).await.unwrap();
    }
    paths
}

async fn leftovers_that_are_young_stay(place: Place) {
    let Some(raw) = place.raw() else { return };
    let paths = leave_behind(raw).await;
    let swept = place.blobs.sweep().await.unwrap();
    assert_eq!((swept.deleted, swept.more), (0, false));
    for path in paths {
        raw.head(&path).await.unwrap();
    }
}

async fn leftovers_that_are_old_go_and_nothing_else(place: Place) {
    let Some(raw) = place.raw() else { return };
    let paths = leave_behind(raw).await;
    let kept = [
        "readme",
        "uploads/readme",
        "check-",
        "uploads/x/y",
        "checks/x",
    ];
    for name in kept {
        raw.put(&Path::parse(name).unwrap(), "mine".into())
            .await
            .unwrap();
    }
    let (point, _) = place.checkpoint(id(1, 1), 1).await;
    // The clock of the store goes on.
    let (mut deleted, mut bytes) = (0, 0);
    while deleted < 2 {
        let swept = place.blobs.sweep_older_than(0).await.unwrap();
        deleted += swept.deleted;
        bytes += swept.bytes;
    }
    assert_eq!((deleted, bytes), (2, 8));
    for path in paths {
        let gone = raw.head(&path).await.unwrap_err();
        assert!(matches!(gone, object_store::Error::NotFound { .. }));
    }
    assert!(is_whole(&place, &point).await);
    let left = place.files().await.unwrap();
    assert_eq!(left.len(), kept.len() + 2, "{left:?}");
    // Not those of another cluster.
    let owner = Path::parse("cluster.json").unwrap();
    let theirs = r#"{"format":1,"cluster":"another"}"#;
    raw.put(&owner, theirs.into()).await.unwrap();
    let refused = place.blobs.sweep_older_than(0).await.unwrap_err();
    assert!(matches!(refused, Error::NotOurs { .. }), "{refused:?}");
}
