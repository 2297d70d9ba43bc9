//! What the worker reports, on its way to the TaskManager.
//!
//! ```text
//!  worker ──reports──► sort: blocks into files ──► store: files, then the acknowledgement
//!                        │                           waits while blobs are out
//!                        └► shown: samples
//! ```
//!
//! So the worker never waits for blobs, and what waits for them is in files ([`Spool`]). Where
//! there is no room for files, blocks stay in their [room](crate::room), and the worker encodes no
//! more until there is. At most this is in memory of snapshots that are on their way: the room of
//! blocks, the file that is being made, and the files of [`MOST_IN_MEMORY`].

mod sort;
mod spool;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, PoisonError};

use incumbent_task::{Error as TaskError, Part, Task};

use self::sort::Sorting;
use self::spool::{MOST_IN_MEMORY, Spool, Waiting};
use super::restore::META_FILE_NAME;
use super::{exit, shown, spawn};
use crate::meta::{META_VERSION, Meta, SinkMeta, StagedMeta, StateFile, sink_file};
use crate::orders::{Report, Snapshot, Whole};
use crate::{Error, Result};

/// Carries reports to the TaskManager, on threads of its own.
pub(super) fn start(task: Task, reports: Receiver<Report>) -> Result<()> {
    let (store, to_store) = channel();
    let given_up = GivenUp::default();
    let sorting = Sorting::new(
        shown::start(task.clone())?,
        Spool::new(std::env::temp_dir(), MOST_IN_MEMORY),
        given_up.clone(),
        store,
    );
    let mut storing = Storing {
        task,
        open: BTreeMap::new(),
        given_up,
    };
    let sort = move || {
        if let Err(error) = sorting.run(&reports) {
            exit::with(&error);
        }
    };
    let store = move || {
        for each in to_store {
            if let Err(error) = storing.take(each) {
                exit::with(&error);
            }
        }
    };
    spawn("files", sort)?;
    spawn("uploads", store).map(drop)
}

/// Snapshots that are of no use any more, though parts of them may wait to be stored.
#[derive(Clone, Default)]
struct GivenUp(Arc<Mutex<BTreeSet<Snapshot>>>);

/// What is to be stored, in this order.
enum Store {
    Begin(Snapshot),
    File(Snapshot, String, Waiting),
    /// What a snapshot has besides state, with the names of the files that have the state.
    Whole(Snapshot, Whole, Vec<StateFile>),
    /// Nothing more comes of it.
    End(Snapshot),
}

/// Stores files.
struct Storing {
    task: Task,
    open: BTreeMap<Snapshot, Part>,
    given_up: GivenUp,
}

impl GivenUp {
    fn add(&self, snapshot: Snapshot) {
        self.with(|all| all.insert(snapshot));
    }

    fn has(&self, snapshot: Snapshot) -> bool {
        self.with(|all| all.contains(&snapshot))
    }

    fn remove(&self, snapshot: Snapshot) {
        self.with(|all| all.remove(&snapshot));
    }

    fn with<R>(&self, each: impl FnOnce(&mut BTreeSet<Snapshot>) -> R) -> R {
        each(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Storing {
    fn take(&mut self, store: Store) -> Result<()> {
        match store {
            Store::Begin(snapshot) => {
                let part = match snapshot {
                    Snapshot::Checkpoint(number) => self.task.checkpoint(number),
                    Snapshot::Last => self.task.last(),
                };
                self.open.insert(snapshot, part);
            }
            Store::File(snapshot, name, mut waiting) => {
                if !self.given_up.has(snapshot)
                    && let Some(part) = self.open.get_mut(&snapshot)
                    && !is_pending(waiting.put(part, &name))?
                {
                    // What was staged belongs to the next one.
                    self.open.remove(&snapshot);
                }
            }
            Store::Whole(snapshot, whole, files) => {
                if let Some(mut part) = self.open.remove(&snapshot) {
                    let put = put(&mut part, whole, files);
                    is_pending(put.and_then(|()| part.ack()))?;
                }
            }
            Store::End(snapshot) => {
                self.open.remove(&snapshot);
                self.given_up.remove(snapshot);
            }
        }
        Ok(())
    }
}

/// `false` if the checkpoint has been aborted.
fn is_pending<T>(stored: Result<T, TaskError>) -> Result<bool> {
    match stored {
        Ok(_) => Ok(true),
        Err(TaskError::NotPending { .. }) => Ok(false),
        Err(error) => Err(Error::Task(error)),
    }
}

/// Stores what a snapshot has besides state.
fn put(part: &mut Part, whole: Whole, files: Vec<StateFile>) -> Result<(), TaskError> {
    let mut sinks = BTreeMap::new();
    for (name, all) in whole.sinks {
        let mut meta = SinkMeta::default();
        let mut file = Vec::new();
        for staged in all {
            let bytes = staged.bytes.as_ref().map(|bytes| {
                let from = file.len();
                file.extend_from_slice(bytes);
                from..file.len()
            });
            meta.staged.push(StagedMeta { staged, bytes });
        }
        if !file.is_empty() {
            part.put_bytes(&sink_file(&name), file)?;
        }
        sinks.insert(name, meta);
    }
    let meta = Meta {
        version: META_VERSION,
        states: whole.states,
        files,
        sources: whole.sources,
        sinks,
    };
    let meta = serde_json::to_vec(&meta).map_err(|error| TaskError::Source(error.into()))?;
    part.put_bytes(META_FILE_NAME, meta)?;
    Ok(())
}
