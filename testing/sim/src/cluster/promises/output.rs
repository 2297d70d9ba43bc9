//! The output of each job: every record of its input once.

use std::collections::{BTreeMap, BTreeSet};

use incumbent_cluster_core::{JobId, TaskId};

use super::Break;
use crate::cluster::blobs::{Piece, RankState};

/// What is committed and published of the output of each job.
#[derive(Debug, Default)]
pub(super) struct Outputs {
    jobs: BTreeMap<JobId, BTreeMap<u32, Partition>>,
}

/// The output of one partition of the input.
#[derive(Debug, Default)]
struct Partition {
    /// What committed checkpoints have staged, without gaps and overlaps.
    pieces: Vec<Piece>,
    end: u64,
    published: BTreeSet<Piece>,
}

const ONCE: &str = "committed checkpoints have each record of the input once";

impl Outputs {
    /// A job starts from what another one has stored.
    pub(super) fn start(&mut self, job: JobId, states: &[&RankState]) {
        let partitions = self.jobs.entry(job).or_default();
        for (index, offset) in states.iter().flat_map(|state| &state.offsets) {
            let mut pieces: Vec<Piece> = staged(states, *index);
            pieces.sort_unstable();
            pieces.dedup();
            let partition = Partition {
                pieces,
                end: *offset,
                published: BTreeSet::new(),
            };
            partitions.insert(*index, partition);
        }
    }

    /// A checkpoint is committed, in which the ranks have stored this.
    pub(super) fn commit(
        &mut self,
        job: JobId,
        count: u32,
        states: &[&RankState],
    ) -> Result<(), Break> {
        let partitions = self.jobs.entry(job).or_default();
        for index in 0..count {
            let offsets = states.iter().flat_map(|state| &state.offsets);
            let offsets: Vec<u64> = offsets
                .filter(|(partition, _)| *partition == index)
                .map(|(_, offset)| *offset)
                .collect();
            let [offset] = offsets[..] else {
                let how = format!("{job}: partition {index} was read up to {offsets:?}");
                return Err((ONCE, how));
            };
            let partition = partitions.entry(index).or_default();
            let mut pieces = staged(states, index);
            pieces.sort_unstable();
            for piece in pieces {
                partition
                    .take(piece)
                    .map_err(|how| (ONCE, format!("{job}: {how}")))?;
            }
            if partition.end != offset {
                let how = format!(
                    "{job}: partition {index} was read up to {offset}, and staged up to {}",
                    partition.end
                );
                return Err((ONCE, how));
            }
        }
        Ok(())
    }

    pub(super) fn publish(&mut self, task: TaskId, piece: Piece) -> Result<(), Break> {
        let partitions = self.jobs.entry(task.job).or_default();
        let partition = partitions.get_mut(&piece.partition);
        let partition = partition.filter(|partition| partition.has(piece));
        let Some(partition) = partition else {
            let how = format!("{task} publishes {piece:?}, which no committed checkpoint has");
            return Err(("what is published is committed", how));
        };
        partition.published.insert(piece);
        Ok(())
    }

    /// Whether everything that is committed is published, and reaches as far as this.
    pub(super) fn is_whole(
        &self,
        job: JobId,
        count: u32,
        records: Option<u64>,
    ) -> Result<(), String> {
        let Some(partitions) = self.jobs.get(&job) else {
            let is_empty = records.is_none_or(|records| records == 0);
            return is_empty.then_some(()).ok_or(format!("{job} has no output"));
        };
        for index in 0..count {
            let Some(partition) = partitions.get(&index) else {
                return Err(format!("{job}: nothing of partition {index}"));
            };
            let mut pieces = partition.pieces.iter();
            if let Some(piece) = pieces.find(|piece| !partition.published.contains(piece)) {
                return Err(format!("{job}: {piece:?} is committed and not published"));
            }
            if records.is_some_and(|records| partition.end != records) {
                return Err(format!(
                    "{job}: partition {index} has {records:?} records, and {} in the output",
                    partition.end
                ));
            }
        }
        Ok(())
    }
}

impl Partition {
    fn has(&self, piece: Piece) -> bool {
        self.pieces.binary_search(&piece).is_ok()
    }

    fn take(&mut self, piece: Piece) -> Result<(), String> {
        if self.has(piece) {
            return Ok(()); // Staged before, and not known to be published.
        }
        if piece.from != self.end {
            return Err(format!("{piece:?} is staged after {}", self.end));
        }
        self.pieces.push(piece);
        self.end = piece.to;
        Ok(())
    }
}

fn staged(states: &[&RankState], index: u32) -> Vec<Piece> {
    let staged = states.iter().flat_map(|state| &state.staged);
    staged
        .filter(|piece| piece.partition == index)
        .copied()
        .collect()
}
