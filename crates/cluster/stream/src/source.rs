//! [`Source`]: where records come from. Implement it for what this crate does not know.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::logic::Timed;
use crate::{At, BoxError, Timestamp};

/// Where records come from: a description that each rank opens for itself.
///
/// A source has **splits**: files, partitions, shares of a generator. Each is read by one rank, in
/// order, and has a position that survives a restart. A split has a name, and
/// [`At::is_mine`] says which rank reads it, so that another number of ranks can share them.
pub trait Source: Send + Sync + 'static {
    /// What it gives.
    type Record;
    /// What reads it.
    type Reader: Reader<Record = Self::Record> + 'static;

    /// Opens this rank's share of it. `positions` has the splits that are known and have not ended,
    /// of this rank, with what [`Reader::position`] said of each at the checkpoint.
    ///
    /// It is called before the job is ready, and may wait.
    ///
    /// # Errors
    ///
    /// Ends the attempt.
    fn open(&self, at: &At, positions: BTreeMap<String, Value>) -> Result<Self::Reader, BoxError>;
}

/// Reads a source for one rank. It runs on the worker, between two steps of the dataflow.
///
/// No method waits. What has to wait (a network, a slow disk) does so on a thread of the reader's
/// own, which calls [`Waker::wake`](crate::Waker::wake) when it has something.
pub trait Reader {
    /// What it gives.
    type Record;

    /// Splits of this rank that have been found since the last call. The caller leaves out those
    /// that it knows, from before a restart too.
    ///
    /// # Errors
    ///
    /// Ends the attempt.
    fn discover(&mut self) -> Result<Found, BoxError>;

    /// Reads some more of a split: usually between 100 and 10,000 records, or 64 KiB. The whole
    /// batch belongs to one position: a restart begins before it or after it.
    ///
    /// # Errors
    ///
    /// Ends the attempt.
    fn read(&mut self, split: &str, batch: &mut Batch<Self::Record>) -> Result<Read, BoxError>;

    /// Where it is in a split: behind all that [`Reader::read`] has given of it. It is kept in
    /// checkpoints as JSON, for people too.
    fn position(&self, split: &str) -> Value;
}

/// What [`Reader::discover`] found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Names of splits.
    pub splits: Vec<String>,
    /// No more will be found, ever: when all splits have ended, the source has.
    pub is_complete: bool,
}

/// What [`Reader::read`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Read {
    /// There may be more at once.
    More,
    /// There is nothing more now. The reader wakes the worker when there is.
    Waiting,
    /// The split has ended, after what the batch has now.
    Ended,
}

/// Records on their way from a reader to the worker.
#[derive(Debug)]
pub struct Batch<R> {
    /// With the time of each, which the engine fills in.
    pub(crate) records: Vec<Timed<R>>,
    pub(crate) bytes: usize,
    pub(crate) time: Option<Timestamp>,
}

impl<R> Batch<R> {
    /// Moves the event time of the split, as a record of this time would.
    pub(crate) fn advance(&mut self, time: Timestamp) {
        self.time = self.time.max(Some(time));
    }

    /// Adds a record that takes about this many bytes in memory. Flow control counts them.
    pub fn push(&mut self, record: R, bytes: usize) {
        self.records.push((Timestamp::MIN, record));
        self.bytes += bytes;
    }

    /// How many records it has.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// How many bytes have been said of them.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Its records, as a test of a reader wants them.
    pub fn into_records(self) -> Vec<R> {
        self.records.into_iter().map(|(_, record)| record).collect()
    }
}

impl<R> Default for Batch<R> {
    fn default() -> Self {
        Self {
            records: Vec::new(),
            bytes: 0,
            time: None,
        }
    }
}
