//! [`Table`]: the keys of one state that this rank has, with their values.

use std::ops::Range;

use hashbrown::hash_table;
use incumbent_state::{Block, GROUPS, KeyGroup, hash_key, hash_key_bytes, msgpack, to_json};
use serde_json::Value;

use super::shard::{Entry, Group, group_of, groups, is, place, placed};
use super::snapshot::{Number, Snapshots};
use super::{AnyTable, Misfits, Question};
use crate::orders::{Answer, Asked};
use crate::{Data, Key};

/// The keys of one state that this rank has, with their values.
///
/// A value that is to be changed comes from [`Table::get_mut`] or [`Table::entry`], anew each time:
/// the table has to know of a change before it is made. `hash` is [`hash_key`] of the key,
/// everywhere.
#[derive(Debug)]
pub(crate) struct Table<K, S> {
    name: String,
    kind: &'static str,
    shape: Option<String>,
    owned: Range<u32>,
    keys: u64,
    snapshot_keys: u64,
    groups: Vec<Group<K, S>>,
    snapshots: Snapshots,
}

impl<K: Key, S: Data> Table<K, S> {
    /// An empty one. `kind` is what made it: `state`, `window`, `session`, `join`.
    pub(crate) fn new(name: impl Into<String>, kind: &'static str) -> Self {
        Self {
            name: name.into(),
            kind,
            shape: None,
            owned: 0..GROUPS,
            keys: 0,
            snapshot_keys: 0,
            groups: groups(),
            snapshots: Snapshots::default(),
        }
    }

    /// A checkpoint that says another shape does not fit.
    pub(crate) fn with_shape(mut self, shape: String) -> Self {
        self.shape = Some(shape);
        self
    }

    /// The value of a key.
    pub(crate) fn get(&self, hash: u64, key: &K) -> Option<&S> {
        let found = self.groups[group_of(hash)].shard(hash).find(hash, key);
        found.map(|entry| &entry.value)
    }

    /// The value of a key, to be changed.
    pub(crate) fn get_mut(&mut self, hash: u64, key: &K) -> Option<&mut S> {
        let shard = self.groups[group_of(hash)].shard_mut(hash);
        let unwritten = shard.unwritten(&self.snapshots);
        let entry = shard
            .entries
            .find_mut(place(hash), |entry| is(entry, hash, key))?;
        if let Some(number) = unwritten {
            entry.save(number, &mut shard.saved, &mut self.snapshots);
        }
        Some(&mut entry.value)
    }

    /// The value of a key, to be changed. If there is none, it begins with this one, and the key is
    /// cloned.
    pub(crate) fn entry(&mut self, hash: u64, key: &K, default: impl FnOnce() -> S) -> &mut S {
        match self.entry_of(hash, key) {
            Found::Occupied(entry) => &mut entry.value,
            Found::Vacant(vacant) => vacant.insert(hash, key.clone(), default()).1,
        }
    }

