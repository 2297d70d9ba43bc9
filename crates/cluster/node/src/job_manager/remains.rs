//! [`Remains`]: the files of jobs that are removed, until they are gone.

use std::collections::HashMap;
use std::time::Duration;

use incumbent::Guard;
use incumbent_backend::causes;
use incumbent_cluster_blobs::{Blobs, Error};
use incumbent_cluster_core::{Incarnation, JobId, JobRecord};
use tokio::task::JoinSet;
use tokio::time::sleep;

/// The first pause before files are removed again that could not be. It doubles.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// The longest one: nobody waits for it.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// The files of removed jobs. Pointer gone first, then files: so they may be left when the term
/// ends between, and nothing knows them then.
pub(super) struct Remains {
    files: JobFiles,
    /// Jobs whose record was to be deleted, and of which it is not known whether it was.
    unsure: HashMap<JobId, Incarnation>,
    removing: JoinSet<()>,
}

/// What removes the files of a job, while the term lasts.
#[derive(Clone)]
pub(super) struct JobFiles {
    blobs: Blobs,
    guard: Guard,
}

impl Remains {
    pub(super) fn new(blobs: Blobs, guard: Guard) -> Self {
        Self {
            files: JobFiles { blobs, guard },
            unsure: HashMap::new(),
            removing: JoinSet::new(),
        }
    }

    pub(super) fn files(&self) -> JobFiles {
        self.files.clone()
    }

    /// The record of this job is going to be erased, one way or the other. What is known of an
    /// earlier try is out of date.
    pub(super) fn erasing(&mut self, job: JobId) {
        self.unsure.remove(&job);
    }

    /// The record of this job may have been deleted: [`opened`](Self::opened) will say it.
    pub(super) fn unsure(&mut self, job: JobId, incarnation: Incarnation) {
        self.unsure.insert(job, incarnation);
    }

    /// The record of this job was opened, and this is what is there. If it is the same job still,
    /// the request that was to delete it may yet arrive.
    pub(super) fn opened(&mut self, job: JobId, there: Option<&JobRecord>) {
        let there = there.map(|record| record.incarnation);
        if let Some(incarnation) = self.unsure.get(&job).copied()
            && there != Some(incarnation)
        {
            self.unsure.remove(&job);
            self.remove(job, incarnation);
        }
    }

    /// Removes the files of this job, whose record is gone, until they are gone.
    pub(super) fn remove(&mut self, job: JobId, incarnation: Incarnation) {
        while self.removing.try_join_next().is_some() {}
        let files = self.files.clone();
        self.removing.spawn(async move {
            let mut pause = FIRST_PAUSE;
            while !files.remove(job, incarnation).await {
                sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        });
    }

    /// Drops what is under way, and waits until it is gone.
    pub(super) async fn end(mut self) {
        self.removing.shutdown().await;
    }
}

impl JobFiles {
    /// Removes the files of this job, whose record is gone. Whether there is nothing more to do:
    /// not if the blobs are out.
    pub(super) async fn remove(&self, job: JobId, incarnation: Incarnation) -> bool {
        // A process that was stopped past its lease does nothing when it goes on.
        while self.guard.is_valid() {
            match self.blobs.remove_job(job, incarnation).await {
                Ok(removed) if removed.more => {}
                Ok(_) => break,
                Err(error) => {
                    log(job, &error);
                    return !error.is_outage();
                }
            }
        }
        true
    }
}

fn log(job: JobId, error: &Error) {
    let why = causes(error);
    if error.is_outage() {
        tracing::warn!(
            %job, why,
            "cannot remove the files of a removed job; trying again while this node leads"
        );
    } else {
        tracing::warn!(%job, why, "cannot remove the files of a removed job; they are left");
    }
}
