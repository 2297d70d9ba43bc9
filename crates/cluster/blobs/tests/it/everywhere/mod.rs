//! What holds on every kind of store: each claim is a function of a [`Place`], and a test for each
//! of them.

use std::any::Any;
use std::sync::Arc;

use futures::TryStreamExt;
use incumbent_cluster_blobs::{Blobs, Error};
use incumbent_cluster_core::checkpoint::{
    Checkpoint, CheckpointId, MANIFEST_FORMAT, Manifest, ManifestPointer, PartKind, PartPlace,
    RankPart, RestorePoint, Savepoint, StoredFile,
};
use incumbent_cluster_core::{Attempt, Incarnation, JobId, Rank, SavepointId};
use incumbent_core::Epoch;
use incumbent_s3_double::{Double, Options};
use incumbent_servers::moto::Moto;
use object_store::ObjectStore;
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::prefix::PrefixStore;

use crate::{OURS, pieces};

mod files;
mod manifests;
mod others;
mod savepoints;
mod tidying;

/// A store that the blobs of a cluster are in, and what a test may do behind its back.
struct Place {
    blobs: Blobs,
    /// The same files without us; memory has no back door.
    raw: Option<Arc<dyn ObjectStore>>,
    _keep: Box<dyn Any + Send>,
}

impl Place {
    async fn memory() -> Option<Self> {
        let blobs = Blobs::open("memory:").await.unwrap();
        Some(Self::of(blobs, None, Box::new(())).await)
    }

    async fn directory() -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let url = format!("file://{}", dir.path().display());
        let blobs = Blobs::open(&url).await.unwrap();
        let raw = LocalFileSystem::new_with_prefix(dir.path()).unwrap();
        Some(Self::of(blobs, Some(Arc::new(raw)), Box::new(dir)).await)
    }

    /// A bucket of its own in the double, which answers listings in small pieces.
    async fn bucket() -> Option<Self> {
        let double = Double::start(Options {
            page: 7,
            ..Options::default()
        });
        let blobs = Blobs::open_with("s3://bucket", double.settings()).await;
        let raw = raw_bucket("bucket", &double.settings());
        Some(Self::of(blobs.unwrap(), Some(Arc::new(raw)), Box::new(double)).await)
    }

    /// A part of a bucket in the server that others wrote.
    async fn moto() -> Option<Self> {
        let moto = tokio::task::spawn_blocking(Moto::shared).await.unwrap()?;
        let bucket = format!("bucket-{:016x}", rand::random::<u64>());
        moto.make_bucket(&bucket);
        let url = format!("s3://{bucket}/some/prefix");
        let blobs = Blobs::open_with(&url, moto.settings()).await.unwrap();
        let raw = raw_bucket(&bucket, &moto.settings());
        let raw = PrefixStore::new(raw, "some/prefix");
        Some(Self::of(blobs, Some(Arc::new(raw)), Box::new(())).await)
    }

    async fn of(
        blobs: Blobs,
        raw: Option<Arc<dyn ObjectStore>>,
        keep: Box<dyn Any + Send>,
    ) -> Self {
        blobs.belongs_to(OURS).await.unwrap();
        Self {
            blobs,
            raw,
            _keep: keep,
        }
    }

    /// The back door; if there is none, the rest of a test is left out.
    fn raw(&self) -> Option<&dyn ObjectStore> {
        self.raw.as_deref()
    }

    /// All files but `cluster.json`, if there is a back door.
    async fn files(&self) -> Option<Vec<String>> {
        let listing = self.raw()?.list(None);
        let found: Vec<_> = listing.try_collect().await.unwrap();
        let names = found.into_iter().map(|file| file.location.to_string());
        let mut names: Vec<_> = names.filter(|name| name != "cluster.json").collect();
        names.sort();
        Some(names)
    }

    async fn store(&self, place: PartPlace, name: &str, content: &[u8]) -> StoredFile {
        let content = pieces(content, 100_000);
        self.blobs
            .put_checkpoint_file(place, name, content)
            .await
            .unwrap()
    }

    async fn read(&self, of: &CheckpointId, file: &StoredFile) -> Result<Vec<u8>, Error> {
        let parts: Vec<_> = self
            .blobs
            .read_checkpoint_file(of, file)
            .try_collect()
            .await?;
        Ok(parts.concat())
    }

    /// A checkpoint of as many ranks, each with one file, complete but for the record.
    async fn checkpoint(&self, id: CheckpointId, ranks: u32) -> (RestorePoint, Manifest) {
        let mut parts = Vec::new();
        for rank in 0..ranks {
            let content = format!("{} {} {rank}", id.attempt, id.number);
            let file = self.store(numbered(id, rank), "state", content.as_bytes());
            parts.push(RankPart {
                is_finished: false,
                files: vec![file.await],
            });
        }
        let manifest = Manifest {
            format: MANIFEST_FORMAT,
            id,
            ranks: parts,
        };
        let pointer = self.blobs.put_manifest(&manifest, Epoch::new(7)).await;
        (point(id, ranks, pointer.unwrap()), manifest)
    }
}