    fn entry_of(&mut self, hash: u64, key: &K) -> Found<'_, K, S> {
        let group = &mut self.groups[group_of(hash)];
        let shard = group.shard_with_room(hash, &self.name, &self.snapshots);
        let unwritten = shard.unwritten(&self.snapshots);
        match shard
            .entries
            .entry(place(hash), |entry| is(entry, hash, key), placed)
        {
            hash_table::Entry::Occupied(occupied) => {
                let entry = occupied.into_mut();
                if let Some(number) = unwritten {
                    entry.save(number, &mut shard.saved, &mut self.snapshots);
                }
                Found::Occupied(entry)
            }
            hash_table::Entry::Vacant(place) => Found::Vacant(Vacant {
                place,
                unwritten,
                keys: &mut self.keys,
            }),
        }
    }

    /// Takes a key out.
    pub(crate) fn remove(&mut self, hash: u64, key: &K) -> Option<S> {
        // It is changed, then it is gone.
        self.get_mut(hash, key)?;
        self.keys -= 1;
        self.groups[group_of(hash)]
            .shard_mut(hash)
            .remove(hash, key)
    }

    /// All keys with their values, in no order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&K, &S)> {
        let shards = self.groups.iter().flat_map(Group::shards);
        shards
            .flat_map(|shard| &shard.entries)
            .map(|entry| (&entry.key, &entry.value))
    }

    /// How many keys it has.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.keys as usize
    }

    pub(super) fn state(&self) -> &str {
        &self.name
    }

    pub(super) fn owns(&self, hash: u64) -> bool {
        self.owned.contains(&KeyGroup::of(hash).number())
    }

    /// The keys of the shard that has this hash, and the last hash of that shard.
    pub(super) fn shard_at(&self, hash: u64) -> (impl Iterator<Item = (&K, &S)>, u64) {
        let group = &self.groups[group_of(hash)];
        let entries = group.shard(hash).entries.iter();
        (
            entries.map(|entry| (&entry.key, &entry.value)),
            group.range(hash).1,
        )
    }

    /// Takes a key of a checkpoint in.
    fn restore_pair(&mut self, key_bytes: &[u8], value: &[u8]) -> Result<(), String> {
        let key: K = msgpack::decode(key_bytes).map_err(|error| error.to_string())?;
        let hash = hash_key(&key);
        // Another task might have it then, and another key of the same type might not.
        if hash != hash_key_bytes(key_bytes) {
            return Err(
                "the type of the key has changed: it would be written otherwise now".into(),
            );
        }
        let value: S = msgpack::decode(value).map_err(|error| error.to_string())?;
        match self.entry_of(hash, &key) {
            Found::Occupied(_) => Err("the checkpoint has it twice".into()),
            Found::Vacant(vacant) => {
                vacant.insert(hash, key, value);
                Ok(())
            }
        }
    }
}

/// What is where a key belongs.
enum Found<'a, K, S> {
    Occupied(&'a mut Entry<K, S>),
    Vacant(Vacant<'a, K, S>),
}

struct Vacant<'a, K, S> {
    place: hash_table::VacantEntry<'a, Entry<K, S>>,
    /// The snapshot that would take the key for one of its own.
    unwritten: Option<Number>,
    keys: &'a mut u64,
}

impl<'a, K: Key, S: Data> Vacant<'a, K, S> {
    fn insert(self, hash: u64, key: K, value: S) -> (&'a K, &'a mut S) {
        let mut entry = Entry::new(hash, key, value);
        if let Some(number) = self.unwritten {
            entry.leave_out(number);
        }
        *self.keys += 1;
        let entry = self.place.insert(entry).into_mut();
        (&entry.key, &mut entry.value)
    }
}

impl<K: Key, S: Data> AnyTable for Table<K, S> {
    fn name(&self) -> &str {
        &self.name
    }

    fn kind(&self) -> &'static str {
        self.kind
    }

    fn shape(&self) -> Option<&str> {
        self.shape.as_deref()
    }

    fn keys(&self) -> u64 {
        self.keys
    }

    fn snapshot_keys(&self) -> u64 {
        self.snapshot_keys
    }

    fn own(&mut self, groups: Range<u32>) {
        self.owned = groups;
    }

    fn begin_snapshot(&mut self) {
        self.snapshot_keys = self.keys;
        self.snapshots.begin(&mut self.groups);
    }

    fn next_blocks(&mut self, bytes: usize, blocks: &mut Vec<Block>) -> Result<bool, String> {
        self.snapshots
            .next_blocks(&self.name, &mut self.groups, bytes, blocks)
    }

    fn give_up_snapshot(&mut self) {
        self.snapshots.give_up(&mut self.groups);
    }

    fn saved_bytes(&self) -> usize {
        self.snapshots.saved_bytes()
    }

    fn restore(&mut self, block: &Block, misfits: &mut Misfits) {
        for pair in block.pairs() {
            match pair {
                Ok((key, value)) => {
                    if let Err(reason) = self.restore_pair(key, value) {
                        let key = to_json(key).unwrap_or_default();
                        misfits.add(&self.name, key, || reason);
                    }
                }
                // The checksum was right, so it was written wrongly.
                Err(error) => misfits.add(&self.name, Value::Null, || error.to_string()),
            }
        }
    }

    fn ask(&self, asked: &Asked) -> Question {
        Question::new(asked)
    }

    fn answer(&self, question: &mut Question, keys: usize) -> Option<Result<Answer, String>> {
        question.answer(self, keys)
    }
}

#[cfg(test)]
mod tests;
