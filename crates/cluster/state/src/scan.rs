//! [`RangeScan`]: the first keys of a range, out of all keys in any order.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use serde_json::Value;

use crate::{Block, Damaged, compare_json, to_json};

/// Collects the first keys of a range, in the order of [`compare_json`], out of all keys of a state
/// that are offered in any order. It holds no more than its limit.
#[derive(Debug)]
pub struct RangeScan {
    from: Option<Value>,
    to: Option<Value>,
    limit: usize,
    /// The lowest keys so far; the highest of them is on top.
    lowest: BinaryHeap<Entry>,
    has_more: bool,
}

/// What a scan has found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scanned {
    /// Keys in order, with their values.
    pub entries: Vec<(Value, Value)>,
    /// The range has more than the limit let through.
    pub has_more: bool,
}

impl RangeScan {
    /// From the first key (or the lowest) to before the second (or beyond the highest), at most so
    /// many.
    pub fn new(from: Option<Value>, to: Option<Value>, limit: usize) -> Self {
        Self {
            from,
            to,
            limit,
            lowest: BinaryHeap::new(),
            has_more: false,
        }
    }

    /// Offers all pairs of a block.
    ///
    /// # Errors
    ///
    /// A key is no MessagePack.
    pub fn offer_block(&mut self, block: &Block) -> Result<(), Damaged> {
        for pair in block.pairs() {
            let (key, value) = pair?;
            if self.wants(key)? {
                self.take(key, value.to_vec())?;
            }
        }
        Ok(())
    }

    /// Whether a key is in the range, and low enough to be among the first. If so, offer its value
    /// to [`RangeScan::take`].
    ///
    /// # Errors
    ///
    /// The key is no MessagePack.
    pub fn wants(&mut self, key: &[u8]) -> Result<bool, Damaged> {
        let key = to_json(key)?;
        let below = |bound: &Option<Value>| {
            bound
                .as_ref()
                .is_some_and(|bound| compare_json(&key, bound).is_lt())
        };
        if below(&self.from) || (self.to.is_some() && !below(&self.to)) {
            return Ok(false);
        }
        if self.lowest.len() < self.limit {
            return Ok(true);
        }
        self.has_more = true;
        Ok(self
            .lowest
            .peek()
            .is_some_and(|highest| compare_json(&key, &highest.key).is_lt()))
    }

    /// Takes a key that was wanted, with its value.
    ///
    /// # Errors
    ///
    /// The key is no MessagePack.
    pub fn take(&mut self, key: &[u8], value: Vec<u8>) -> Result<(), Damaged> {
        self.lowest.push(Entry {
            key: to_json(key)?,
            value,
        });
        if self.lowest.len() > self.limit {
            self.lowest.pop();
        }
        Ok(())
    }

    /// What was found.
    ///
    /// # Errors
    ///
    /// A value cannot be shown.
    pub fn finish(self) -> Result<Scanned, Damaged> {
        let entries = self.lowest.into_sorted_vec().into_iter();
        let entries = entries.map(|entry| Ok((entry.key, to_json(&entry.value)?)));
        Ok(Scanned {
            entries: entries.collect::<Result<_, Damaged>>()?,
            has_more: self.has_more,
        })
    }
}

#[derive(Debug)]
struct Entry {
    key: Value,
    value: Vec<u8>,
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> Ordering {
        compare_json(&self.key, &other.key)
    }
}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Entry {}
