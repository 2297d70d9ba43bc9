//! The state that the handles of a journal and its threads share.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError, Weak};

use tokio::sync::watch;

use crate::error::{AppendError, Failure};
use crate::files::Files;
use crate::format::batch::{self, ENTRY_HEAD};
use crate::found::Amount;
use crate::kept::Kept;
use crate::lock::Lock;
use crate::options::Options;
use crate::syncs::SyncTimes;

/// How far the log is on the disk.
#[derive(Clone, Debug, Default)]
pub struct Durable {
    /// All entries up to this index survive a loss of power.
    pub index: u64,
    /// Why nothing after it becomes durable. It is final.
    pub failure: Option<Failure>,
}

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) files: Files,
    pub(crate) options: Options,
    pub(crate) journal: u128,
    pub(crate) state: Mutex<JournalState>,
    /// Notified when the writer has something to do, if it sleeps.
    pub(crate) ready: Condvar,
    /// Notified when more is durable, or nothing more ever will be.
    pub(crate) progress: Condvar,
    pub(crate) durable: watch::Sender<Durable>,
    pub(crate) kept: Mutex<Kept>,
    /// Set to end long work early that the next start can repeat.
    pub(crate) stop: AtomicBool,
    pub(crate) alive: Weak<Alive>,
    pub(crate) ended: watch::Receiver<()>,
}

/// Owned by all threads: the directory is free when the last of them has ended.
#[derive(Debug)]
pub(crate) struct Alive {
    // The order matters: a caller that learns that all have ended may open the directory.
    pub(crate) _lock: Option<Lock>,
    pub(crate) _ended: watch::Sender<()>,
}

#[derive(Debug, Default)]
pub(crate) struct JournalState {
    /// The body of the next batch.
    pub(crate) waiting: Waiting,
    /// Index of the last entry.
    pub(crate) last: u64,
    pub(crate) appended: Amount,
    pub(crate) closing: bool,
    /// Whether the writer sleeps. Waking it takes a system call, which is saved while it is busy.
    pub(crate) idle: bool,
    pub(crate) durable: u64,
    pub(crate) failure: Option<Failure>,
    pub(crate) snapshots: Snapshots,
    pub(crate) syncs: SyncTimes,
}

#[derive(Debug, Default)]
pub(crate) struct Waiting {
    pub(crate) body: Vec<u8>,
    pub(crate) count: u32,
}

impl Waiting {
    /// The same buffer, empty.
    pub(crate) fn emptied(mut self) -> Self {
        self.body.clear();
        self.count = 0;
        self
    }
}

/// When the next snapshot is due.
#[derive(Debug, Default)]
pub(crate) struct Snapshots {
    pub(crate) is_running: bool,
    /// Index of the newest snapshot.
    pub(crate) newest: u64,
    /// How much had been appended when it began.
    pub(crate) counted: Amount,
    /// After a failed attempt, none is due before this much was appended.
    pub(crate) not_before: Amount,
}

/// A panic elsewhere leaves nothing half changed: every change is made in one step.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    pub(crate) fn append(&self, index: u64, entry: &[u8]) -> Result<(), AppendError> {
        let limit = self.options.buffer_bytes;
        let size = ENTRY_HEAD + entry.len();
        if size > limit {
            return Err(AppendError::TooLarge {
                size: entry.len(),
                limit: limit.saturating_sub(ENTRY_HEAD),
            });
        }
        let mut state = lock(&self.state);
        if let Some(failure) = &state.failure {
            return Err(failure.clone().into());
        }
        if state.closing {
            return Err(AppendError::Closed);
        }
        if index <= state.last {
            let last = state.last;
            return Err(AppendError::NotRising { index, last });
        }
        let waiting = state.waiting.body.len();
        if waiting + size > limit {
            return Err(AppendError::Full { waiting, limit });
        }
        batch::push(&mut state.waiting.body, index, entry);
        state.waiting.count += 1;
        state.last = index;
        state.appended.entries += 1;
        state.appended.bytes += entry.len() as u64;
        let wake = std::mem::take(&mut state.idle);
        drop(state);
        if wake {
            self.ready.notify_one();
        }
        Ok(())
    }

    /// Takes no more entries, and ends the threads when all entries are written.
    pub(crate) fn close(&self) {
        self.stop.store(true, Ordering::Relaxed);
        lock(&self.state).closing = true;
        self.ready.notify_one();
        self.progress.notify_all();
    }

    /// Publishes that everything up to `index` is durable.
    pub(crate) fn publish(&self, index: u64, syncs: SyncTimes) {
        let mut state = lock(&self.state);
        state.durable = index;
        state.syncs.add(syncs);
        drop(state);
        self.durable.send_modify(|durable| durable.index = index);
        self.progress.notify_all();
    }

    /// Publishes that nothing more ever becomes durable.
    pub(crate) fn fail(&self, failure: Failure) {
        let mut state = lock(&self.state);
        state.failure = Some(failure.clone());
        state.waiting = Waiting::default();
        drop(state);
        self.durable
            .send_modify(|durable| durable.failure = Some(failure.clone()));
        self.progress.notify_all();
        // Logged last: a slow reader of diagnostics does not delay those who wait for the disk.
        let cause = std::error::Error::source(&failure).map(ToString::to_string);
        tracing::error!(%failure, cause, "the journal failed; it takes no more entries");
    }
}
