//! [`Table`]: one named state of one rank.

use std::collections::HashMap;

use incumbent_state::{Block, KeyGroup, hash_key};

use super::AnyTable;
use crate::logic::{Data, Key};
use crate::orders::{Answer, Asked};

/// Keys and what is kept for each.
pub(crate) struct Table<K, S> {
    name: String,
    kind: &'static str,
    entries: HashMap<K, S>,
    encoded: Vec<Block>,
}

impl<K: Key, S: Data> Table<K, S> {
    pub(crate) fn new(name: &str, kind: &'static str) -> Self {
        Self {
            name: name.to_owned(),
            kind,
            entries: HashMap::new(),
            encoded: Vec::new(),
        }
    }

    pub(crate) fn get_mut(&mut self, _hash: u64, key: &K) -> Option<&mut S> {
        self.entries.get_mut(key)
    }

    /// What is kept for this key, or what is made for it now.
    pub(crate) fn entry(&mut self, _hash: u64, key: &K, make: impl FnOnce() -> S) -> &mut S {
        self.entries.entry(key.clone()).or_insert_with(make)
    }

    pub(crate) fn remove(&mut self, _hash: u64, key: &K) -> Option<S> {
        self.entries.remove(key)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&K, &S)> {
        self.entries.iter()
    }
}

impl<K: Key, S: Data> AnyTable for Table<K, S> {
    fn name(&self) -> &str {
        &self.name
    }

    fn kind(&self) -> &'static str {
        self.kind
    }

    fn keys(&self) -> u64 {
        self.entries.len() as u64
    }

    fn begin_snapshot(&mut self) {
        self.encoded.clear();
        for (key, value) in &self.entries {
            let mut bytes = rmp_serde::to_vec_named(key).expect("a key can be encoded");
            bytes.extend(rmp_serde::to_vec_named(value).expect("a value can be encoded"));
            self.encoded.push(Block {
                state: self.name.clone(),
                group: KeyGroup::of(hash_key(key)),
                entries: 1,
                bytes,
            });
        }
    }

    fn next_blocks(&mut self, _bytes: usize, blocks: &mut Vec<Block>) -> bool {
        blocks.append(&mut self.encoded);
        true
    }

    fn give_up_snapshot(&mut self) {
        self.encoded.clear();
    }

    fn restore(&mut self, block: &Block) -> Result<(), String> {
        let mut bytes = &block.bytes[..];
        let key = rmp_serde::from_read(&mut bytes).map_err(|error| error.to_string())?;
        let value = rmp_serde::from_read(&mut bytes).map_err(|error| error.to_string())?;
        self.entries.insert(key, value);
        Ok(())
    }

    fn query(&self, _asked: &Asked) -> Result<Answer, String> {
        Ok(Answer::default())
    }
}
