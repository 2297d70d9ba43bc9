//! [`KeyGroup`]: the unit in which state moves between tasks; [`hash_key`], which decides on it.

use std::io;
use std::ops::Range;

use serde::Serialize;
use serde_json::Value;
use siphasher::sip::SipHasher13;

use crate::msgpack;

/// How many key groups there are. It is part of the format: state of a job with more tasks than
/// this could not be divided among them.
pub const GROUPS: u32 = 128;

/// The part of all keys that one task owns as a whole: the high bits of a key's hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyGroup(u8);

impl KeyGroup {
    /// The group of a key with this hash.
    pub fn of(hash: u64) -> Self {
        Self((hash >> 57) as u8)
    }

    /// The group with this number, if there is one.
    pub fn new(number: u32) -> Option<Self> {
        let number = u8::try_from(number).ok()?;
        (u32::from(number) < GROUPS).then_some(Self(number))
    }

    /// Its number, below [`GROUPS`].
    pub fn number(self) -> u32 {
        u32::from(self.0)
    }

    /// The rank that owns it, if there are this many tasks.
    pub fn rank(self, tasks: u32) -> u32 {
        // The last rank whose range begins at or before this group.
        self.number() * tasks / GROUPS
    }

    /// The groups that this rank owns.
    pub fn owned(rank: u32, tasks: u32) -> Range<u32> {
        (rank * GROUPS).div_ceil(tasks)..((rank + 1) * GROUPS).div_ceil(tasks)
    }
}

/// The hash of a key: the same in every build, on every machine and in every language.
///
/// It is SipHash-1-3 with the key 0, over the key as [`msgpack::encode`] writes it. Integers of all
/// widths with one value have one hash, as a `String` and a `&str` have.
///
/// A key that cannot be encoded gets the hash of what was encoded of it. Its state cannot be
/// stored: the first checkpoint says so.
pub fn hash_key<K: Serialize + ?Sized>(key: &K) -> u64 {
    let mut bytes = KeyBytes::new();
    let _ = key.serialize(&mut msgpack::serializer(&mut bytes));
    hash_key_bytes(bytes.as_slice())
}

/// The hash of a key that is encoded already.
pub fn hash_key_bytes(bytes: &[u8]) -> u64 {
    SipHasher13::new().hash(bytes)
}

/// The hash of a key that is known as JSON only. It is that of [`hash_key`] for strings, numbers,
/// booleans, and arrays of them. Of an object the order of fields is lost: see
/// [`key_bytes`](crate::key_bytes).
pub fn hash_json_key(key: &Value) -> u64 {
    hash_key(&crate::key::Plain(key))
}

/// An encoded key, which takes no allocation if it is short: each record needs one.
struct KeyBytes {
    inline: [u8; INLINE],
    len: usize,
    spilled: Vec<u8>,
}

/// Most keys are shorter: an id, a name, two numbers.
const INLINE: usize = 64;

impl KeyBytes {
    fn new() -> Self {
        Self {
            inline: [0; INLINE],
            len: 0,
            spilled: Vec::new(),
        }
    }

    fn as_slice(&self) -> &[u8] {
        if self.spilled.is_empty() {
            &self.inline[..self.len]
        } else {
            &self.spilled
        }
    }
}

impl io::Write for KeyBytes {
    #[inline]
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_all(bytes)?;
        Ok(bytes.len())
    }

    #[inline]
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        let end = self.len + bytes.len();
        if end <= INLINE && self.spilled.is_empty() {
            self.inline[self.len..end].copy_from_slice(bytes);
            self.len = end;
        } else {
            if self.spilled.is_empty() {
                self.spilled.extend_from_slice(&self.inline[..self.len]);
            }
            self.spilled.extend_from_slice(bytes);
        }
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_group_has_one_rank_and_ranks_cover_all() {
        for tasks in 1..=GROUPS {
            let mut next = 0;
            for rank in 0..tasks {
                let owned = KeyGroup::owned(rank, tasks);
                assert_eq!(owned.start, next, "{rank} of {tasks}");
                assert!(!owned.is_empty());
                for number in owned.clone() {
                    let group = KeyGroup::new(number).unwrap();
                    assert_eq!(group.rank(tasks), rank, "group {number}, {tasks} tasks");
                }
                next = owned.end;
            }
            assert_eq!(next, GROUPS);
        }
        assert_eq!(KeyGroup::new(GROUPS), None);
    }

    #[test]
    fn hashes_are_part_of_the_format() {
        assert_eq!(hash_key("alice"), hash_key(&String::from("alice")));
        assert_eq!(hash_key("alice"), hash_key_bytes(b"\xa5alice"));
        assert_eq!(hash_key("alice"), 9_078_750_353_959_448_108);
        assert_eq!(hash_key(&1_u64), 4_952_851_536_318_644_461);
    }

    #[test]
    fn a_key_and_its_json_have_one_hash() {
        assert_eq!(hash_key("alice"), hash_json_key(&json!("alice")));
        assert_eq!(hash_key(&true), hash_json_key(&json!(true)));
        for number in [0, 1, 127, 128, 255, 256, 65_535, 65_536, i64::MAX] {
            assert_eq!(hash_key(&number), hash_json_key(&json!(number)), "{number}");
            assert_eq!(hash_key(&number), hash_key(&(number as u64)), "{number}");
            assert_eq!(
                hash_key(&number),
                hash_key_bytes(&msgpack::to_vec(&number).unwrap())
            );
        }
        for number in [-1, -32, -33, -128, -129, -32_769, i64::MIN] {
            assert_eq!(hash_key(&number), hash_json_key(&json!(number)), "{number}");
        }
        assert_eq!(hash_key(&-7_i8), hash_key(&-7_i64));
        assert_eq!(hash_key(&u64::MAX), hash_json_key(&json!(u64::MAX)));
        assert_eq!(
            hash_key(&("a", 7, 'x')),
            hash_json_key(&json!(["a", 7, "x"]))
        );
        let long = "x".repeat(1000);
        assert_eq!(
            hash_key(&long),
            hash_key_bytes(&msgpack::to_vec(&long).unwrap())
        );
        assert_eq!(hash_key(&(3, &long)), hash_json_key(&json!([3, long])));
    }
}
