//! [`Outbox`]: a [`Writer`] for systems that cannot hide what they were given.
//!
//! Such a system may be told a record only when the checkpoint of that record is committed. Until
//! then the records wait in an outbox, which is a part of every checkpoint:
//!
//! ```text
//! write       records are encoded, a line each, in memory
//! stage n     the lines since the last stage are a batch: it becomes a file of checkpoint n
//! commit n    batches up to n are given to the carrier, on a thread of its own, in their order
//! delivered   the batch is in no later checkpoint
//! ```
//!
//! A kill at any moment loses nothing: the next attempt starts from a checkpoint, which is
//! committed, and delivers what that checkpoint has. So a batch may be delivered twice, also by two
//! processes at once: by an old attempt that does not know yet that it has ended, and by a new one.
//! Each batch therefore has an [id](BatchId) that does not change. A [`Carrier`] gives it to the
//! other system, which can then tell a repetition:
//!
//! - A batch with an id is the same batch, byte for byte, whichever process delivers it.
//! - Of all batches with the same job, sink and rank, each is delivered for the first time after
//!   all that have a lower [position](BatchId::position). So the other system needs to remember
//!   the highest one only.
//! - What was never committed is never delivered.
//!
//! While the other system is out, [`Writer::commit`] waits a little and then lets the job go on:
//! checkpoints go on, and hold what is not delivered. [`Writer::held_bytes`] says how much that is,
//! and the sink is given no more than its limit.
//!
//! # A worked example
//!
//! A sink that appends numbers to a vector, and remembers what it has:
//!
//! ```
//! use std::collections::BTreeMap;
//! use std::sync::{Arc, Mutex};
//!
//! use incumbent_stream::outbox::{Batch, Carrier, Outbox, Patience};
//! use incumbent_stream::{At, BoxError, Sink, Staged};
//!
//! #[derive(Default)]
//! struct Store {
//!     numbers: Vec<u64>,
//!     /// Of each job, sink and rank, the attempt and the number of the last batch.
//!     progress: BTreeMap<(String, String, u32), (u64, u64)>,
//! }
//!
//! struct Numbers(Arc<Mutex<Store>>);
//! struct ToStore(Arc<Mutex<Store>>);
//!
//! impl Carrier for ToStore {
//!     fn deliver(&mut self, batch: &Batch, _: &Patience) -> Result<(), BoxError> {
//!         let mut store = self.0.lock().expect("nobody panics with it");
//!         let store = &mut *store;
//!         let id = batch.id();
//!         let rank = (id.job.clone(), id.sink.clone(), id.rank);
//!         let progress = store.progress.entry(rank).or_default();
//!         if *progress < id.position() {
//!             *progress = id.position();
//!             for line in batch.lines() {
//!                 store.numbers.push(std::str::from_utf8(line)?.parse()?);
//!             }
//!         }
//!         Ok(())
//!     }
//! }
//!
//! impl Sink<u64> for Numbers {
//!     type Writer = Outbox<u64>;
//!
//!     fn open(&self, at: &At, staged: Vec<Staged>) -> Result<Outbox<u64>, BoxError> {
//!         let encode = |number: &u64, line: &mut Vec<u8>| {
//!             line.extend_from_slice(number.to_string().as_bytes());
//!             Ok(())
//!         };
//!         Outbox::open(at, staged, encode, ToStore(Arc::clone(&self.0)))
//!     }
//! }
//! ```

mod batch;
mod carry;

use std::mem;

pub use batch::{Batch, BatchId};
pub use carry::Patience;

use crate::{At, BoxError, Staged, Writer};
use carry::Carrying;

/// What a batch may have before the next one begins. It bounds what one delivery takes at a time,
/// here and in the other system.
pub const LARGEST_BATCH: usize = 16 * 1024 * 1024;

/// Brings batches to the other system.
pub trait Carrier: Send + 'static {
    /// Brings it there. A repetition, also of one that another process delivers at this moment,
    /// must change nothing, if the sink is to be exactly once.
    ///
    /// It waits out outages of the other system, with [`Patience::pause`] between attempts.
    ///
    /// # Errors
    ///
    /// What no repetition mends. It ends the attempt.
    fn deliver(&mut self, batch: &Batch, patience: &Patience) -> Result<(), BoxError>;
}

