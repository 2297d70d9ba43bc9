//! Which files are kept, and which are not needed any more.

use crate::files::{FileName, Files, Trouble};
use crate::log::Ended;

/// Snapshots, and segments that have ended, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    snapshots: Vec<u64>,
    ended: Vec<Ended>,
}

impl Kept {
    pub(crate) fn new(snapshots: Vec<u64>, ended: Vec<Ended>) -> Self {
        Self { snapshots, ended }
    }

    /// Index of the newest snapshot, or 0.
    pub(crate) fn newest(&self) -> u64 {
        self.snapshots.last().copied().unwrap_or(0)
    }

    pub(crate) fn add_snapshot(&mut self, index: u64) {
        self.snapshots.push(index);
    }

    pub(crate) fn add_ended(&mut self, ended: Vec<Ended>) {
        self.ended.extend(ended);
    }

    /// Takes out the files that are not needed any more, in the order in which they must be
    /// removed: after each removal, the rest is a complete journal.
    ///
    /// While there are fewer snapshots than are kept, the log is kept from its beginning, which is
    /// as good as a snapshot.
    pub(crate) fn take_unneeded(&mut self, keep: usize) -> Vec<FileName> {
        let unneeded = self.snapshots.len().saturating_sub(keep);
        let mut names: Vec<_> = self
            .snapshots
            .drain(..unneeded)
            .map(FileName::Snapshot)
            .collect();
        if self.snapshots.len() == keep {
            let oldest = self.snapshots[0];
            let covered = self
                .ended
                .iter()
                .take_while(|ended| ended.last <= oldest)
                .count();
            names.extend(
                self.ended
                    .drain(..covered)
                    .map(|ended| FileName::Segment(ended.number)),
            );
        }
        names
    }
}

/// Removes files one after the other. If that fails, the next start does it.
pub(crate) fn remove(files: &Files, names: Vec<FileName>) -> Result<(), Trouble> {
    names.into_iter().try_for_each(|name| files.remove(name))
}
