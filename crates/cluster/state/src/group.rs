//! [`KeyGroup`]: the unit in which state moves between tasks.

use std::hash::{Hash, Hasher};
use std::ops::Range;

use siphasher::sip::SipHasher13;

/// How many key groups there are. It is part of the format: state of a job with more tasks than this
/// could not be divided among them.
pub const GROUPS: u32 = 128;

/// The part of all keys that one task owns as a whole: the high bits of a key's hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyGroup(u8);

impl KeyGroup {
    /// The group of a key with this hash.
    pub fn of(hash: u64) -> Self {
        Self((hash >> 57) as u8)
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

/// The hash of a key: stable over builds and machines of one byte order.
///
/// SipHash-1-3 with fixed keys, over what `Hash` writes for the key.
pub fn hash_key<K: Hash + ?Sized>(key: &K) -> u64 {
    let mut hasher = SipHasher13::new();
    key.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
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
                    let group = KeyGroup(u8::try_from(number).unwrap());
                    assert_eq!(group.rank(tasks), rank, "group {number}, {tasks} tasks");
                }
                next = owned.end;
            }
            assert_eq!(next, GROUPS);
        }
    }

    #[test]
    fn hashes_are_part_of_the_format() {
        assert_eq!(hash_key("alice"), hash_key(&String::from("alice")));
        assert_eq!(hash_key(&1_u64), 2_206_609_067_086_327_257);
    }
}
