//! [`Group`] and [`Shard`]: where the keys of one key group lie.
//!
//! A group is an extendible hash: a directory, indexed by the bits of the hash below those of the
//! group, points to shards of at most [`Shard::most_buckets`] places. A full shard is divided in
//! two, and no more keys than those of one shard are ever moved at once. The directory doubles now
//! and then: it has four bytes for each shard.

use std::mem::size_of;

use hashbrown::HashTable;
use incumbent_state::{Block, GROUPS, KeyGroup};

use super::snapshot::{Counted, Marks, Number, Saved, Snapshots};

/// The bits of a hash below those of the group.
const OWN_BITS: u32 = 57;

/// How many of them may choose the shard. The rest is for the places in a shard.
const MOST_DEPTH: u32 = 15;

/// A key with its value.
#[derive(Debug)]
pub(super) struct Entry<K, S> {
    /// The hash, but for the bits of the group, where the mark of a snapshot is ([`Marks`]).
    pub(super) tag: u64,
    pub(super) key: K,
    pub(super) value: S,
}

const HASH: u64 = (1 << OWN_BITS) - 1;

impl<K, S> Entry<K, S> {
    pub(super) fn new(hash: u64, key: K, value: S) -> Self {
        Self {
            tag: hash & HASH,
            key,
            value,
        }
    }

    fn hash(&self) -> u64 {
        self.tag & HASH
    }

    pub(super) fn mark(&self) -> u64 {
        self.tag >> OWN_BITS
    }

    pub(super) fn set_mark(&mut self, mark: u64) {
        self.tag = self.tag & HASH | mark << OWN_BITS;
    }
}

/// What the table within a shard is given as hash. It takes its lowest bits for the place and its
/// highest seven to tell keys apart, which in our hash are those of the group, the same for all.
pub(super) fn place(hash: u64) -> u64 {
    let hash = hash & HASH;
    hash ^ hash << 40
}

/// Some keys of a group: all whose hash begins with certain bits.
#[derive(Debug)]
pub(super) struct Shard<K, S> {
    pub(super) entries: HashTable<Entry<K, S>>,
    /// How many bits they have in common, besides those of the group.
    depth: u32,
    /// What snapshots know of it.
    pub(super) marks: Marks,
    /// What was encoded of it because it was about to change.
    pub(super) saved: Option<Box<Saved>>,
}

impl<K: Eq, S> Shard<K, S> {
    fn new(depth: u32, marks: Marks, keys: usize) -> Self {
        Self {
            entries: HashTable::with_capacity(keys),
            depth,
            marks,
            saved: None,
        }
    }

    /// A shard takes at most about a megabyte, so that moving it takes no longer than encoding it.
    fn most_buckets() -> usize {
        let fit = (1 << 20) / size_of::<Entry<K, S>>().max(1);
        1 << fit.clamp(16, 1024).ilog2()
    }

    /// The next key would make it larger than it may be.
    fn is_full(&self) -> bool {
        let keys = self.entries.len();
        // With fewer keys it has room, once what was removed is tidied up.
        keys == self.entries.capacity()
            && self.entries.num_buckets() >= Self::most_buckets()
            && keys > Self::most_buckets() * 7 / 16
    }

    pub(super) fn find(&self, hash: u64, key: &K) -> Option<&Entry<K, S>> {
        self.entries.find(place(hash), |entry| is(entry, hash, key))
    }

    fn insert(&mut self, entry: Entry<K, S>) {
        self.entries
            .insert_unique(place(entry.hash()), entry, placed);
    }

    pub(super) fn remove(&mut self, hash: u64, key: &K) -> Option<S> {
        let found = self
            .entries
            .find_entry(place(hash), |entry| is(entry, hash, key));
        let (entry, _) = found.ok()?.remove();
        // Memory is given back, but not for a few keys that come and go.
        if self.entries.num_buckets() > 64 && self.entries.len() * 8 < self.entries.num_buckets() {
            let keys = self.entries.len() * 2;
            self.entries.shrink_to(keys, placed);
        }
        Some(entry.value)
    }
}

/// The place of an entry, for those that are moved.
pub(super) fn placed<K, S>(entry: &Entry<K, S>) -> u64 {
    place(entry.hash())
}

