//! A process that uses a journal on a simulated disk, call by call: what it was told is durable,
//! and what it must find again.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use rand::RngExt;
use rand::rngs::StdRng;

use super::sim_disk::SimDisk;
use crate::error::{Failure, OpenError};
use crate::files::{FileName, Files, Trouble};
use crate::format::batch::{self, Entries};
use crate::found::Found;
use crate::kept::{self, Kept};
use crate::log::Log;
use crate::options::Options;
use crate::recover::{Recovery, recover};
use crate::segment::{self, Segment};
use crate::snapshot;

/// Small, so that the log often continues in another segment.
pub(super) fn options() -> Options {
    Options {
        segment_bytes: 10 * 4096,
        buffer_bytes: 20_000,
        ..Options::default()
    }
}

pub(super) fn files(disk: &SimDisk) -> Files {
    Files::new(Arc::new(disk.clone()), Path::new("/sim"))
}

pub(super) type Entry = (u64, Vec<u8>);

/// What was done, over all lives.
#[derive(Clone, Debug, Default)]
pub(super) struct History {
    /// In order, each with the number of the batch that it was in.
    pub(super) entries: Vec<Entry>,
    /// How many of them must be there: after each batch, one number. The last may be one that was
    /// not acknowledged.
    pub(super) batches: Vec<usize>,
    pub(super) acknowledged: usize,
    /// Index of the newest snapshot that was acknowledged.
    pub(super) snapshot: u64,
}

impl History {
    /// The state after the entries up to this index, as a snapshot says it.
    pub(super) fn state(&self, index: u64) -> Vec<u8> {
        let covered = self.entries.iter().filter(|entry| entry.0 <= index);
        let mut state = index.to_le_bytes().to_vec();
        for (index, bytes) in covered {
            state.extend(crc32fast::hash(bytes).to_le_bytes());
            state.extend(index.to_le_bytes());
        }
        state
    }
}

/// One process, from its start to its end.
#[derive(Debug)]
pub(super) struct Life {
    pub(super) files: Files,
    log: Log,
    next: Option<Segment>,
    kept: Kept,
    journal: u128,
}

impl Life {
    /// Starts, and checks what is found.
    pub(super) fn start(disk: &SimDisk, history: &mut History) -> Result<Self, OpenError> {
        let files = files(disk);
        let (mut found_snapshot, mut found) = (None, Vec::new());
        let recovered = recover(&files, &options(), &mut |what| {
            match what {
                Found::Snapshot { index, bytes } => found_snapshot = Some((index, bytes.to_vec())),
                Found::Entry { index, bytes } => found.push((index, bytes.to_vec())),
            }
            Ok(())
        });
        let Recovery {
            journal,
            log,
            next,
            mut kept,
            replayed,
            ..
        } = recovered?;
        assert_eq!(replayed.entries, found.len() as u64);
        let snapshot = found_snapshot.as_ref().map_or(0, |found| found.0);
        assert!(snapshot >= history.snapshot, "a snapshot was lost");
        let covered = history
            .entries
            .iter()
            .take_while(|entry| entry.0 <= snapshot)
            .count();
        let count = covered + found.len();
        assert!(
            count >= history.acknowledged,
            "{count} of {} acknowledged",
            history.acknowledged
        );
        assert_eq!(
            history.entries[covered..count],
            found,
            "other entries than were appended"
        );
        assert!(
            count == 0 || history.batches.contains(&count),
            "half of a batch"
        );
        if let Some((index, bytes)) = found_snapshot {
            assert_eq!(
                bytes,
                history.state(index),
                "another snapshot than was written"
            );
        }
        assert_eq!(
            log.position.index,
            history.entries[..count].last().map_or(0, |entry| entry.0)
        );
        history.entries.truncate(count);
        history.batches.retain(|batch| *batch <= count);
        // From now on, the caller may rely on what was found.
        history.acknowledged = count;
        history.snapshot = snapshot;
        kept::remove(&files, kept.take_unneeded(options().keep_snapshots))?;
        Ok(Self {
            files,
            log,
            next,
            kept,
            journal,
        })
    }

    /// Appends a few entries as one batch.
    pub(super) fn commit(
        &mut self,
        dice: &mut StdRng,
        history: &mut History,
    ) -> Result<(), Failure> {
        let mut body = Vec::new();
        let count = dice.random_range(1..6);
        for _ in 0..count {
            let last = history.entries.last().map_or(0, |entry| entry.0);
            let index = last + dice.random_range(1..4_u64);
            let most = [10, 500, 3000][dice.random_range(0..3_usize)];
            let mut bytes = vec![0; dice.random_range(0..most)];
            dice.fill(&mut bytes[..]);
            batch::push(&mut body, index, &bytes);
            history.entries.push((index, bytes));
        }
        history.batches.push(history.entries.len());
        let entries = Entries {
            body: &body,
            count,
            last: history.entries.last().map(|entry| entry.0),
        };
        let Self {
            files,
            log,
            next,
            journal,
            ..
        } = self;
        let ended = log.commit(entries, |number| match next.take() {
            Some(segment) => Ok(segment),
            None => Ok(make(files, *journal, number)?),
        })?;
        self.kept.add_ended(ended);
        history.acknowledged = history.entries.len();
        Ok(())
    }

    pub(super) fn prepare(&mut self) -> Result<(), Failure> {
        if self.next.is_none() {
            let number = self.log.segment.header.number + 1;
            self.next = Some(make(&self.files, self.journal, number)?);
        }
        Ok(())
    }

    /// Writes a snapshot of everything durable, with commits in between, and removes what is not
    /// needed any more.
    pub(super) fn snapshot(
        &mut self,
        dice: &mut StdRng,
        history: &mut History,
    ) -> Result<(), Failure> {
        let index = self.log.position.index;
        if index <= self.kept.newest() {
            return Ok(());
        }
        let state = history.state(index);
        let (files, journal) = (self.files.clone(), self.journal);
        let mut failed = None;
        snapshot::write(&files, journal, index, &AtomicBool::new(false), |out| {
            let (first, second) = state.split_at(state.len() / 2);
            out.write_all(first)?;
            for _ in 0..dice.random_range(0..3) {
                failed = self.commit(dice, history).err();
                if failed.is_some() {
                    break;
                }
            }
            out.write_all(second)
        })?;
        if let Some(failure) = failed {
            return Err(failure);
        }
        history.snapshot = index;
        self.kept.add_snapshot(index);
        let unneeded = self.kept.take_unneeded(options().keep_snapshots);
        Ok(kept::remove(&self.files, unneeded)?)
    }

    /// The segment in which the log continues, and where.
    pub(super) fn offset(&self) -> (u64, u64) {
        (self.log.segment.header.number, self.log.offset)
    }

    pub(super) fn names(&self) -> Vec<FileName> {
        self.files.list().unwrap()
    }
}

fn make(files: &Files, journal: u128, number: u64) -> Result<Segment, Trouble> {
    let length = options().segment_bytes;
    segment::prepare(files, journal, number, length, &AtomicBool::new(false))
}
