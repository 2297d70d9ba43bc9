//! How a snapshot does not stop the worker.
//!
//! `begin` only counts: all keys are *not written* then. Between batches of records the worker
//! encodes some, shard after shard in the order of hashes. A key that is about to change, and is
//! not written, is encoded first, by itself: what it was is kept with its shard ([`Saved`]) until
//! the shard's turn. So nothing waits for more than one key, and every key is encoded once.
//!
//! A key that is written before its shard's turn has a *mark*: seven bits beside its hash, which
//! name the snapshot. They mean nothing to the next snapshot, so nobody clears them, except every
//! 127 snapshots, when the same mark comes again.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use hashbrown::HashTable;
use incumbent_state::{Block, KeyGroup, MOST_BLOCK, msgpack, to_json};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::shard::{Entry, Group, Shard, group_of};

/// A block is ended behind a shard when it has this many bytes: small enough that one key can be
/// looked up in it quickly.
const BLOCK_BYTES: usize = 64 << 10;

/// A block is ended within a shard when it has this many bytes. The shard is divided then, so that
/// the next snapshot has smaller ones.
const LARGE_BLOCK_BYTES: usize = 1 << 20;

/// What the head of a block takes at most, with the name of its state.
const HEAD_BYTES: usize = 4 << 10;

/// How many marks there are; 0 is none.
const MARKS: u64 = 127;

/// What can be written and read again.
pub(super) trait Stored: Serialize + DeserializeOwned {}

impl<T: Serialize + DeserializeOwned> Stored for T {}

/// A snapshot that is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Number(u64);

/// What snapshots know of a shard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Marks {
    /// The last snapshot that has it all.
    written: u64,
    /// The marks of its keys are of this round of them.
    round: u64,
}

/// Keys of a shard as they were when a snapshot began.
#[derive(Debug)]
pub(super) struct Saved {
    number: Number,
    entries: u32,
    bytes: Vec<u8>,
    counted: Counted,
}

/// Bytes of what was saved, which are counted with those of the whole table while this is there.
#[derive(Debug)]
pub(super) struct Counted {
    bytes: usize,
    all: Arc<AtomicUsize>,
}

impl Saved {
    pub(super) fn is_of(&self, number: Number) -> bool {
        self.number == number
    }

    pub(super) fn into_block(self, state: &str, first: u64, last: u64) -> Option<(Block, Counted)> {
        let block = (self.entries > 0).then(|| Block {
            state: state.to_owned(),
            group: KeyGroup::of(first),
            first,
            last,
            entries: self.entries,
            bytes: self.bytes,
        });
        Some((block?, self.counted))
    }
}

impl Counted {
    fn nothing(all: &Arc<AtomicUsize>) -> Self {
        Self {
            bytes: 0,
            all: Arc::clone(all),
        }
    }