/// Whether this is the entry of a key.
pub(super) fn is<K: Eq, S>(entry: &Entry<K, S>, hash: u64, key: &K) -> bool {
    entry.hash() == hash & HASH && entry.key == *key
}

/// The keys of one key group.
#[derive(Debug)]
pub(super) struct Group<K, S> {
    /// For each value of the first `depth` bits, the shard that has it.
    directory: Vec<u32>,
    depth: u32,
    shards: Vec<Shard<K, S>>,
    /// Blocks of the snapshot that is under way, of shards that have been divided since.
    pub(super) ready: Vec<(Block, Counted)>,
}

impl<K: Eq, S> Group<K, S> {
    pub(super) fn new() -> Self {
        Self {
            directory: vec![0],
            depth: 0,
            shards: vec![Shard::new(0, Marks::default(), 0)],
            ready: Vec::new(),
        }
    }

    fn index(&self, hash: u64) -> usize {
        self.directory[slot(hash, self.depth)] as usize
    }

    pub(super) fn shard(&self, hash: u64) -> &Shard<K, S> {
        &self.shards[self.index(hash)]
    }

    pub(super) fn shard_mut(&mut self, hash: u64) -> &mut Shard<K, S> {
        let index = self.index(hash);
        &mut self.shards[index]
    }

    pub(super) fn shards(&self) -> impl Iterator<Item = &Shard<K, S>> {
        self.shards.iter()
    }

    /// The lowest and the highest hash of the shard that has this one.
    pub(super) fn range(&self, hash: u64) -> (u64, u64) {
        let bits = OWN_BITS - self.shard(hash).depth;
        let first = hash >> bits << bits;
        (first, first | ((1 << bits) - 1))
    }

    /// The shard for a key that may be inserted: it has room for one.
    pub(super) fn shard_with_room(
        &mut self,
        hash: u64,
        state: &str,
        snapshots: &Snapshots,
    ) -> &mut Shard<K, S> {
        while self.shard(hash).is_full() && self.divide(hash, state, snapshots.number()) {}
        self.shard_mut(hash)
    }

    /// Divides the shard that has this hash in two; `false` if it cannot be.
    pub(super) fn divide(&mut self, hash: u64, state: &str, now: Option<Number>) -> bool {
        let index = self.index(hash);
        let (first, last) = self.range(hash);
        let depth = self.shards[index].depth + 1;
        if depth > MOST_DEPTH || self.shards[index].entries.len() < 2 {
            return false;
        }
        if let Some(saved) = self.shards[index].saved.take()
            && now.is_some_and(|now| saved.is_of(now))
        {
            self.ready.extend(saved.into_block(state, first, last));
        }
        if depth > self.depth {
            self.directory = self
                .directory
                .iter()
                .flat_map(|shard| [*shard, *shard])
                .collect();
            self.depth = depth;
        }
        let is_high = |entry: &Entry<K, S>| slot(entry.hash(), depth) & 1 == 1;
        let all = std::mem::take(&mut self.shards[index].entries);
        let highs = all.iter().filter(|entry| is_high(entry)).count();
        let marks = self.shards[index].marks;
        let mut low = Shard::new(depth, marks, all.len() - highs + 1);
        let mut high = Shard::new(depth, marks, highs + 1);
        for entry in all {
            let half = if is_high(&entry) { &mut high } else { &mut low };
            half.insert(entry);
        }
        // The upper half of the places in the directory.
        let from = slot(first | 1 << (OWN_BITS - depth), self.depth);
        let to = slot(last, self.depth);
        let new = self.shards.len() as u32;
        self.directory[from..=to].fill(new);
        self.shards[index] = low;
        self.shards.push(high);
        true
    }
}

/// The first bits of a hash, below those of the group.
fn slot(hash: u64, depth: u32) -> usize {
    // In two steps, as one of 64 bits would be none.
    (hash << (64 - OWN_BITS) >> 1 >> (63 - depth)) as usize
}

/// The index of the group of a hash.
pub(super) fn group_of(hash: u64) -> usize {
    KeyGroup::of(hash).number() as usize
}

/// All groups, empty.
pub(super) fn groups<K: Eq, S>() -> Vec<Group<K, S>> {
    (0..GROUPS).map(|_| Group::new()).collect()
}
