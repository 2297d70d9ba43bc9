use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use futures::stream;
use incumbent::{Leadership, Store};
use incumbent_backend_memory::MemoryBackend;
use incumbent_cluster_blobs::Error;
use incumbent_cluster_core::checkpoint::{
    CheckpointId, MANIFEST_FORMAT, PartKind, PartPlace, RankPart, RestorePoint,
};
use incumbent_cluster_core::{Attempt, Rank};

use super::trying::{GivenUp, try_until};
use super::*;

mod savepoints;

const JOB: JobId = JobId::new(7);
const FIRST: Incarnation = Incarnation::new(1);
const SECOND: Incarnation = Incarnation::new(2);

/// A term on blobs in a directory.
struct World {
    dir: tempfile::TempDir,
    blobs: Blobs,
    leadership: Leadership,
    events: mpsc::Receiver<LeaderEvent>,
    checkpoints: Checkpoints,
}

impl World {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let url = format!("file://{}", dir.path().join("blobs").display());
        let blobs = Blobs::open(&url).await.unwrap();
        blobs.belongs_to("ours").await.unwrap();
        let group = Store::on(MemoryBackend::new()).group("g").unwrap();
        let leadership = group.candidate().unwrap().campaign().await;
        let (sender, events) = mpsc::channel(16);
        let checkpoints = Checkpoints::new(blobs.clone(), leadership.guard(), sender);
        Self {
            dir,
            blobs,
            leadership,
            events,
            checkpoints,
        }
    }

    fn place(&self) -> PathBuf {
        self.dir.path().join("blobs")
    }

    /// All files, below the directory of the blobs.
    fn files(&self) -> BTreeSet<String> {
        fn walk(dir: &Path, top: &Path, found: &mut BTreeSet<String>) {
            for entry in std::fs::read_dir(dir).into_iter().flatten() {
                // It may vanish meanwhile.
                let Ok(entry) = entry else { continue };
                let path = entry.path();
                if path.is_dir() {
                    walk(&path, top, found);
                } else {
                    found.insert(path.strip_prefix(top).unwrap().display().to_string());
                }
            }
        }
        let mut found = BTreeSet::new();
        walk(&self.place(), &self.place(), &mut found);
        found
    }

    /// The manifest of a checkpoint with one file, which is stored.
    async fn manifest(&self, id: CheckpointId) -> Manifest {
        let place = PartPlace {
            checkpoint: id,
            rank: Rank(0),
            kind: PartKind::Numbered,
        };
        let content = stream::iter([Ok::<_, std::io::Error>(Bytes::from_static(b"state"))]);
        let stored = self
            .blobs
            .put_checkpoint_file(place, "state", content)
            .await;
        let part = RankPart {
            is_finished: false,
            files: vec![stored.unwrap()],
        };
        Manifest {
            format: MANIFEST_FORMAT,
            id,
            ranks: vec![part],
        }
    }

    /// A checkpoint that could be listed.
    async fn checkpoint(&self, id: CheckpointId) -> RestorePoint {
        let manifest = self.manifest(id).await;
        let epoch = self.leadership.epoch();
        RestorePoint {
            from: id,
            tasks: 1,
            manifest: self.blobs.put_manifest(&manifest, epoch).await.unwrap(),
        }
    }

    async fn event(&mut self) -> LeaderEvent {
        self.events.recv().await.unwrap()
    }

    /// Says that the blobs are another cluster's.
    fn give_away(&self) {
        let file = self.place().join("cluster.json");
        let theirs = br#"{"format":1,"cluster":"theirs"}"#;
        std::fs::write(file, theirs).unwrap();
    }
}

fn id(incarnation: Incarnation, number: u64) -> CheckpointId {
    CheckpointId {
        job: JOB,
        incarnation,
        attempt: Attempt(1),
        number,
        savepoint: None,
    }
}

fn tidy(listed: Vec<RestorePoint>) -> Box<Tidy> {
    Box::new(Tidy {
        job: JOB,
        incarnation: FIRST,
        attempt: Attempt(1),
        are_older_gone: true,
        listed,
    })
}

