//! The handle of a journal.

use std::io::{self, Write};
use std::sync::Arc;
use std::thread;

use tokio::sync::{oneshot, watch};

use crate::error::{AppendError, Failure, SnapshotError};
use crate::found::Amount;
use crate::running::{Running, SnapshotTask};
use crate::shared::{Durable, Shared, lock};
use crate::syncs::SyncTimes;

/// A log of entries, with snapshots, in a directory of its own.
///
/// A cheap handle: clones are the same journal. Dropping the last one writes what was
/// appended and then frees the directory; [`close`](Self::close) waits for that.
#[derive(Clone, Debug)]
pub struct Journal {
    shared: Arc<Handle>,
}

/// The last one of these closes the journal.
#[derive(Debug)]
struct Handle(Arc<Shared>);

impl Drop for Handle {
    fn drop(&mut self) {
        self.0.close();
    }
}

impl Journal {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self {
            shared: Arc::new(Handle(shared)),
        }
    }

    fn inner(&self) -> &Arc<Shared> {
        &self.shared.0
    }

    /// Adds an entry to the next batch. Never waits for the disk: [`durable`](Self::durable) tells
    /// when the entry is durable.
    ///
    /// Indexes rise from 1 and may have gaps.
    ///
    /// # Errors
    ///
    /// The entry was not taken.
    ///
    /// - [`AppendError::Full`]: wait for [`room`](Self::room).
    /// - [`AppendError::TooLarge`], [`AppendError::NotRising`]: it never can be.
    /// - [`AppendError::Failed`], [`AppendError::Closed`]: no entry is taken any more.
    pub fn append(&self, index: u64, entry: &[u8]) -> Result<(), AppendError> {
        self.inner().append(index, entry)
    }

    /// How many bytes wait to be written, of at most
    /// [`Options::buffer_bytes`](crate::Options::buffer_bytes).
    #[must_use]
    pub fn waiting(&self) -> usize {
        lock(&self.inner().state).waiting.body.len()
    }

    /// Waits until at least half of the buffer is free.
    ///
    /// # Errors
    ///
    /// The journal failed and takes no entries any more.
    ///
    /// # Cancel safety
    ///
    /// It changes nothing.
    pub async fn room(&self) -> Result<(), Failure> {
        let mut durable = self.durable();
        loop {
            if let Some(failure) = durable.borrow_and_update().failure.clone() {
                return Err(failure);
            }
            if self.waiting() <= self.inner().options.buffer_bytes / 2 {
                return Ok(());
            }
            // The writer takes what waits and then publishes, so this ends.
            durable.changed().await.expect("we hold the sender");
        }
    }

    /// The index up to which everything is durable, as it rises.
    #[must_use]
    pub fn durable(&self) -> watch::Receiver<Durable> {
        self.inner().durable.subscribe()
    }

    /// Waits until the entry with this index, which was appended, is durable.
    ///
    /// # Errors
    ///
    /// The journal failed; whether the entry is durable is unknown.
    ///
    /// # Cancel safety
    ///
    /// It changes nothing.
    pub async fn wait_durable(&self, index: u64) -> Result<(), Failure> {
        let mut durable = self.durable();
        let reached = durable
            .wait_for(|durable| durable.index >= index || durable.failure.is_some())
            .await
            .expect("we hold the sender");
        match &reached.failure {
            Some(failure) if reached.index < index => Err(failure.clone()),
            _ => Ok(()),
        }
    }

    /// Waits until everything that was appended so far is durable.
    ///
    /// # Errors
    ///
    /// The journal failed; whether the entry is durable is unknown.
    pub async fn flush(&self) -> Result<(), Failure> {
        let last = lock(&self.inner().state).last;
        self.wait_durable(last).await
    }

    /// How long the syncs of the log have taken since the journal was opened.
    #[must_use]
    pub fn syncs(&self) -> SyncTimes {
        lock(&self.inner().state).syncs
    }

    /// How much was appended since the newest snapshot began.
    #[must_use]
    pub fn since_snapshot(&self) -> Amount {
        let state = lock(&self.inner().state);
        let counted = state.snapshots.counted;
        Amount {
            entries: state.appended.entries - counted.entries,
            bytes: state.appended.bytes - counted.bytes,
        }
    }

    /// Whether it is time for a snapshot:
    /// [`Options::snapshot_after_bytes`](crate::Options::snapshot_after_bytes) or
    /// [`Options::snapshot_after_entries`](crate::Options::snapshot_after_entries) were appended
    /// since the last one, and none is being written. After one that failed it takes another eighth
    /// of that.
    #[must_use]
    pub fn snapshot_due(&self) -> bool {
        let (since, options) = (self.since_snapshot(), &self.inner().options);
        let state = lock(&self.inner().state);
        let (appended, not_before) = (state.appended, state.snapshots.not_before);
        !state.snapshots.is_running
            && (since.entries >= options.snapshot_after_entries
                || since.bytes >= options.snapshot_after_bytes)
            && (appended.entries >= not_before.entries || appended.bytes >= not_before.bytes)
    }

    /// Writes a snapshot of the state after the entry `index`, on a thread of its own. When it is
    /// durable, the snapshots and the log that are not needed any more are removed.
    ///
    /// `write` is called on that thread, and may write small pieces. It must describe the state
    /// after exactly the entries up to `index`: those after it are replayed on it.
    ///
    /// The outcome is logged; [`SnapshotTask::done`] returns it.
    ///
    /// # Errors
    ///
    /// No snapshot was begun.
    ///
    /// - [`SnapshotError::Busy`]: one is being written.
    /// - [`SnapshotError::OutOfPlace`]: there is nothing new to cover, or no such entry yet.
    /// - [`SnapshotError::Failed`], [`SnapshotError::Closed`]: no snapshot is possible any more.
    /// - [`SnapshotError::Io`]: a thread cannot be started.
    pub fn snapshot(
        &self,
        index: u64,
        write: impl FnOnce(&mut dyn Write) -> io::Result<()> + Send + 'static,
    ) -> Result<SnapshotTask, SnapshotError> {
        let shared = Arc::clone(self.inner());
        let alive = shared.alive.upgrade();
        let mut state = lock(&shared.state);
        if let Some(failure) = &state.failure {
            return Err(failure.clone().into());
        }
        let (Some(alive), false) = (alive, state.closing) else {
            return Err(SnapshotError::Closed);
        };
        if state.snapshots.is_running {
            return Err(SnapshotError::Busy);
        }
        let (newest, last) = (state.snapshots.newest, state.last);
        if index <= newest || index > last {
            return Err(SnapshotError::OutOfPlace {
                index,
                newest,
                last,
            });
        }
        state.snapshots.is_running = true;
        let appended = state.appended;
        drop(state);
        let (told, outcome) = oneshot::channel();
        let running = Running {
            shared,
            appended,
            index,
            is_done: false,
        };
        let dir = running.shared.files.dir().to_owned();
        thread::Builder::new()
            .name("journal-snapshot".into())
            .spawn(move || {
                let done = running.run(write);
                // The directory is free before the outcome is sent.
                drop(alive);
                let _ = told.send(done);
            })
            .map_err(|source| SnapshotError::Io {
                doing: "start a thread for a snapshot in",
                path: dir,
                source,
            })?;
        Ok(SnapshotTask(outcome))
    }

    /// Takes no more entries, writes those it has, and waits until the directory is free. A
    /// snapshot that is being written is abandoned.
    ///
    /// # Errors
    ///
    /// The journal failed, now or before. The directory is free all the same.
    ///
    /// # Cancel safety
    ///
    /// The journal is closed all the same.
    pub async fn close(&self) -> Result<(), Failure> {
        self.inner().close();
        let mut ended = self.inner().ended.clone();
        while ended.changed().await.is_ok() {}
        match lock(&self.inner().state).failure.clone() {
            Some(failure) => Err(failure),
            None => Ok(()),
        }
    }
}