/// A bucket as others see it.
fn raw_bucket(name: &str, settings: &[(String, String)]) -> AmazonS3 {
    let mut builder = AmazonS3Builder::new().with_bucket_name(name);
    for (name, value) in settings {
        builder = builder.with_config(name.to_lowercase().parse().unwrap(), value);
    }
    builder.build().unwrap()
}

fn job() -> (JobId, Incarnation) {
    (JobId::new(1), Incarnation::new(2))
}

fn id(attempt: u32, number: u64) -> CheckpointId {
    let (job, incarnation) = job();
    CheckpointId {
        job,
        incarnation,
        attempt: Attempt(attempt),
        number,
        savepoint: None,
    }
}

fn savepoint_id(savepoint: u128, attempt: u32, number: u64) -> CheckpointId {
    CheckpointId {
        savepoint: Some(SavepointId::new(savepoint)),
        ..id(attempt, number)
    }
}

fn numbered(checkpoint: CheckpointId, rank: u32) -> PartPlace {
    PartPlace {
        checkpoint,
        rank: Rank(rank),
        kind: PartKind::Numbered,
    }
}

fn last(attempt: u32, rank: u32) -> PartPlace {
    PartPlace {
        checkpoint: id(attempt, 0),
        rank: Rank(rank),
        kind: PartKind::Last,
    }
}

fn point(from: CheckpointId, tasks: u32, manifest: ManifestPointer) -> RestorePoint {
    RestorePoint {
        from,
        tasks,
        manifest,
    }
}

fn savepoint(point: &RestorePoint) -> Savepoint {
    let id = point.from.savepoint.unwrap();
    Savepoint {
        id,
        checkpoint: Checkpoint {
            number: point.from.number,
            attempt: point.from.attempt,
            tasks: point.tasks,
            savepoint: Some(id),
            manifest: point.manifest.clone(),
            bytes: 10,
            completed_at: "2026-11-30T02:00:00Z".to_owned(),
            took_ms: 5,
        },
    }
}

/// Where an object of a checkpoint is, for the back door.
fn at(id: &CheckpointId, object: &str) -> Path {
    let root = match id.savepoint {
        Some(savepoint) => format!("savepoints/{savepoint}"),
        None => format!("jobs/{}/{}/checkpoints", id.job, id.incarnation),
    };
    Path::parse(format!("{root}/{object}")).unwrap()
}

/// Makes a test of each claim, on each kind of store.
macro_rules! everywhere {
    ($($claim:ident),* $(,)?) => {
        mod memory {
            $(#[tokio::test] async fn $claim() {
                if let Some(place) = super::Place::memory().await { super::$claim(place).await; }
            })*
        }
        mod directory {
            $(#[tokio::test] async fn $claim() {
                if let Some(place) = super::Place::directory().await { super::$claim(place).await; }
            })*
        }
        mod bucket {
            $(#[tokio::test] async fn $claim() {
                if let Some(place) = super::Place::bucket().await { super::$claim(place).await; }
            })*
        }
        mod moto {
            $(#[tokio::test] async fn $claim() {
                if let Some(place) = super::Place::moto().await { super::$claim(place).await; }
            })*
        }
    };
}
use everywhere;
