//! Names of keys, and of versions.

use std::fmt;

use incumbent_backend::{GroupName, Key, Version};
use prost::bytes::Bytes;

use crate::message::Header;

/// The byte after `/`, which ends the range of all keys below a prefix. A key is
/// `BASE/GROUP//ITEM`. No base contains two slashes, so a key that belongs to another base inside
/// this one is never taken for one of ours.
const AFTER_SLASH: char = '0';

/// A range of etcd keys: from one key up to, not including, another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Range {
    pub(crate) from: Bytes,
    pub(crate) until: Bytes,
}

impl Range {
    /// All keys below the base.
    pub(crate) fn of_base(base: &str) -> Self {
        Self::below(base)
    }

    /// All keys of a group.
    pub(crate) fn of_group(base: &str, group: &GroupName) -> Self {
        Self::below(&format!("{base}/{group}/"))
    }

    fn below(path: &str) -> Self {
        Self {
            from: format!("{path}/").into(),
            until: format!("{path}{AFTER_SLASH}").into(),
        }
    }

    /// The part of this range after this key.
    pub(crate) fn after(&self, key: &[u8]) -> Self {
        Self {
            from: [key, b"\0"].concat().into(),
            until: self.until.clone(),
        }
    }

    /// The part of this range after all keys of this group.
    pub(crate) fn after_group(&self, base: &str, group: &GroupName) -> Self {
        Self {
            from: Self::of_group(base, group).until,
            until: self.until.clone(),
        }
    }
}

pub(crate) fn key_bytes(base: &str, key: &Key) -> Bytes {
    format!("{base}/{}//{}", key.group(), key.item()).into()
}

/// Our key with this name in etcd, or `None` if the name is not one of ours.
pub(crate) fn key_of(base: &str, bytes: &[u8]) -> Option<Key> {
    let path = std::str::from_utf8(bytes).ok()?;
    let path = path.strip_prefix(base)?.strip_prefix('/')?;
    let (group, item) = path.split_once("//")?;
    Key::of_item(group.parse().ok()?, item).ok()
}

/// The ID of an etcd cluster. A cluster restored from a snapshot has another ID, if the restore
/// follows etcd's documentation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cluster(pub(crate) u64);

/// The content of a version: which write, in which cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct State {
    pub(crate) cluster: Cluster,
    /// The `mod_revision`. Revisions count all writes of a store, so no other write to any of its
    /// keys has the same one.
    pub(crate) revision: i64,
}

impl State {
    pub(crate) fn of(header: Option<&Header>, revision: i64) -> Self {
        Self {
            cluster: Cluster(header.map_or(0, |header| header.cluster_id)),
            revision,
        }
    }

    pub(crate) fn version(self) -> Version {
        Version::new(format!("{}:{}", self.cluster, self.revision))
    }

    /// Returns `None` if no state of any key can have this version.
    pub(crate) fn of_version(version: &Version) -> Option<Self> {
        let (cluster, revision) = version.as_str().split_once(':')?;
        let state = Self {
            cluster: Cluster(u64::from_str_radix(cluster, 16).ok()?),
            // 0 means "absent" to etcd.
            revision: revision.parse().ok().filter(|revision| *revision > 0)?,
        };
        (state.version() == *version).then_some(state)
    }
}

impl fmt::Display for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(name: &str) -> GroupName {
        name.parse().unwrap()
    }

    #[test]
    fn keys_read_back_and_others_are_none_of_ours() {
        for item in ["@root", "@floor", "a", "jobs/17/x"] {
            let key = Key::of_item(group("demo"), item).unwrap();
            let bytes = key_bytes("/p", &key);
            assert_eq!(bytes, format!("/p/demo//{item}"));
            assert_eq!(key_of("/p", &bytes), Some(key));
        }
        for other in [
            &b"/p/demo"[..],
            b"/p/demo//",
            b"/p/demo//@other",
            b"/p/demo//a b",
            b"/p/demo/a",
            b"/p/demo/sub//a",
            b"/p/a b//c",
            b"/p2/demo//a",
            b"/demo//a",
            b"/p/demo//\xff",
        ] {
            assert_eq!(key_of("/p", other), None, "{other:?}");
        }
    }

    #[test]
    fn a_range_has_what_is_below_and_nothing_else() {
        let range = Range::of_group("/p", &group("demo"));
        let has = |key: &str| range.from <= key.as_bytes() && key.as_bytes() < &range.until[..];
        assert!(has("/p/demo//@root") && has("/p/demo//a") && has("/p/demo//~"));
        assert!(!has("/p/demo/sub//a"));
        assert!(!has("/p/demo") && !has("/p/demo-2/a") && !has("/p/demo0") && !has("/p/demo2/a"));
    }

    /// `-` and `.` come before `/`, digits and letters after it.
    #[test]
    fn after_a_group_come_all_groups_whose_keys_come_later() {
        let all = Range::of_base("/p");
        let rest = all.after_group("/p", &group("demo"));
        for (name, later) in [
            ("demo-2", false),
            ("demo.2", false),
            ("demo2", true),
            ("e", true),
        ] {
            let key = format!("/p/{name}//a");
            assert_eq!(rest.from <= key.as_bytes(), later, "{name}");
        }
        assert!(rest.from > b"/p/demo//zzz"[..]);
        assert_eq!(rest.until, all.until);
        assert_eq!(all.after(b"/p/a").from, &b"/p/a\0"[..]);
    }

    #[test]
    fn versions_read_back_and_others_are_none_of_ours() {
        for (cluster, revision) in [(0, 1), (u64::MAX, i64::MAX), (0xab, 17)] {
            let state = State {
                cluster: Cluster(cluster),
                revision,
            };
            assert_eq!(State::of_version(&state.version()), Some(state));
        }
        for other in [
            "",
            "17",
            "ab:17",
            "00000000000000ab:0",
            "00000000000000ab:-1",
            "00000000000000ab:+1",
            "00000000000000ab:01",
            "00000000000000AB:1",
            "00000000000000ab:1:1",
            "00000000000000ab:9223372036854775808",
        ] {
            assert_eq!(State::of_version(&Version::new(other)), None, "{other}");
        }
    }
}