/// Makes a line, without its end, of a record.
type Encode<T> = Box<dyn FnMut(&T, &mut Vec<u8>) -> Result<(), BoxError> + Send>;

/// A [`Writer`] whose records wait in checkpoints until they are committed: see the
/// [module](self).
pub struct Outbox<T> {
    id: BatchId,
    encode: Encode<T>,
    /// What was written since the last batch.
    lines: Vec<u8>,
    records: u64,
    /// Batches that are not staged yet: there are some if an interval has more than one.
    ripe: Vec<Batch>,
    /// Batches that are staged and not committed.
    staged: Vec<Batch>,
    /// The highest number that something could have been staged for.
    highest: u64,
    carrying: Carrying,
}

impl<T> Outbox<T> {
    /// Delivers this rank's share of what was staged, then begins.
    ///
    /// `encode` appends a line, without its end, to what it is given; the line has no end of line
    /// in itself, as JSON has none.
    ///
    /// # Errors
    ///
    /// If something staged is damaged or was refused.
    pub fn open(
        at: &At,
        staged: Vec<Staged>,
        encode: impl FnMut(&T, &mut Vec<u8>) -> Result<(), BoxError> + Send + 'static,
        carrier: impl Carrier,
    ) -> Result<Self, BoxError> {
        let mut mine = Vec::new();
        for staged in staged {
            let batch = Batch::restored(staged)?;
            if at.is_mine(&batch.id().line()) {
                mine.push(batch);
            }
        }
        mine.sort_by_key(|batch| batch.id().position());
        let mut carrying = Carrying::start(&at.name, carrier)?;
        for batch in mine {
            carrying.give(batch);
        }
        // Before the ranks are ready, all of them wait here. So whatever an attempt delivers of its
        // own comes after all that it has inherited, on all ranks.
        carrying.all_delivered()?;
        Ok(Self {
            id: BatchId::first(at),
            encode: Box::new(encode),
            lines: Vec::new(),
            records: 0,
            ripe: Vec::new(),
            staged: Vec::new(),
            highest: 0,
            carrying,
        })
    }

    fn ripen(&mut self) {
        if self.lines.is_empty() {
            return;
        }
        let (lines, records) = (mem::take(&mut self.lines), mem::take(&mut self.records));
        self.ripe.push(Batch::new(self.id.take(), records, lines));
    }

    fn stage_from(&mut self, from: u64) -> Result<Vec<Staged>, BoxError> {
        self.ripen();
        let ripe = mem::take(&mut self.ripe);
        self.staged
            .extend(ripe.into_iter().map(|batch| batch.from(from)));
        self.highest = self.highest.max(from);
        // What is committed and not delivered is a part of this checkpoint too.
        let mut promised = self.carrying.undelivered()?;
        promised.extend(self.staged.iter().cloned());
        promised.iter().map(Batch::staged).collect()
    }
}

impl<T: Send> Writer<T> for Outbox<T> {
    fn write(&mut self, records: Vec<T>) -> Result<(), BoxError> {
        for record in records {
            (self.encode)(&record, &mut self.lines)?;
            self.lines.push(b'\n');
            self.records += 1;
            if self.lines.len() >= LARGEST_BATCH {
                self.ripen();
            }
        }
        self.carrying.check()
    }

    fn stage(&mut self, number: u64) -> Result<Vec<Staged>, BoxError> {
        self.stage_from(number)
    }

    fn stage_last(&mut self) -> Result<Vec<Staged>, BoxError> {
        // A checkpoint that this rank has staged for does not have what comes last, although it may
        // be committed later.
        self.stage_from(self.highest + 1)
    }

    fn commit(&mut self, number: u64) -> Result<(), BoxError> {
        for batch in mem::take(&mut self.staged) {
            match batch.is_committed_by(number) {
                true => self.carrying.give(batch),
                false => self.staged.push(batch),
            }
        }
        self.carrying.delivered_soon()
    }

    fn close(&mut self) -> Result<(), BoxError> {
        self.carrying.all_delivered()
    }

    fn held_bytes(&self) -> usize {
        let batches = self.ripe.iter().chain(&self.staged);
        self.lines.len() + batches.map(Batch::size).sum::<usize>() + self.carrying.held_bytes()
    }
}

#[cfg(test)]
mod tests;
