//! What the worker reports, on its way to the TaskManager.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, SyncSender};

use incumbent_task::{Error as TaskError, Part, Task};

use super::restore::META_FILE_NAME;
use super::{exit, io, shown, spawn};
use crate::meta::{META_VERSION, Meta, SinkMeta, StagedMeta, StateFile, sink_file};
use crate::orders::{Report, Snapshot, Whole};
use crate::state::StateFiles;
use crate::{Error, Result};

/// Carries reports to the TaskManager, on a thread of its own.
pub(super) fn start(task: Task, reports: Receiver<Report>) -> Result<()> {
    let mut uploads = Uploads {
        shown: shown::start(task.clone())?,
        task,
        open: BTreeMap::new(),
    };
    let carry = move || {
        for report in reports {
            if let Err(error) = uploads.take(report) {
                exit::with(&error);
            }
        }
    };
    spawn("uploads", carry).map(drop)
}

struct Uploads {
    task: Task,
    shown: SyncSender<String>,
    /// Snapshots that are not whole yet.
    open: BTreeMap<Snapshot, Open>,
}

/// A snapshot whose files are stored as they become whole.
struct Open {
    part: Part,
    files: StateFiles,
}

impl Uploads {
    fn take(&mut self, report: Report) -> Result<()> {
        match report {
            Report::Begun(snapshot) => {
                let part = match snapshot {
                    Snapshot::Checkpoint(number) => self.task.checkpoint(number),
                    Snapshot::Last => self.task.last(),
                };
                let files = StateFiles::default();
                self.open.insert(snapshot, Open { part, files });
            }
            Report::Block(snapshot, block) => {
                if let Some(open) = self.open.get_mut(&snapshot)
                    && let Some(file) = open.files.add(&block).map_err(io("cannot store state"))?
                    && !is_pending(open.part.put_bytes(&file.name, file.bytes))?
                {
                    // What was staged belongs to the next one.
                    self.open.remove(&snapshot);
                }
            }
            Report::GivenUp(snapshot) => {
                self.open.remove(&snapshot);
            }
            Report::Whole(snapshot, whole) => {
                if let Some(mut open) = self.open.remove(&snapshot) {
                    let (last, files) = (open.files.finish()).map_err(io("cannot store state"))?;
                    if let Some(file) = last
                        && !is_pending(open.part.put_bytes(&file.name, file.bytes))?
                    {
                        return Ok(());
                    }
                    let put = put(&mut open.part, whole, files);
                    is_pending(put.and_then(|()| open.part.ack()))?;
                }
            }
            // If the last ones are still on their way, these are left out.
            Report::Metrics(text) => drop(self.shown.try_send(text)),
            Report::Built => {}
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
