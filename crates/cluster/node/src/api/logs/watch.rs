//! [`RecordWatch`]: says to those who follow a log that the record of its job may have changed.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use incumbent::{Change, Changes, Group};
use incumbent_cluster_core::JobId;
use tokio::sync::watch;

/// How long after the last follower the watch ends.
const IDLE: Duration = Duration::from_secs(5);

/// The changes of the records of jobs, for all followers on this node. Works while there are some.
#[derive(Clone, Default)]
pub(in super::super) struct RecordWatch(Arc<Mutex<Jobs>>);

#[derive(Default)]
struct Jobs {
    followed: HashMap<JobId, watch::Sender<u64>>,
    is_watched: bool,
}

impl RecordWatch {
    /// Changes whenever the record of this job may have.
    pub(super) fn of(&self, group: &Group, job: JobId) -> watch::Receiver<u64> {
        let mut jobs = self.jobs();
        let followed = jobs.followed.entry(job);
        let changed = followed
            .or_insert_with(|| watch::Sender::new(0))
            .subscribe();
        if !std::mem::replace(&mut jobs.is_watched, true) {
            tokio::spawn(self.clone().watch(group.changes()));
        }
        changed
    }

    async fn watch(self, mut changes: Changes) {
        loop {
            let told = tokio::time::timeout(IDLE, changes.next()).await;
            let mut jobs = self.jobs();
            jobs.followed
                .retain(|_, follower| follower.receiver_count() > 0);
            if jobs.followed.is_empty() {
                jobs.is_watched = false;
                return;
            }
            for change in told.unwrap_or_default() {
                let (Change::Written(name) | Change::Gone(name)) = change;
                let follower = JobId::of_record(&name).and_then(|job| jobs.followed.get(&job));
                if let Some(follower) = follower {
                    follower.send_modify(|changes| *changes += 1);
                }
            }
        }
    }

    fn jobs(&self) -> MutexGuard<'_, Jobs> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
