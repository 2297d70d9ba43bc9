//! [`Kept`]: logs of tasks that have ended. Their tails go to the blobs, their files stay here for a
//! while.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use incumbent::backend::{Pace, jitter};
use incumbent_backend::causes;
use incumbent_cluster_blobs::Blobs;
use incumbent_cluster_core::TaskId;
use tokio::sync::Notify;
use tokio::task::JoinSet;

use super::blob_health::BlobHealth;
use super::log::{LOG_STREAM, TaskLog};
use super::metrics;
use super::task::{Shared, TaskEntry};
use super::tasks::Tasks;

/// How much of the end of a log goes to the blobs: what explains an end is there.
pub const LOG_TAIL: usize = 64 * 1024;

/// How many logs of ended tasks stay on this machine.
pub const KEPT_LOGS: usize = 1000;

/// How many bytes of them. Beyond either limit, the oldest go.
pub const KEPT_LOG_BYTES: u64 = 1024 * 1024 * 1024;

/// How many tails are stored at a time: a gang of hundreds that ends at once is through in a
/// second, and artifacts can be fetched meanwhile.
pub(super) const MOST_STORING: usize = 8;

/// Pauses after a tail was not stored.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// How much of the logs of ended tasks stays on this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeptLimits {
    /// Most logs.
    pub logs: usize,
    /// Most bytes.
    pub bytes: u64,
}

impl Default for KeptLimits {
    fn default() -> Self {
        Self {
            logs: KEPT_LOGS,
            bytes: KEPT_LOG_BYTES,
        }
    }
}

/// Logs of ended tasks.
#[derive(Debug)]
pub(super) struct Kept {
    limits: KeptLimits,
    lists: Mutex<Lists>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct Lists {
    /// The tails of these are not stored yet.
    unstored: VecDeque<Arc<TaskEntry>>,
    /// How many of them are being stored at present.
    storing: usize,
    /// All of them, oldest first.
    all: VecDeque<Arc<TaskEntry>>,
}

impl Kept {
    pub(super) fn new(limits: KeptLimits) -> Self {
        Self {
            limits,
            lists: Mutex::default(),
            changed: Notify::new(),
        }
    }

    /// A task has ended, and its log is complete.
    pub(super) fn keep(&self, entry: Arc<TaskEntry>) {
        let mut lists = self.lists();
        lists.all.push_back(Arc::clone(&entry));
        lists.unstored.push_back(entry);
        drop(lists);
        self.changed.notify_waiters();
    }

    /// Waits until all tails are stored.
    pub(super) async fn stored(&self) {
        loop {
            let changed = self.changed.notified();
            let is_stored = {
                let lists = self.lists();
                lists.unstored.is_empty() && lists.storing == 0
            };
            if is_stored {
                return;
            }
            changed.await;
        }
    }

    /// Stores tails, and removes what is too much. Never returns.
    pub(super) async fn follow(&self, shared: &Shared, tasks: &Tasks, blobs: &Blobs) {
        let mut storing = JoinSet::new();
        loop {
            let changed = self.changed.notified();
            while storing.len() < MOST_STORING
                && let Some(entry) = self.next()
            {
                let (blobs, health) = (blobs.clone(), Arc::clone(&shared.blob_health));
                storing.spawn(async move {
                    store(entry.id, entry.log.clone(), &blobs, &health).await;
                });
            }
            self.trim(shared, tasks).await;
            tokio::select! {
                () = changed => {}
                Some(_) = storing.join_next() => {
                    self.lists().storing -= 1;
                    self.changed.notify_waiters();
                }
            }
        }
    }

    fn next(&self) -> Option<Arc<TaskEntry>> {
        let mut lists = self.lists();
        let next = lists.unstored.pop_front()?;
        lists.storing += 1;
        Some(next)
    }

    /// Removes the oldest logs beyond the limits, whether their tails are stored or not: blobs that
    /// are away for days must not fill this disk.
    async fn trim(&self, shared: &Shared, tasks: &Tasks) {
        while let Some(entry) = self.surplus() {
            tasks.remove(entry.id);
            let dir = shared.work_dir.of_task(entry.id);
            let removed = tokio::task::spawn_blocking(move || std::fs::remove_dir_all(dir));
            // A task that was not started may have none.
            if let Ok(Err(error)) = removed.await
                && error.kind() != io::ErrorKind::NotFound
            {
                tracing::warn!(task = %entry.id, %error, "could not remove an old log");
            }
        }
    }

    fn surplus(&self) -> Option<Arc<TaskEntry>> {
        let mut lists = self.lists();
        ::metrics::gauge!(metrics::KEPT_LOGS).set(lists.all.len() as f64);
        let bytes: u64 = lists.all.iter().map(|entry| entry.log.size()).sum();
        let is_surplus = lists.all.len() > self.limits.logs || bytes > self.limits.bytes;
        let oldest = is_surplus.then(|| lists.all.pop_front())??;
        lists.unstored.retain(|entry| entry.id != oldest.id);
        Some(oldest)
    }

    fn lists(&self) -> MutexGuard<'_, Lists> {
        self.lists.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Stores the tail of a log, however long that takes.
pub(super) async fn store(task: TaskId, log: TaskLog, blobs: &Blobs, health: &BlobHealth) {
    let read = tokio::task::spawn_blocking(move || log.last_bytes(LOG_TAIL)).await;
    let tail = match read {
        Ok(Ok(tail)) => Bytes::from(tail),
        Ok(Err(error)) => {
            tracing::warn!(%task, %error, "could not read a log to keep its tail");
            return;
        }
        Err(_) => return,
    };
    if tail.is_empty() {
        return;
    }
    let mut pace = Pace::new(FIRST_PAUSE, LONGEST_PAUSE);
    loop {
        match blobs.put_log_tail(task, LOG_STREAM, tail.clone()).await {
            Ok(_) => return,
            Err(error) if error.is_outage() => {
                health.failed(&causes(&error));
                tokio::time::sleep(pace.after_failure(jitter())).await;
                health.well().await;
            }
            Err(error) => {
                tracing::warn!(
                    %task,
                    error = causes(&error),
                    "the tail of a log could not be stored; it is only on this machine"
                );
                return;
            }
        }
    }
}
