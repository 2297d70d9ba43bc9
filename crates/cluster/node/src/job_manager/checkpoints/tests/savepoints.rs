//! Savepoints: found while they are marked and have a manifest, and marked only until removed.

use incumbent_cluster_core::checkpoint::Checkpoint;
use incumbent_cluster_core::leader::FoundSavepoint;

use super::*;

/// A savepoint that could be marked.
async fn savepoint(world: &World) -> (SavepointId, RestorePoint, Box<Savepoint>) {
    let savepoint = SavepointId::new(9);
    let from = CheckpointId {
        savepoint: Some(savepoint),
        ..id(FIRST, 1)
    };
    let point = world.checkpoint(from).await;
    let checkpoint = Checkpoint {
        number: 1,
        attempt: Attempt(1),
        tasks: 1,
        savepoint: Some(savepoint),
        manifest: point.manifest.clone(),
        bytes: 5,
        completed_at: "2026-01-01T00:00:00Z".to_owned(),
        took_ms: 1,
    };
    let marked = Savepoint {
        id: savepoint,
        checkpoint,
    };
    (savepoint, point, Box::new(marked))
}

fn mark_of(world: &World, savepoint: SavepointId) -> PathBuf {
    world
        .place()
        .join(format!("savepoints/{savepoint}/savepoint.json"))
}

#[tokio::test]
async fn a_savepoint_is_found_by_its_mark_until_it_is_removed() {
    let mut world = World::new().await;
    let (savepoint, point, marked) = savepoint(&world).await;
    let is_absent = |event: &LeaderEvent| {
        let LeaderEvent::SavepointFound { found, .. } = event else {
            return false;
        };
        matches!(found, FoundSavepoint::Absent)
    };
    world.checkpoints.find_savepoint(savepoint);
    let event = world.event().await;
    assert!(is_absent(&event), "{event:?}");
    let checkpoints = &mut world.checkpoints;
    checkpoints.mark_savepoint(JOB, FIRST, "a".to_owned(), marked);
    let mark = mark_of(&world, savepoint);
    wait(|| mark.exists()).await;
    world.checkpoints.find_savepoint(savepoint);
    let event = world.event().await;
    let LeaderEvent::SavepointFound {
        found: FoundSavepoint::Found(found),
        ..
    } = event
    else {
        panic!("{event:?}");
    };
    assert_eq!(*found, point);
    let good = std::fs::read(&mark).unwrap();
    std::fs::write(&mark, br#"{"format":2}"#).unwrap();
    world.checkpoints.find_savepoint(savepoint);
    let event = world.event().await;
    let LeaderEvent::SavepointFound {
        found: FoundSavepoint::Damaged(why),
        ..
    } = event
    else {
        panic!("{event:?}");
    };
    assert!(why.contains("format 2"), "{why}");
    std::fs::write(&mark, good).unwrap();
    world.checkpoints.remove_savepoint(savepoint);
    let event = world.event().await;
    assert!(
        matches!(event, LeaderEvent::SavepointRemoved { why_not: None, .. }),
        "{event:?}"
    );
    assert_eq!(world.files(), BTreeSet::from(["cluster.json".to_owned()]));
    world.checkpoints.find_savepoint(savepoint);
    let event = world.event().await;
    assert!(is_absent(&event), "{event:?}");
}

#[tokio::test]
async fn a_mark_without_a_manifest_is_no_savepoint() {
    let mut world = World::new().await;
    let (savepoint, point, marked) = savepoint(&world).await;
    let checkpoints = &mut world.checkpoints;
    checkpoints.mark_savepoint(JOB, FIRST, "a".to_owned(), marked);
    let mark = mark_of(&world, savepoint);
    wait(|| mark.exists()).await;
    let files = world.files();
    let manifest = files
        .iter()
        .find(|file| file.ends_with(&point.manifest.object));
    std::fs::remove_file(world.place().join(manifest.unwrap())).unwrap();
    world.checkpoints.find_savepoint(savepoint);
    let event = world.event().await;
    let LeaderEvent::SavepointFound {
        found: FoundSavepoint::Damaged(why),
        ..
    } = event
    else {
        panic!("{event:?}");
    };
    assert!(why.contains("manifest"), "{why}");
}

#[tokio::test]
async fn nothing_marks_a_savepoint_after_its_removal() {
    let mut world = World::new().await;
    let (savepoint, _, marked) = savepoint(&world).await;
    let away = world.dir.path().join("away");
    std::fs::rename(world.place(), &away).unwrap();
    let checkpoints = &mut world.checkpoints;
    checkpoints.mark_savepoint(JOB, FIRST, "a".to_owned(), marked);
    // Until it pauses for longer than a removal takes, which changes nothing about what is right.
    tokio::time::sleep(Duration::from_millis(900)).await;
    std::fs::rename(&away, world.place()).unwrap();
    world.checkpoints.remove_savepoint(savepoint);
    let event = world.event().await;
    assert!(
        matches!(event, LeaderEvent::SavepointRemoved { why_not: None, .. }),
        "{event:?}"
    );
    while world.checkpoints.tasks.join_next().await.is_some() {}
    assert_eq!(world.files(), BTreeSet::from(["cluster.json".to_owned()]));
}
