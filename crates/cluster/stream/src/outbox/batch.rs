//! [`Batch`]: records that are delivered together, and the id by which a repetition is known.

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{At, BoxError, Staged};

/// What a batch is called for ever. No two batches with other content have the same.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct BatchId {
    /// The id of the job that made it. A job that goes on from another job's savepoint delivers
    /// what that one has promised, under that one's id. Without a cluster, it is random.
    pub job: String,
    /// The name of the sink.
    pub sink: String,
    /// The rank that made it, which need not be the one that delivers it.
    pub rank: u32,
    /// The attempt that made it.
    pub attempt: u64,
    /// Its number among those of this attempt and rank, from 1.
    pub number: u64,
}

impl BatchId {
    /// The id of the first batch of this rank.
    pub(super) fn first(at: &At) -> Self {
        let job = match at.job.as_str() {
            // All runs without a cluster have the same id and the same attempt, and no batch of one
            // is a repetition of another's.
            "local" => format!("local-{:016x}", RandomState::new().hash_one(&at.name)),
            job => job.to_owned(),
        };
        Self {
            job,
            sink: at.name.clone(),
            rank: at.rank,
            attempt: at.attempt,
            number: 1,
        }
    }

    /// This one; the next is the next one.
    pub(super) fn take(&mut self) -> Self {
        let taken = self.clone();
        self.number += 1;
        taken
    }

    /// Its place among the batches with the same job, sink and rank, which are delivered in this
    /// order.
    pub fn position(&self) -> (u64, u64) {
        (self.attempt, self.number)
    }

    /// What all batches of one order have in common. One rank delivers them all.
    pub(super) fn line(&self) -> String {
        format!("{}/{}/{}", self.job, self.sink, self.rank)
    }
}

/// `job/sink/rank/attempt/number`.
impl fmt::Display for BatchId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            job,
            sink,
            rank,
            attempt,
            number,
        } = self;
        write!(f, "{job}/{sink}/{rank}/{attempt}/{number}")
    }
}

/// Records that are delivered together. Clones share their bytes.
#[derive(Clone, Debug)]
pub struct Batch {
    id: BatchId,
    from: u64,
    records: u64,
    bytes: Arc<[u8]>,
}

/// What [`Staged::note`] has of a batch.
#[derive(Serialize, Deserialize)]
struct Note {
    batch: BatchId,
    records: u64,
}

impl Batch {
    pub(super) fn new(id: BatchId, records: u64, bytes: Vec<u8>) -> Self {
        Self {
            id,
            from: 0,
            records,
            bytes: bytes.into(),
        }
    }

    /// The same, staged from this number on.
    pub(super) fn from(self, from: u64) -> Self {
        Self { from, ..self }
    }

    /// Whether the commit of this number commits it.
    pub(super) fn is_committed_by(&self, number: u64) -> bool {
        self.from <= number
    }

    /// As it is kept in a checkpoint.
    pub(super) fn staged(&self) -> Result<Staged, BoxError> {
        let BatchId {
            sink,
            rank,
            attempt,
            number,
            ..
        } = &self.id;
        let note = Note {
            batch: self.id.clone(),
            records: self.records,
        };
        Ok(Staged {
            name: format!("{sink}-{rank}-{attempt}-{number}"),
            from: self.from,
            note: serde_json::to_value(note)?,
            bytes: Some(Arc::clone(&self.bytes)),
        })
    }

    /// From a checkpoint.
    pub(super) fn restored(staged: Staged) -> Result<Self, BoxError> {
        let Staged {
            name,
            from,
            note,
            bytes,
        } = staged;
        let Note { batch, records } = serde_json::from_value(note)
            .map_err(|why| format!("{name} is not what an outbox has staged: {why}"))?;
        let bytes = bytes.ok_or_else(|| format!("{name} has no bytes in the checkpoint"))?;
        let batch = Self {
            id: batch,
            from,
            records,
            bytes,
        };
        match u64::try_from(batch.lines().count()) == Ok(records) {
            true => Ok(batch),
            false => Err(format!("{name} does not have {records} records").into()),
        }
    }

    /// What it is called.
    pub fn id(&self) -> &BatchId {
        &self.id
    }

    /// How many records it has.
    pub fn records(&self) -> u64 {
        self.records
    }

    /// Its records, as they were encoded, in the order in which they were written.
    pub fn lines(&self) -> impl Iterator<Item = &[u8]> {
        let lines = self
            .bytes
            .strip_suffix(b"\n")
            .map(|all| all.split(|&b| b == b'\n'));
        lines.into_iter().flatten()
    }

    /// How many bytes it has.
    pub fn size(&self) -> usize {
        self.bytes.len()
    }
}
