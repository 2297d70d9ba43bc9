//! [`Sorting`]: puts blocks together to files, and keeps them until they are stored.

use std::collections::{BTreeMap, VecDeque};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender};
use std::time::Duration;

use super::spool::{Full, Spool};
use super::{GivenUp, Store};
use crate::Result;
use crate::orders::{Report, Snapshot};
use crate::runtime::io;
use crate::state::{StateFiles, WholeFile};

/// How often it is looked whether there is room for a file that can wait nowhere.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// Puts blocks together to files.
///
/// A file that can wait neither in memory nor on disk stops it: what is reported meanwhile stays as
/// it is, in its [room](crate::room), so the worker soon encodes nothing more. If the snapshot is
/// given up, it goes on at once.
pub(super) struct Sorting {
    shown: SyncSender<String>,
    spool: Spool,
    /// Snapshots that are not whole yet.
    open: BTreeMap<Snapshot, StateFiles>,
    given_up: GivenUp,
    store: Sender<Store>,
    /// A file that there is no room for.
    stuck: Option<Stuck>,
    /// What was reported since.
    later: VecDeque<Report>,
}

/// A file that can wait nowhere.
struct Stuck {
    snapshot: Snapshot,
    file: WholeFile,
    /// What is to be stored behind it.
    then: Option<Store>,
}

impl Sorting {
    pub(super) fn new(
        shown: SyncSender<String>,
        spool: Spool,
        given_up: GivenUp,
        store: Sender<Store>,
    ) -> Self {
        Self {
            shown,
            spool,
            open: BTreeMap::new(),
            given_up,
            store,
            stuck: None,
            later: VecDeque::new(),
        }
    }

    /// Takes reports until the worker is gone.
    ///
    /// # Errors
    ///
    /// State that cannot be stored.
    pub(super) fn run(mut self, reports: &Receiver<Report>) -> Result<()> {
        loop {
            let report = match self.stuck {
                None => reports.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(_) => reports.recv_timeout(LOOK_EVERY),
            };
            match report {
                Ok(report) => self.take(report)?,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            }
            self.go_on()?;
        }
    }

    fn take(&mut self, report: Report) -> Result<()> {
        match report {
            // If the last ones are still on their way, these are left out.
            Report::Metrics(text) => drop(self.shown.try_send(text)),
            Report::GivenUp(snapshot) => self.give_up(snapshot),
            report if self.stuck.is_some() => self.later.push_back(report),
            report => self.sort(report)?,
        }
        Ok(())
    }

    /// Nothing of it is wanted any more, whatever was reported before.
    fn give_up(&mut self, snapshot: Snapshot) {
        self.open.remove(&snapshot);
        self.later.retain(|report| match report {
            Report::Begun(of) | Report::Block(of, ..) | Report::Whole(of, _) => *of != snapshot,
            Report::Built | Report::GivenUp(_) | Report::Metrics(_) => true,
        });
        if (self.stuck.as_ref()).is_some_and(|stuck| stuck.snapshot == snapshot) {
            self.stuck = None;
        }
        self.given_up.add(snapshot);
        self.pass_on(Store::End(snapshot));
    }

    /// If there is room again, goes on with what was reported since there was none.
    fn go_on(&mut self) -> Result<()> {
        if let Some(stuck) = self.stuck.take()
            && self.keep(stuck).is_ok()
        {
            tracing::info!("there is room for the files of this checkpoint again");
        }
        while self.stuck.is_none()
            && let Some(report) = self.later.pop_front()
        {
            self.sort(report)?;
        }
        Ok(())
    }

    fn sort(&mut self, report: Report) -> Result<()> {
        match report {
            Report::Begun(snapshot) => {
                self.open.insert(snapshot, StateFiles::default());
                self.pass_on(Store::Begin(snapshot));
            }
            Report::Block(snapshot, block, _held) => {
                if let Some(files) = self.open.get_mut(&snapshot)
                    && let Some(file) = files.add(&block).map_err(io("cannot store state"))?
                {
                    self.file(snapshot, file, None);
                }
            }
            Report::Whole(snapshot, whole) => {
                if let Some(files) = self.open.remove(&snapshot) {
                    let (last, files) = files.finish().map_err(io("cannot store state"))?;
                    let rest = Store::Whole(snapshot, whole, files);
                    match last {
                        Some(file) => self.file(snapshot, file, Some(rest)),
                        None => self.pass_on(rest),
                    }
                }
            }
            Report::Built | Report::GivenUp(_) | Report::Metrics(_) => {}
        }
        Ok(())
    }

    /// Has a file stored, and then what comes behind it.
    fn file(&mut self, snapshot: Snapshot, file: WholeFile, then: Option<Store>) {
        let bytes = file.bytes.len();
        if let Err(error) = self.keep(Stuck {
            snapshot,
            file,
            then,
        }) {
            tracing::warn!(
                %error,
                dir = %self.spool.dir().display(),
                bytes,
                "the blobs have not taken the files of this checkpoint yet, and one more can wait \
                 neither in memory nor on disk; the checkpoint goes on when there is room, or is \
                 aborted when its time is over"
            );
        }
    }

    /// Why there is no room for it.
    fn keep(&mut self, stuck: Stuck) -> Result<(), std::io::Error> {
        let Stuck {
            snapshot,
            file: WholeFile { name, bytes },
            then,
        } = stuck;
        match self.spool.keep(bytes) {
            Ok(waiting) => {
                self.pass_on(Store::File(snapshot, name, waiting));
                if let Some(then) = then {
                    self.pass_on(then);
                }
                Ok(())
            }
            Err(Full { bytes, error }) => {
                let file = WholeFile { name, bytes };
                self.stuck = Some(Stuck {
                    snapshot,
                    file,
                    then,
                });
                Err(error)
            }
        }
    }

    fn pass_on(&self, store: Store) {
        // A thread that is gone has ended the process.
        let _ = self.store.send(store);
    }
}

#[cfg(test)]
#[path = "sort_tests.rs"]
mod tests;
