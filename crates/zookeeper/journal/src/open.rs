//! Opens a journal: reads the directory and starts the thread that writes.

use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Condvar, Mutex};

use tokio::sync::watch;

use crate::disk::{Disk, RealDisk};
use crate::error::{BoxError, OpenError};
use crate::files::Files;
use crate::found::{Amount, Found, Replay, Torn};
use crate::journal::Journal;
use crate::kept;
use crate::lock::Lock;
use crate::options::Options;
use crate::recover::{self, Recovery};
use crate::shared::{Alive, Durable, JournalState, Shared, Snapshots};
use crate::writer;

/// A journal that was opened, and what was found besides the entries that were replayed.
#[derive(Debug)]
#[non_exhaustive]
pub struct Recovered {
    /// The journal, ready for more.
    pub journal: Journal,
    /// Index of the snapshot that was replayed, if there was one.
    pub snapshot: Option<u64>,
    /// Index of the last entry, or of the snapshot if no entry follows it; 0 if the journal is new.
    pub last: u64,
    /// How many entries were replayed.
    pub replayed: Amount,
    /// The remains of a write that was cut off. They were removed.
    pub torn: Option<Torn>,
}

impl Journal {
    /// Opens the journal in a directory. Creates the directory and begins a journal if needed.
    ///
    /// Calls `replay` with the newest snapshot, if there is one, and then with every entry after it
    /// in order. All of this is durable when this returns, also entries that were never
    /// acknowledged. Reads and writes files, so call it where blocking is allowed.
    ///
    /// # Errors
    ///
    /// - [`OpenError::Foreign`]: the directory holds something else.
    /// - [`OpenError::Locked`]: another process has it open.
    /// - [`OpenError::Damaged`], [`OpenError::Missing`], [`OpenError::Newer`]: a person must
    ///   look at it. The calls of `replay` were not complete, and their result must not be used.
    /// - [`OpenError::Refused`]: `replay` returned an error.
    /// - [`OpenError::Options`], [`OpenError::Io`]: as they say.
    pub fn open(
        dir: &Path,
        options: Options,
        mut replay: impl FnMut(Found<'_>) -> Result<(), BoxError>,
    ) -> Result<Recovered, OpenError> {
        RealDisk::create_dir(dir).map_err(|source| OpenError::Io {
            doing: "create",
            path: dir.to_owned(),
            source,
        })?;
        let disk = Arc::new(RealDisk(dir.to_owned()));
        Files::new(disk.clone(), dir).refuse_foreign()?;
        let lock = Lock::take(dir)?;
        open(disk, dir, options, Some(lock), &mut replay)
    }
}

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
        state: Mutex::new(JournalState {
            last,
            durable: last,
            appended: replayed,
            snapshots: Snapshots {
                newest,
                ..Snapshots::default()
            },
            ..JournalState::default()
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
