//! What the worker reports, on its way to the TaskManager.

use std::collections::BTreeMap;
use std::sync::mpsc::Receiver;

use incumbent_task::{Error as TaskError, Part, Task};

use super::restore::META_FILE_NAME;
use super::{give_up, io};
use crate::meta::{META_VERSION, Meta, SinkMeta, StagedMeta};
use crate::orders::{Report, Snapshot, Whole};
use crate::state::StateFiles;
use crate::{Error, Result};

/// Carries reports to the TaskManager, on a thread of its own.
pub(super) fn start(task: Task, reports: Receiver<Report>) -> Result<()> {
    let mut uploads = Uploads {
        task,
        open: BTreeMap::new(),
    };
    let carry = move || {
        for report in reports {
            if let Err(error) = uploads.take(report) {
                give_up(&error);
            }
        }
    };
    let thread = std::thread::Builder::new().name("uploads".to_owned());
    thread.spawn(carry).map_err(io("cannot start a thread"))?;
    Ok(())
}

struct Uploads {
    task: Task,
    /// The state of snapshots that are not whole yet.
    open: BTreeMap<Snapshot, StateFiles>,
}

impl Uploads {
    fn take(&mut self, report: Report) -> Result<()> {
        match report {
            Report::Begun(snapshot) => {
                self.open.insert(snapshot, StateFiles::new());
            }
            Report::Block(snapshot, block) => {
                if let Some(files) = self.open.get_mut(&snapshot) {
                    files
                        .add(block)
                        .map_err(io("cannot keep a snapshot in the directory of this task"))?;
                }
            }
            Report::GivenUp(snapshot) => {
                self.open.remove(&snapshot);
            }
            Report::Whole(snapshot, whole) => {
                let files = self.open.remove(&snapshot).unwrap_or_else(StateFiles::new);
                self.store(snapshot, whole, files)?;
            }
            // What is shown is not worth the job.
            Report::Metrics(text) => drop(self.task.metrics(&text)),
            Report::Built => {}
            Report::Failed(error) => give_up(&error),
        }
        Ok(())
    }

    fn store(&self, snapshot: Snapshot, whole: Whole, files: StateFiles) -> Result<()> {
        let mut part = match snapshot {
            Snapshot::Checkpoint(number) => self.task.checkpoint(number),
            Snapshot::Last => self.task.last(),
        };
        match self.put(&mut part, whole, files).and_then(|()| part.ack()) {
            // What was staged belongs to the next one.
            Ok(()) | Err(TaskError::NotPending { .. }) => Ok(()),
            Err(error) => Err(Error::Task(error)),
        }
    }

    fn put(&self, part: &mut Part, whole: Whole, files: StateFiles) -> Result<(), TaskError> {
        for (name, file) in files.into_files().map_err(TaskError::Source)? {
            part.put(&name, file)?;
        }
        let mut sinks = BTreeMap::new();
        for (name, all) in whole.sinks {
            let mut meta = SinkMeta::default();
            for (index, staged) in all.into_iter().enumerate() {
                let file = staged
                    .bytes
                    .as_ref()
                    .map(|_| format!("sink-{name}-{index}"));
                if let (Some(file), Some(bytes)) = (&file, &staged.bytes) {
                    part.put_bytes(file, bytes)?;
                }
                meta.staged.push(StagedMeta { staged, file });
            }
            sinks.insert(name, meta);
        }
        let meta = Meta {
            version: META_VERSION,
            states: whole.states,
            sources: whole.sources,
            sinks,
        };
        let meta = serde_json::to_vec(&meta).map_err(|error| TaskError::Source(error.into()))?;
        part.put_bytes(META_FILE_NAME, meta)?;
        Ok(())
    }
}
