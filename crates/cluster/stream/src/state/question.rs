//! [`Question`]: a query that is being answered, a little at a time.

use incumbent_state::{RangeScan, hash_key, key_bytes, msgpack, to_json};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::Table;
use crate::orders::{Answer, Asked};
use crate::{Data, Key};

/// The most entries of one answer.
pub(crate) const MOST_ENTRIES: usize = 10_000;

/// A query that is being answered. It is of the table that it was asked.
#[derive(Debug)]
pub(crate) enum Question {
    /// One key.
    Key(Value),
    /// The first keys of a range.
    Range {
        /// What was found; taken when it is answered.
        scan: Option<RangeScan>,
        /// Shards of lower hashes have been looked at.
        cursor: u64,
    },
}

impl Question {
    pub(super) fn new(asked: &Asked) -> Self {
        match asked {
            Asked::Key(key) => Self::Key(key.clone()),
            Asked::Range { from, to, limit } => Self::Range {
                scan: Some(RangeScan::new(
                    from.clone(),
                    to.clone(),
                    (*limit).min(MOST_ENTRIES),
                )),
                cursor: 0,
            },
        }
    }

    pub(super) fn answer<K: Key, S: Data>(
        &mut self,
        table: &Table<K, S>,
        keys: usize,
    ) -> Option<Result<Answer, String>> {
        match self {
            Self::Key(key) => Some(answer_key(table, key)),
            Self::Range { scan, cursor } => match go_on(table, scan.as_mut()?, cursor, keys) {
                Ok(false) => None,
                Ok(true) => scan.take().map(|scan| match scan.finish() {
                    Ok(found) => Ok(Answer {
                        entries: found.entries,
                        is_owner: true,
                        has_more: found.has_more,
                    }),
                    Err(error) => Err(error.to_string()),
                }),
                Err(reason) => Some(Err(reason)),
            },
        }
    }
}

fn answer_key<K: Key, S: Data>(table: &Table<K, S>, asked: &Value) -> Result<Answer, String> {
    let mut reason = String::new();
    let mut is_owner = None;
    for key in forms(table, asked, &mut reason) {
        let hash = hash_key(&key);
        if is_owner.is_none() {
            is_owner = Some(table.owns(hash));
        }
        if let Some(value) = table.get(hash, &key) {
            return Ok(Answer {
                entries: vec![(json_of(&key)?, json_of(value)?)],
                is_owner: table.owns(hash),
                has_more: false,
            });
        }
    }
    match is_owner {
        Some(is_owner) => Ok(Answer {
            entries: Vec::new(),
            is_owner,
            has_more: false,
        }),
        None => Err(format!(
            "{asked} is no key of state `{}`: {reason}",
            table.state()
        )),
    }
}

/// The keys that this JSON can stand for, the likeliest first: a path does not say whether `7` is a
/// number or a string.
fn forms<K: Key, S: Data>(table: &Table<K, S>, asked: &Value, reason: &mut String) -> Vec<K> {
    let example = table
        .iter()
        .next()
        .and_then(|(key, _)| msgpack::to_vec(key).ok());
    let like = key_bytes(asked, &example.unwrap_or_default());
    let like = like.iter().filter_map(|bytes| msgpack::decode(bytes).ok());
    let mut forms: Vec<K> = like.collect();
    let text = match asked {
        Value::String(text) => serde_json::from_str(text).ok(),
        other => serde_json::from_value(Value::String(other.to_string())).ok(),
    };
    match serde_json::from_value(asked.clone()) {
        Ok(key) => forms.push(key),
        Err(error) => *reason = error.to_string(),
    }
    forms.extend(text);
    forms
}

/// Looks at the next keys, and returns whether they were the last ones.
fn go_on<K: Key, S: Data>(
    table: &Table<K, S>,
    scan: &mut RangeScan,
    cursor: &mut u64,
    keys: usize,
) -> Result<bool, String> {
    let mut bytes = Vec::new();
    let mut seen = 0;
    loop {
        let (shard, last) = table.shard_at(*cursor);
        for (key, value) in shard {
            seen += 1;
            bytes.clear();
            msgpack::encode(key, &mut bytes).map_err(|error| error.to_string())?;
            if scan.wants(&bytes).map_err(|error| error.to_string())? {
                let value = msgpack::to_vec(value).map_err(|error| error.to_string())?;
                scan.take(&bytes, value)
                    .map_err(|error| error.to_string())?;
            }
        }
        match last.checked_add(1) {
            Some(next) => *cursor = next,
            None => return Ok(true),
        }
        if seen >= keys {
            return Ok(false);
        }
    }
}

/// A value as a node would show it out of a checkpoint.
fn json_of<T: Serialize + DeserializeOwned>(value: &T) -> Result<Value, String> {
    let bytes = msgpack::to_vec(value).map_err(|error| error.to_string())?;
    to_json(&bytes).map_err(|error| error.to_string())
}
