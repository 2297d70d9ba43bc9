//! Names of nodes, and of versions.

use incumbent_backend::{GroupName, Key, Nonce, Version};

/// Prefix of the child's name that tells one life of a node from the next.
const LIFE: &str = "life-";

/// Prefix of the version of a node without such a child.
const BARE: &str = "bare-";

/// The node of a group that holds the presence nodes. No key has an item with this name.
const PRESENT: &str = "@present";

/// The node of a group.
pub(crate) fn group_node(base: &str, group: &GroupName) -> String {
    format!("{base}/{group}")
}

/// The node of a key. `/` becomes `+`, which no key contains, so each record is one node.
pub(crate) fn key_node(base: &str, key: &Key) -> String {
    format!("{base}/{}/{}", key.group(), key.item().replace('/', "+"))
}

/// The parent of the presence nodes.
pub(crate) fn present_node(base: &str, group: &GroupName) -> String {
    format!("{base}/{group}/{PRESENT}")
}

/// The node that exists while the holder of the term with this nonce is present.
pub(crate) fn holder_node(base: &str, group: &GroupName, nonce: Nonce) -> String {
    format!("{base}/{group}/{PRESENT}/{nonce}")
}

/// The key of a node, from the node's name in its group's node.
pub(crate) fn key_of(group: &GroupName, node: &str) -> Option<Key> {
    if node.contains('/') {
        return None;
    }
    Key::of_item(group.clone(), &node.replace('+', "/")).ok()
}

/// The key whose node has this path, or `None` if it is not a key of this group.
pub(crate) fn key_at(group: &GroupName, group_node: &str, path: &str) -> Option<Key> {
    key_of(group, path.strip_prefix(group_node)?.strip_prefix('/')?)
}

/// One existence of a node, from its creation to its removal: a random number, drawn once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Life(u64);

impl Life {
    pub(crate) fn fresh() -> Self {
        Self(rand::random())
    }

    /// The path of the child that exists as long as this life lasts.
    pub(crate) fn node(self, node: &str) -> String {
        format!("{node}/{LIFE}{:016x}", self.0)
    }

    /// The life that these children name. There can be two if two processes gave one to the same
    /// bare node at once. Either is good for a swap, and all readers choose the same one.
    pub(crate) fn of_children(children: &[String]) -> Option<Self> {
        Self::all_of(children).into_iter().min()
    }

    /// All lives that these children name.
    pub(crate) fn all_of(children: &[String]) -> Vec<Self> {
        let lives = children.iter().filter_map(|child| Self::of_name(child));
        lives.collect()
    }

    fn of_name(name: &str) -> Option<Self> {
        hex(name.strip_prefix(LIFE)?).map(Self)
    }
}

/// The content of a version: which body of which life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// The usual form.
    Of {
        /// The node's life.
        life: Life,
        /// ZooKeeper's version of the data, in this life.
        data: i32,
    },
    /// A node that a person made and that has no life yet.
    Bare {
        /// The transaction that created the node. No other node has the same one.
        czxid: i64,
        /// ZooKeeper's version of the data.
        data: i32,
    },
}

impl State {
    pub(crate) fn version(self) -> Version {
        Version::new(match self {
            Self::Of { life, data } => format!("{:016x}:{data}", life.0),
            Self::Bare { czxid, data } => format!("{BARE}{czxid:016x}:{data}"),
        })
    }

    /// Returns `None` if no state of any key can have this version.
    pub(crate) fn of_version(version: &Version) -> Option<Self> {
        let (first, data) = version.as_str().split_once(':')?;
        let number: i32 = data.parse().ok()?;
        // To ZooKeeper, -1 means any version.
        if number == -1 || number.to_string() != data {
            return None;
        }
        match first.strip_prefix(BARE) {
            Some(czxid) => Some(Self::Bare {
                czxid: hex(czxid)?.cast_signed(),
                data: number,
            }),
            None => Some(Self::Of {
                life: Life(hex(first)?),
                data: number,
            }),
        }
    }
}

/// Parses a number in its canonical form: sixteen digits in lower case.
fn hex(text: &str) -> Option<u64> {
    let number = u64::from_str_radix(text, 16).ok()?;
    (format!("{number:016x}") == text).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group() -> GroupName {
        "demo".parse().unwrap()
    }

    #[test]
    fn nodes_read_back_and_others_are_none_of_ours() {
        for item in ["@root", "@floor", "a", "jobs/17/x", &["x"; 100].join("/")] {
            let key = Key::of_item(group(), item).unwrap();
            let node = key_node("/p", &key);
            let name = node.strip_prefix("/p/demo/").unwrap();
            assert!(!name.contains('/'));
            assert_eq!(key_of(&group(), name), Some(key.clone()));
            assert_eq!(key_at(&group(), "/p/demo", &node), Some(key));
            let below = Life::fresh().node(&node);
            assert_eq!(key_at(&group(), "/p/demo", &below), None);
        }
        for other in ["", "@other", PRESENT, "a b", "+a", "a/b"] {
            assert_eq!(key_of(&group(), other), None, "{other:?}");
        }
        for other in ["/p/demo", "/p/demo2/a", "/p", "/q/demo/a"] {
            assert_eq!(key_at(&group(), "/p/demo", other), None, "{other:?}");
        }
    }

    #[test]
    fn holders_are_no_keys() {
        let node = holder_node("/p", &group(), Nonce::new(7));
        assert!(node.starts_with(&present_node("/p", &group())));
        assert_eq!(key_at(&group(), "/p/demo", &node), None);
    }

    #[test]
    fn versions_read_back_and_others_are_none_of_ours() {
        let life = Life(0xab);
        for state in [
            State::Of { life, data: 0 },
            State::Of {
                life,
                data: i32::MIN,
            },
            State::Bare { czxid: 77, data: 3 },
        ] {
            assert_eq!(State::of_version(&state.version()), Some(state));
        }
        for other in [
            "",
            "1",
            "ab:0",
            "00000000000000ab:-1",
            "00000000000000ab:+1",
            "00000000000000ab:01",
            "00000000000000AB:1",
            "bare-1:1",
            "00000000000000ab:1:1",
        ] {
            assert_eq!(State::of_version(&Version::new(other)), None, "{other}");
        }
    }

    #[test]
    fn all_readers_take_the_same_life() {
        let [a, b] = [Life(1), Life(2)];
        let name = |life: Life| life.node("").trim_start_matches('/').to_owned();
        let children = [name(b), "by-hand".into(), "life-x".into(), name(a)];
        assert_eq!(Life::of_children(&children), Some(a));
        assert_eq!(Life::of_children(&children[1..3]), None);
    }
}