async fn wait(is_so: impl Fn() -> bool) {
    while !is_so() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_manifest_is_durable_when_that_is_told() {
    let mut world = World::new().await;
    let manifest = world.manifest(id(FIRST, 1)).await;
    world.checkpoints.store_manifest(Box::new(manifest.clone()));
    let LeaderEvent::ManifestStored {
        checkpoint,
        manifest: pointer,
    } = world.event().await
    else {
        panic!("it is not stored");
    };
    let point = RestorePoint {
        from: *checkpoint,
        tasks: 1,
        manifest: *pointer,
    };
    assert_eq!(world.blobs.manifest(&point).await.unwrap(), manifest);
}

#[tokio::test]
async fn a_manifest_waits_for_blobs_that_come_back() {
    let mut world = World::new().await;
    let manifest = world.manifest(id(FIRST, 1)).await;
    let away = world.dir.path().join("away");
    std::fs::rename(world.place(), &away).unwrap();
    world.checkpoints.store_manifest(Box::new(manifest));
    // Long enough for a try or two, which changes nothing about what is right.
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(world.events.try_recv().is_err());
    std::fs::rename(&away, world.place()).unwrap();
    let event = world.event().await;
    assert!(
        matches!(event, LeaderEvent::ManifestStored { .. }),
        "{event:?}"
    );
}

#[tokio::test]
async fn a_manifest_that_is_refused_is_no_outage() {
    let mut world = World::new().await;
    let mut manifest = world.manifest(id(FIRST, 1)).await;
    manifest.ranks[0].files[0].name = "../state".to_owned();
    world.checkpoints.store_manifest(Box::new(manifest));
    let event = world.event().await;
    let LeaderEvent::ManifestNotStored { is_outage, why, .. } = event else {
        panic!("{event:?}");
    };
    assert!(!is_outage, "{why}");
}

#[tokio::test]
async fn blobs_that_stay_out_are_told_as_an_outage() {
    let world = World::new().await;
    let guard = world.leadership.guard();
    std::fs::remove_dir_all(world.place()).unwrap();
    let checked = try_until(Duration::from_millis(200), &guard, || {
        Box::pin(world.blobs.check())
    });
    let Some(Err(GivenUp { why, is_outage, .. })) = checked.await else {
        panic!("there are no blobs");
    };
    assert!(is_outage);
    assert!(why.contains("it was tried for"), "{why}");
}

#[tokio::test]
async fn nothing_is_begun_when_the_term_is_over() {
    let World {
        blobs, leadership, ..
    } = World::new().await;
    let guard = leadership.guard();
    leadership.resign(None).await;
    guard.ended().await;
    let checked = try_until(Duration::from_secs(60), &guard, || Box::pin(blobs.check()));
    assert!(checked.await.is_none());
}

#[tokio::test]
async fn the_janitor_deletes_what_is_not_listed_and_nothing_of_another_incarnation() {
    let world = World::new().await;
    for number in 1..=3 {
        world.checkpoint(id(FIRST, number)).await;
    }
    let mut passed = world.files();
    passed.remove("cluster.json");
    let mut listed = Vec::new();
    for number in 4..=5 {
        listed.push(world.checkpoint(id(FIRST, number)).await);
        world.checkpoint(id(SECOND, number)).await;
    }
    // Not completed yet.
    world.manifest(id(FIRST, 6)).await;
    let stranger = format!("jobs/{JOB}/{FIRST}/checkpoints/1/README");
    std::fs::write(world.place().join(&stranger), b"mine").unwrap();
    let mut left = world.files();
    left.retain(|file| !passed.contains(file));
    assert_eq!(left.len(), 2 * 4 + 1 + 1 + 1);
    world.checkpoints.tidy(tidy(listed));
    wait(|| world.files().is_disjoint(&passed)).await;
    assert_eq!(world.files(), left);
}

#[tokio::test]
async fn the_janitor_deletes_nothing_without_a_valid_guard() {
    let World {
        dir: _dir,
        blobs,
        leadership,
        checkpoints,
        ..
    } = {
        let world = World::new().await;
        world.checkpoint(id(FIRST, 1)).await;
        world
    };
    let point = {
        let epoch = leadership.epoch();
        let manifest = Manifest {
            format: MANIFEST_FORMAT,
            id: id(FIRST, 2),
            ranks: vec![RankPart::default()],
        };
        RestorePoint {
            from: manifest.id,
            tasks: 1,
            manifest: blobs.put_manifest(&manifest, epoch).await.unwrap(),
        }
    };
    let guard = leadership.guard();
    checkpoints.end().await;
    leadership.resign(None).await;
    guard.ended().await;
    let tidied = janitor::tidy_job(blobs.clone(), guard, tidy(vec![point.clone()])).await;
    assert!(tidied.error.is_none());
    // What it would have deleted is there.
    let would = blobs.tidy(&tidy(vec![point])).await.unwrap();
    assert_eq!(would.deleted, 2);
}

#[tokio::test]
async fn the_janitor_deletes_nothing_in_blobs_of_another_cluster() {
    let world = World::new().await;
    world.checkpoint(id(FIRST, 1)).await;
    let listed = world.checkpoint(id(FIRST, 2)).await;
    world.give_away();
    let before = world.files();
    let guard = world.leadership.guard();
    let tidied = janitor::tidy_job(world.blobs.clone(), guard, tidy(vec![listed])).await;
    let error = tidied.error.unwrap();
    assert!(matches!(error, Error::NotOurs { .. }), "{error:?}");
    assert!(error.to_string().contains("a place of its own"), "{error}");
    assert_eq!(world.files(), before);
}

#[tokio::test]
async fn the_janitor_deletes_nothing_if_a_listed_manifest_is_gone() {
    let world = World::new().await;
    world.checkpoint(id(FIRST, 1)).await;
    let mut listed = world.checkpoint(id(FIRST, 2)).await;
    listed.manifest.sha256 = "0".repeat(64);
    let before = world.files();
    let guard = world.leadership.guard();
    let tidied = janitor::tidy_job(world.blobs.clone(), guard, tidy(vec![listed])).await;
    assert!(!tidied.error.unwrap().is_outage());
    assert_eq!(world.files(), before);
}
