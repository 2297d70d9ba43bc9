//! Opens a journal: reads the directory and starts the thread that writes.

use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Condvar, Mutex};

use tokio::sync::watch;

use crate::disk::Disk;
use crate::error::OpenError;
use crate::files::Files;
use crate::found::Replay;
use crate::journal::{Journal, Recovered};
use crate::kept;
use crate::lock::Lock;
use crate::options::Options;
use crate::recover::{self, Recovery};
use crate::shared::{Alive, Durable, Shared, Snapshots, State};
use crate::writer;

/// Opens the journal on a disk, real or simulated.
pub(crate) fn open(
    disk: Arc<dyn Disk>,
    dir: &Path,
    options: Options,
    lock: Option<Lock>,
    replay: Replay<'_>,
) -> Result<Recovered, OpenError> {
    if let Some(nonsense) = options.nonsense() {
        return Err(OpenError::Options(nonsense));
    }
    let files = Files::new(disk, dir);
    let Recovery {
        journal,
        log,
        next,
        mut kept,
        torn,
        replayed,
    } = recover::recover(&files, &options, replay)?;
    // An earlier cleanup may have been interrupted.
    kept::remove(&files, kept.take_unneeded(options.keep_snapshots))?;
    let (last, newest) = (log.position.index, kept.newest());
    tracing::info!(dir = %dir.display(), last, snapshot = newest, entries = replayed.entries, "the journal is open");
    if let Some(torn) = &torn {
        let (file, offset, length) = (torn.file.display(), torn.offset, torn.length);
        tracing::warn!(%file, offset, length, "removed the remains of a write that was cut off; it was not acknowledged");
    }
    let (ended_sender, ended) = watch::channel(());
    let alive = Arc::new(Alive {
        _lock: lock,
        _ended: ended_sender,
    });
    let shared = Arc::new(Shared {
        files,
        options,
        journal,
        state: Mutex::new(State {
            last,
            durable: last,
            appended: replayed,
            snapshots: Snapshots {
                newest,
                ..Snapshots::default()
            },
            ..State::default()
        }),
        ready: Condvar::new(),
        progress: Condvar::new(),
        durable: watch::Sender::new(Durable {
            index: last,
            failure: None,
        }),
        kept: Mutex::new(kept),
        stop: AtomicBool::new(false),
        alive: Arc::downgrade(&alive),
        ended,
    });
    writer::start(Arc::clone(&shared), log, next, alive).map_err(|source| OpenError::Io {
        doing: "start a thread for",
        path: dir.to_owned(),
        source,
    })?;
    Ok(Recovered {
        journal: Journal::new(shared),
        snapshot: (newest > 0).then_some(newest),
        last,
        replayed,
        torn,
    })
}