    fn grow(&mut self, bytes: usize) {
        self.bytes += bytes;
        self.all.fetch_add(bytes, Ordering::Relaxed);
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.all.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// The snapshots of one table.
#[derive(Debug, Default)]
pub(super) struct Snapshots {
    /// How many have begun: the number of the last one.
    begun: u64,
    under_way: Option<UnderWay>,
    /// How many bytes are saved, of earlier snapshots too.
    saved: Arc<AtomicUsize>,
    /// Why keys of this table cannot be encoded.
    failed: Option<String>,
}

#[derive(Debug)]
struct UnderWay {
    number: Number,
    /// Shards of lower hashes are written.
    cursor: u64,
    /// How many bytes of the shard at the cursor are written.
    shard_bytes: usize,
    /// A block that is not full yet.
    open: Option<Block>,
}

impl Number {
    fn mark(self) -> u64 {
        self.0 % MARKS + 1
    }

    fn round(self) -> u64 {
        self.0 / MARKS
    }

    fn is_marked<K, S>(self, marks: Marks, entry: &Entry<K, S>) -> bool {
        marks.round == self.round() && entry.mark() == self.mark()
    }
}

impl Marks {
    fn is_written(self, number: Number) -> bool {
        self.written == number.0
    }
}

impl<K: Eq, S> Shard<K, S> {
    /// The snapshot that does not have this shard yet, if there is one. Its keys can be marked
    /// then.
    pub(super) fn unwritten(&mut self, snapshots: &Snapshots) -> Option<Number> {
        let number = snapshots.number()?;
        if self.marks.is_written(number) {
            return None;
        }
        if self.marks.round != number.round() {
            self.entries.iter_mut().for_each(|entry| entry.set_mark(0));
            self.marks.round = number.round();
        }
        Some(number)
    }
}

impl<K: Stored, S: Stored> Entry<K, S> {
    /// Keeps what it is, as it is about to change and this snapshot does not have its shard yet.
    pub(super) fn save(
        &mut self,
        number: Number,
        saved: &mut Option<Box<Saved>>,
        snapshots: &mut Snapshots,
    ) {
        if self.mark() == number.mark() {
            return;
        }
        self.set_mark(number.mark());
        let saved = match saved {
            Some(saved) if saved.number == number => saved,
            // Of a snapshot that was given up.
            other => other.insert(Box::new(Saved {
                number,
                entries: 0,
                bytes: Vec::new(),
                counted: Counted::nothing(&snapshots.saved),
            })),
        };
        let before = saved.bytes.len();
        match encode(self, &mut saved.bytes) {
            Ok(()) => {
                saved.entries += 1;
                saved.counted.grow(saved.bytes.len() - before);
            }
            Err(reason) => drop(snapshots.failed.get_or_insert(reason)),
        }
    }

    /// It is new: this snapshot does not have it.
    pub(super) fn leave_out(&mut self, number: Number) {
        self.set_mark(number.mark());
    }
}

impl Snapshots {
    /// The snapshot that is under way.
    pub(super) fn number(&self) -> Option<Number> {
        self.under_way.as_ref().map(|under_way| under_way.number)
    }

    pub(super) fn saved_bytes(&self) -> usize {
        self.saved.load(Ordering::Relaxed)
    }

    pub(super) fn begin<K: Eq, S>(&mut self, groups: &mut [Group<K, S>]) {
        self.give_up(groups);
        self.begun += 1;
        self.under_way = Some(UnderWay {
            number: Number(self.begun),
            cursor: 0,
            shard_bytes: 0,
            open: None,
        });
    }

    /// What was saved stays with its shards until the next snapshot comes to them: to free it all
    /// here would take long.
    pub(super) fn give_up<K: Eq, S>(&mut self, groups: &mut [Group<K, S>]) {
        if self.under_way.take().is_some() {
            groups.iter_mut().for_each(|group| group.ready.clear());
        }
    }

    /// Goes on until about this many bytes have been encoded. Returns whether it is whole.
    pub(super) fn next_blocks<K: Eq + Stored, S: Stored>(
        &mut self,
        state: &str,
        groups: &mut [Group<K, S>],
        budget: usize,
        blocks: &mut Vec<Block>,
    ) -> Result<bool, String> {
        let mut budget = budget.max(1);
        if let Some(reason) = &self.failed {
            return Err(format!("state `{state}` cannot be stored: {reason}"));
        }
        let Some(under_way) = &mut self.under_way else {
            return Ok(true);
        };
        loop {
            let group = &mut groups[group_of(under_way.cursor)];
            let (first, last) = group.range(under_way.cursor);
            let step = under_way.step(state, group, first, last, &mut budget, blocks);
            let is_written = step.map_err(|reason| {
                self.failed = Some(reason.clone());
                format!("state `{state}` cannot be stored: {reason}")
            })?;
            if !is_written {
                return Ok(false);
            }
            let ends_group = group_of(last) != group_of(last.wrapping_add(1));
            if ends_group {
                blocks.extend(under_way.open.take());
                blocks.extend(group.ready.drain(..).map(|(block, _)| block));
            }
            match last.checked_add(1) {
                Some(next) => under_way.cursor = next,
                None => {
                    self.under_way = None;
                    return Ok(true);
                }
            }
            if budget == 0 {
                return Ok(false);
            }
        }
    }
}

impl UnderWay {
    /// Writes some of a shard, and returns whether all of it is written now.
    fn step<K: Eq + Stored, S: Stored>(
        &mut self,
        state: &str,
        group: &mut Group<K, S>,
        first: u64,
        last: u64,
        budget: &mut usize,
        blocks: &mut Vec<Block>,
    ) -> Result<bool, String> {
        let number = self.number;
        let shard = group.shard_mut(first);
        if let Some(saved) = shard.saved.take()
            && saved.number == number
        {
            self.shard_bytes += saved.bytes.len();
            *budget = budget.saturating_sub(saved.bytes.len());
            self.append(state, first, last, *saved);
        }
        let marks = shard.marks;
        let mut seen = 0;
        for entry in shard.entries.iter() {
            if *budget == 0 {
                break;
            }
            seen += 1;
            if number.is_marked(marks, entry) {
                continue;
            }
            let open = self.open.get_or_insert_with(|| empty(state, first, last));
            let before = open.bytes.len();
            encode(entry, &mut open.bytes)?;
            open.entries += 1;
            open.last = open.last.max(last);
            let bytes = open.bytes.len() - before;
            self.shard_bytes += bytes;
            *budget = budget.saturating_sub(bytes);
            if open.bytes.len() >= LARGE_BLOCK_BYTES {
                blocks.extend(self.open.take());
            }
        }
        if seen < shard.entries.len() {
            interrupt(&mut shard.entries, seen, number, &mut shard.marks);
            return Ok(false);
        }
        shard.marks.written = number.0;
        if self
            .open
            .as_ref()
            .is_some_and(|open| open.bytes.len() >= BLOCK_BYTES)
        {
            blocks.extend(self.open.take());
        }
        let bytes = std::mem::take(&mut self.shard_bytes);
        if bytes > LARGE_BLOCK_BYTES {
            divide(group, state, first, last, bytes);
        }
        Ok(true)
    }

    /// Appends what was saved of a shard to the open block.
    fn append(&mut self, state: &str, first: u64, last: u64, saved: Saved) {
        match &mut self.open {
            Some(open) => {
                open.bytes.extend_from_slice(&saved.bytes);
                open.entries += saved.entries;
                open.last = open.last.max(last);
            }
            None => self.open = saved.into_block(state, first, last).map(|(block, _)| block),
        }
    }
}

/// Marks what has been written of a shard: the rest comes with the next call, and keys may come and
/// go meanwhile.
fn interrupt<K, S>(
    entries: &mut HashTable<Entry<K, S>>,
    seen: usize,
    number: Number,
    marks: &mut Marks,
) {
    let is_of_this_round = marks.round == number.round();
    marks.round = number.round();
    // The order is the same as long as nothing changes.
    for (at, entry) in entries.iter_mut().enumerate() {
        if at < seen {
            entry.set_mark(number.mark());
        } else if !is_of_this_round {
            entry.set_mark(0);
        }
    }
}

/// Divides a shard with large values, so that the next snapshot has blocks that can be looked up.
fn divide<K: Eq, S>(group: &mut Group<K, S>, state: &str, first: u64, last: u64, bytes: usize) {
    let parts = (bytes / LARGE_BLOCK_BYTES).max(2);
    let bits = parts.ilog2();
    let (low, high) = group.range(first);
    let part = (high - low) >> bits;
    let mut at = first;
    loop {
        loop {
            let (low, high) = group.range(at);
            if high - low <= part || !group.divide(at, state, None) {
                break;
            }
        }
        let (_, high) = group.range(at);
        if high >= last {
            return;
        }
        at = high + 1;
    }
}

fn empty(state: &str, first: u64, last: u64) -> Block {
    Block {
        state: state.to_owned(),
        group: KeyGroup::of(first),
        first,
        last,
        entries: 0,
        bytes: Vec::with_capacity(BLOCK_BYTES * 3 / 2),
    }
}

/// Appends a key and its value. After an error nothing has been appended.
fn encode<K: Stored, S: Stored>(entry: &Entry<K, S>, into: &mut Vec<u8>) -> Result<(), String> {
    let before = into.len();
    let encoded = msgpack::encode(&entry.key, into)
        .map_err(|error| format!("a key cannot be encoded: {error}"))
        .and_then(|()| {
            comes_back::<K>(&into[before..]).map_err(|error| format!("a key cannot be {error}"))
        })
        .and_then(|()| {
            let behind_key = into.len();
            let said = msgpack::encode(&entry.value, into).map_err(|error| error.to_string());
            let bytes = into.len() - before;
            let reason = match said {
                Ok(()) if bytes > MOST_BLOCK - HEAD_BYTES => {
                    format!("takes {bytes} bytes, more than {}", MOST_BLOCK - HEAD_BYTES)
                }
                Ok(()) => match comes_back::<S>(&into[behind_key..]) {
                    Ok(()) => return Ok(()),
                    Err(reason) => format!("cannot be {reason}"),
                },
                Err(reason) => format!("cannot be encoded: {reason}"),
            };
            let key = to_json(&into[before..behind_key]).unwrap_or_default();
            Err(format!("the value of key {key} {reason}"))
        });
    if encoded.is_err() {
        into.truncate(before);
    }
    encoded
}

/// What is nested deeply is read once, to see whether it can be.
#[inline]
fn comes_back<T: DeserializeOwned>(bytes: &[u8]) -> Result<(), String> {
    match msgpack::is_deep(bytes) {
        Ok(false) => Ok(()),
        Ok(true) => match msgpack::decode::<T>(bytes) {
            Ok(_) => Ok(()),
            Err(error) => Err(format!("read again, as it is nested too deeply: {error}")),
        },
        Err(error) => Err(format!("read again: {error}")),
    }
}
