//! [`Block`]: some keys of one key group with their values, as they are stored.

use crate::{Damaged, KeyGroup, msgpack};

/// Some keys of one state: a run of MessagePack pairs, key and value, one behind the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// The name of the state.
    pub state: String,
    /// The group that all its keys belong to.
    pub group: KeyGroup,
    /// No key has a lower hash.
    pub first: u64,
    /// No key has a higher hash.
    pub last: u64,
    /// How many pairs there are.
    pub entries: u32,
    /// The pairs.
    pub bytes: Vec<u8>,
}

impl Block {
    /// Each key with its value, both as MessagePack.
    pub fn pairs(&self) -> Pairs<'_> {
        Pairs { rest: &self.bytes }
    }

    /// The value of a key, both as MessagePack.
    ///
    /// # Errors
    ///
    /// The pairs are no MessagePack.
    pub fn find(&self, key: &[u8]) -> Result<Option<&[u8]>, Damaged> {
        for pair in self.pairs() {
            let (found, value) = pair?;
            if found == key {
                return Ok(Some(value));
            }
        }
        Ok(None)
    }
}

/// The pairs of a [`Block`]. After an error there are no more.
#[derive(Clone, Debug)]
pub struct Pairs<'a> {
    rest: &'a [u8],
}

impl<'a> Pairs<'a> {
    fn take(&mut self) -> Result<&'a [u8], Damaged> {
        let (value, rest) = self.rest.split_at(msgpack::length(self.rest)?);
        self.rest = rest;
        Ok(value)
    }
}

impl<'a> Iterator for Pairs<'a> {
    type Item = Result<(&'a [u8], &'a [u8]), Damaged>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let pair = self.take().and_then(|key| Ok((key, self.take()?)));
        if pair.is_err() {
            self.rest = &[];
        }
        Some(pair)
    }
}
