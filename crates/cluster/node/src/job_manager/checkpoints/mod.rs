//! [`Checkpoints`]: what a term does with the files of checkpoints and savepoints.
//!
//! Everything here goes on beside the loop of the term, in tasks of its own, and comes back as
//! events. So blobs that are slow or gone delay no order, no acknowledgement and no commit.

mod janitor;
mod manifests;
mod savepoints;
mod sweep;
#[cfg(test)]
mod tests;
mod trying;

use std::collections::HashMap;
use std::sync::Arc;

use incumbent::{Epoch, Guard};
use incumbent_cluster_blobs::Blobs;
use incumbent_cluster_core::checkpoint::{Manifest, Savepoint};
use incumbent_cluster_core::leader::{LeaderEvent, Tidy};
use incumbent_cluster_core::{Incarnation, JobId, SavepointId};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::{AbortHandle, JoinSet};

use janitor::Janitor;

/// Manifests that are written side by side. The blobs serve all else of this process too, and one
/// manifest may have 16 MiB.
const MOST_MANIFESTS: usize = 16;

/// Savepoints that are looked for, marked or removed side by side. People ask for these, so there
/// are few.
const MOST_SAVEPOINTS: usize = 8;

/// The files of one term. Dropping it drops what is under way, which harms nothing: a manifest that
/// no record names is litter, and everything else is done again.
pub(super) struct Checkpoints {
    files: Files,
    /// The manifest of each job that is being written. A job has one checkpoint at a time.
    manifests: HashMap<JobId, AbortHandle>,
    /// The savepoints that are being marked. Each mark listens here for its withdrawal, so a sender
    /// that is closed says that all marks of that savepoint have ended.
    marks: HashMap<SavepointId, watch::Sender<bool>>,
    manifest_places: Arc<Semaphore>,
    savepoint_places: Arc<Semaphore>,
    tasks: JoinSet<()>,
    janitor: Janitor,
}

/// What each task has.
#[derive(Clone)]
struct Files {
    blobs: Blobs,
    guard: Guard,
    events: mpsc::Sender<LeaderEvent>,
}

impl Checkpoints {
    pub(super) fn new(blobs: Blobs, guard: Guard, events: mpsc::Sender<LeaderEvent>) -> Self {
        Self {
            janitor: Janitor::start(blobs.clone(), guard.clone()),
            files: Files {
                blobs,
                guard,
                events,
            },
            manifests: HashMap::new(),
            marks: HashMap::new(),
            manifest_places: Arc::new(Semaphore::new(MOST_MANIFESTS)),
            savepoint_places: Arc::new(Semaphore::new(MOST_SAVEPOINTS)),
            tasks: JoinSet::new(),
        }
    }

    /// Writes a manifest, and tells whether it is durable. What is being written for an earlier
    /// checkpoint of the same job is dropped: nobody waits for it any more.
    pub(super) fn store_manifest(&mut self, manifest: Box<Manifest>) {
        let job = manifest.id.job;
        let (files, places) = (self.files.clone(), Arc::clone(&self.manifest_places));
        let task = self.spawn(manifests::store(files, places, manifest));
        if let Some(earlier) = self.manifests.insert(job, task) {
            earlier.abort();
        }
    }

    /// Looks for a savepoint, and tells what was found.
    pub(super) fn find_savepoint(&mut self, id: SavepointId) {
        let (files, places) = (self.files.clone(), Arc::clone(&self.savepoint_places));
        self.spawn(savepoints::find(files, places, id));
    }

    /// Says beside the files of a savepoint that it was committed. If that fails, it is done again
    /// before the record goes.
    pub(super) fn mark_savepoint(
        &mut self,
        job: JobId,
        incarnation: Incarnation,
        name: String,
        savepoint: Box<Savepoint>,
    ) {
        let (files, places) = (self.files.clone(), Arc::clone(&self.savepoint_places));
        let marks = self.marks.entry(savepoint.id);
        let mark = savepoints::Mark {
            job,
            incarnation,
            name,
            withdrawn: marks
                .or_insert_with(|| watch::Sender::new(false))
                .subscribe(),
            savepoint,
        };
        self.spawn(savepoints::mark(files, places, mark));
    }

    /// Removes the files of a savepoint, and tells whether they are gone. What still tries to mark
    /// it is withdrawn first: a mark that came later would say that there is a savepoint.
    pub(super) fn remove_savepoint(&mut self, id: SavepointId) {
        let (files, places) = (self.files.clone(), Arc::clone(&self.savepoint_places));
        let marks = self.marks.remove(&id);
        self.spawn(savepoints::remove(files, places, id, marks));
    }

    /// Lets the janitor know what it has to leave alone.
    pub(super) fn tidy(&self, tidy: Box<Tidy>) {
        self.janitor.tidy(tidy);
    }

    /// The record of this job is going to be erased: the janitor leaves its files alone.
    pub(super) fn forget(&self, job: JobId) {
        self.janitor.forget(job);
    }

    /// Drops what is under way, and waits until it is gone.
    pub(super) async fn end(mut self) {
        self.janitor.end().await;
        self.tasks.shutdown().await;
    }

    fn spawn(&mut self, work: impl Future<Output = ()> + Send + 'static) -> AbortHandle {
        while let Some(ended) = self.tasks.try_join_next() {
            if let Err(error) = ended
                && error.is_panic()
            {
                std::panic::resume_unwind(error.into_panic());
            }
        }
        self.manifests.retain(|_, task| !task.is_finished());
        self.marks.retain(|_, marks| !marks.is_closed());
        self.tasks.spawn(work)
    }
}

impl Files {
    fn epoch(&self) -> Epoch {
        self.guard.epoch()
    }

    /// Tells the machine. Nobody listens if the term is over.
    async fn tell(&self, event: LeaderEvent) {
        let _ = self.events.send(event).await;
    }
}
