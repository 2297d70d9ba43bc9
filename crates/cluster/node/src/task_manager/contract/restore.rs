//! [`Restores`]: what attempts start from. A manifest is read once for all ranks of a TaskManager.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use bytes::Bytes;
use incumbent_cluster_blobs::{Blobs, Error};
use incumbent_cluster_core::checkpoint::{CheckpointId, RestorePoint, StoredFile};
use tokio::sync::OnceCell;

use super::types::RestoreView;

/// What the tasks of this TaskManager start from.
#[derive(Debug, Default)]
pub(super) struct Restores {
    points: Mutex<HashMap<Key, Weak<Restore>>>,
}

/// The digest as well: what a task is given is what its own order names.
type Key = (CheckpointId, String);

/// What the tasks of one attempt start from.
#[derive(Debug)]
pub(super) struct Restore {
    point: RestorePoint,
    read: OnceCell<Read>,
}

/// A manifest that was read.
#[derive(Debug)]
pub(super) struct Read {
    /// What a task is shown of it, as JSON.
    pub(super) view: Bytes,
    files: HashMap<(u32, String), StoredFile>,
}

impl Restores {
    /// The one of this point, which lives for as long as a task uses it.
    pub(super) fn get(&self, point: &RestorePoint) -> Arc<Restore> {
        let key = (point.from, point.manifest.sha256.clone());
        let mut points = self.points.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = points.get(&key).and_then(Weak::upgrade) {
            return known;
        }
        points.retain(|_, restore| restore.strong_count() > 0);
        let restore = Arc::new(Restore {
            point: point.clone(),
            read: OnceCell::new(),
        });
        points.insert(key, Arc::downgrade(&restore));
        restore
    }
}

impl Restore {
    pub(super) fn checkpoint(&self) -> &CheckpointId {
        &self.point.from
    }

    /// The manifest. It is read once; an error is forgotten.
    pub(super) async fn read(&self, blobs: &Blobs) -> Result<&Read, Error> {
        let read = async {
            let manifest = blobs.manifest(&self.point).await?;
            let view = serde_json::to_vec(&RestoreView::from(&manifest));
            let mut files = HashMap::new();
            for (rank, part) in (0..).zip(manifest.ranks) {
                let named = part.files.into_iter();
                files.extend(named.map(|file| ((rank, file.name.clone()), file)));
            }
            Ok(Read {
                view: view.expect("numbers and texts are JSON").into(),
                files,
            })
        };
        self.read.get_or_try_init(|| read).await
    }
}

impl Read {
    pub(super) fn file(&self, rank: u32, name: &str) -> Option<&StoredFile> {
        self.files.get(&(rank, name.to_owned()))
    }
}
