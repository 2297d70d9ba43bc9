//! Which cluster blobs belong to.

use futures::future::join_all;
use incumbent_cluster_blobs::Error;

use crate::{Dir, OURS};

const THEIRS: &str = "fedcba9876543210fedcba9876543210";

#[tokio::test]
async fn two_clusters_cannot_share_a_directory() {
    let dir = Dir::new().await;
    let other = crate::open(dir.dir.path()).await;
    let refused = other.belongs_to(THEIRS).await.unwrap_err();
    let Error::NotOurs { ours, theirs, .. } = &refused else {
        panic!("{refused:?}")
    };
    assert_eq!((ours.as_str(), theirs.as_deref()), (THEIRS, Some(OURS)));
    let said = refused.to_string();
    for part in [OURS, THEIRS, "--blobs", "empty this one"] {
        assert!(said.contains(part), "{said}");
    }
    assert!(!refused.is_outage(), "waiting does not help");
    // Nodes of the same cluster are at home.
    crate::open(dir.dir.path())
        .await
        .belongs_to(OURS)
        .await
        .unwrap();
}

#[tokio::test]
async fn of_clusters_that_start_at_once_one_gets_the_directory() {
    let dir = tempfile::tempdir().unwrap();
    let starts = (0..8).map(|number| {
        let dir = dir.path().to_owned();
        async move {
            let blobs = crate::open(&dir).await;
            blobs
                .belongs_to(&format!("cluster-{}", number % 4))
                .await
                .is_ok()
        }
    });
    let started = join_all(starts).await;
    assert_eq!(started.iter().filter(|started| **started).count(), 2);
}

#[tokio::test]
async fn a_damaged_cluster_file_is_told_and_left_alone() {
    for damaged in ["", "{", "{\"format\":2,\"cluster\":\"x\"}", "[]"] {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("cluster.json"), damaged).unwrap();
        let refused = crate::open(dir.path())
            .await
            .belongs_to(OURS)
            .await
            .unwrap_err();
        assert!(matches!(refused, Error::Damaged { .. }), "{refused:?}");
        assert!(refused.to_string().contains("cluster.json"), "{refused}");
        assert_eq!(
            std::fs::read_to_string(dir.path().join("cluster.json")).unwrap(),
            damaged
        );
    }
}

/// As a volume that is not mounted on one machine.
#[tokio::test]
async fn two_places_of_one_cluster_have_different_marks() {
    let (one, other) = (Dir::new().await, Dir::new().await);
    let mark = one.blobs.place().unwrap();
    assert_ne!(other.blobs.place().unwrap(), mark);
    // Another node, at the same place.
    let again = crate::open(one.dir.path()).await;
    assert_eq!(again.place(), None, "not known before it is settled");
    again.belongs_to(OURS).await.unwrap();
    assert_eq!(again.place(), Some(mark));
}

#[tokio::test]
async fn nodes_that_start_at_once_on_an_older_versions_place_see_one_mark() {
    let dir = tempfile::tempdir().unwrap();
    let claimed = format!("{{\"format\":1,\"cluster\":\"{OURS}\"}}");
    let file = dir.path().join("cluster.json");
    std::fs::write(&file, &claimed).unwrap();
    let starts = (0..8).map(|_| async {
        let blobs = crate::open(dir.path()).await;
        blobs.belongs_to(OURS).await.unwrap();
        blobs.place().unwrap().to_owned()
    });
    let marks = join_all(starts).await;
    assert!(marks.iter().all(|mark| *mark == marks[0]), "{marks:?}");
    assert_eq!(crate::files(dir.path()), ["cluster.json", "place.json"]);
    assert_eq!(std::fs::read_to_string(file).unwrap(), claimed);

    std::fs::write(dir.path().join("place.json"), "{}").unwrap();
    let blobs = crate::open(dir.path()).await;
    let refused = blobs.belongs_to(OURS).await.unwrap_err();
    assert!(matches!(refused, Error::Damaged { .. }), "{refused:?}");
    assert!(refused.to_string().contains("place.json"), "{refused}");
}
