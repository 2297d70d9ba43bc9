//! The blobs of a cluster, in directories and in memory.

#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

use std::path::{Path, PathBuf};

use bytes::Bytes;
use futures::Stream;
use incumbent_cluster_blobs::Blobs;
use incumbent_cluster_core::{Attempt, Incarnation, JobId, Rank, TaskId};

mod archive;
mod artifact;
mod bucket;
mod cluster;
mod disk;
mod everywhere;
mod hang;
mod logs;
mod open;
mod remove;
mod staged;

/// The id of the cluster in these tests.
const OURS: &str = "0123456789abcdef0123456789abcdef";

/// Blobs in a directory, which belong to a cluster.
struct Dir {
    dir: tempfile::TempDir,
    blobs: Blobs,
}

impl Dir {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let blobs = open(dir.path()).await;
        blobs.belongs_to(OURS).await.unwrap();
        Self { dir, blobs }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// All files, without the directory they are in.
    fn files(&self) -> Vec<String> {
        files(self.dir.path())
    }
}

async fn open(dir: &Path) -> Blobs {
    Blobs::open(&format!("file://{}", dir.display()))
        .await
        .unwrap()
}

fn files(dir: &Path) -> Vec<String> {
    fn walk(dir: &Path, top: &Path, found: &mut Vec<String>) {
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, top, found);
            } else {
                found.push(path.strip_prefix(top).unwrap().display().to_string());
            }
        }
    }
    let mut found = Vec::new();
    walk(dir, dir, &mut found);
    found.sort();
    found
}

/// An upload in pieces of this size.
fn pieces(content: &[u8], size: usize) -> impl Stream<Item = Result<Bytes, std::io::Error>> + Send {
    let pieces: Vec<_> = content
        .chunks(size)
        .map(|piece| Ok(Bytes::copy_from_slice(piece)))
        .collect();
    futures::stream::iter(pieces)
}

/// Content of this length that is different everywhere.
fn content(length: usize) -> Vec<u8> {
    (0..length as u64 / 8 + 1)
        .flat_map(u64::to_be_bytes)
        .take(length)
        .collect()
}

fn task(job: u128, incarnation: u64, attempt: u32, rank: u32) -> TaskId {
    TaskId {
        job: JobId::new(job),
        incarnation: Incarnation::new(incarnation),
        attempt: Attempt(attempt),
        rank: Rank(rank),
    }
}
