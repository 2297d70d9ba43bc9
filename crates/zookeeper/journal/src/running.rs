//! The thread that writes a snapshot, and then removes the files that are not needed any more.

use std::io::{self, Write};
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use tokio::sync::oneshot;

use crate::error::SnapshotError;
use crate::found::Amount;
use crate::shared::{Shared, lock};
use crate::{kept, snapshot};

/// A snapshot that is being written. Dropping this does not stop it.
#[derive(Debug)]
pub struct SnapshotTask(pub(crate) oneshot::Receiver<Result<(), SnapshotError>>);

impl SnapshotTask {
    /// Waits for the outcome.
    ///
    /// # Errors
    ///
    /// Why there is no new snapshot. The journal continues, unless it failed itself.
    pub async fn done(self) -> Result<(), SnapshotError> {
        self.0.await.unwrap_or(Err(SnapshotError::Closed))
    }
}

/// What its thread has.
pub(crate) struct Running {
    pub(crate) shared: Arc<Shared>,
    /// How much had been appended when the snapshot began.
    pub(crate) appended: Amount,
    pub(crate) index: u64,
    pub(crate) is_done: bool,
}

impl Running {
    pub(crate) fn run(
        mut self,
        write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> Result<(), SnapshotError> {
        let done = self.write(write);
        self.is_done = done.is_ok();
        match &done {
            Ok(()) | Err(SnapshotError::Closed) => {}
            Err(error) => {
                let cause = std::error::Error::source(error);
                tracing::warn!(index = self.index, %error, cause, "cannot write a snapshot; the log is kept, retrying after more entries");
            }
        }
        done
    }

    fn write(
        &self,
        write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> Result<(), SnapshotError> {
        let Shared {
            files,
            journal,
            options,
            kept,
            stop,
            ..
        } = &*self.shared;
        self.wait_durable()?;
        let written = snapshot::write(files, *journal, self.index, stop, write);
        if written.is_err() && stop.load(Ordering::Relaxed) {
            return Err(SnapshotError::Closed);
        }
        let bytes = written?;
        tracing::info!(index = self.index, bytes, "wrote a snapshot");
        let unneeded = {
            let mut kept = lock(kept);
            kept.add_snapshot(self.index);
            kept.take_unneeded(options.keep_snapshots)
        };
        if let Err(trouble) = kept::remove(files, unneeded) {
            let (path, cause) = (trouble.path.display(), &trouble.source);
            tracing::warn!(%path, %cause, "cannot remove files that are not needed any more; the next start retries");
        }
        Ok(())
    }

    /// A snapshot must not be ahead of the log: the entries it covers must be durable first.
    fn wait_durable(&self) -> Result<(), SnapshotError> {
        let shared = &self.shared;
        let mut state = lock(&shared.state);
        loop {
            if state.durable >= self.index {
                return Ok(());
            }
            if let Some(failure) = &state.failure {
                return Err(failure.clone().into());
            }
            if shared.stop.load(Ordering::Relaxed) {
                return Err(SnapshotError::Closed);
            }
            state = shared
                .progress
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Drop for Running {
    /// Runs also after a panic of the caller's closure.
    fn drop(&mut self) {
        let mut state = lock(&self.shared.state);
        state.snapshots.is_running = false;
        if self.is_done {
            state.snapshots.newest = self.index;
            state.snapshots.counted = self.appended;
        } else {
            let options = &self.shared.options;
            state.snapshots.not_before = Amount {
                entries: state.appended.entries + options.snapshot_after_entries / 8,
                bytes: state.appended.bytes + options.snapshot_after_bytes / 8,
            };
        }
    }
}
