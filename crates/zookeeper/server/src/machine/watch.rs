//! Who is told of what.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use incumbent_zk_proto::{EventKind, RemoveKind};

use super::{ConnectionId, path};

/// All watches. They belong to connections, as in ZooKeeper: whoever comes back sets them again.
#[derive(Default)]
pub(super) struct Watches {
    by_path: HashMap<Arc<str>, BTreeMap<ConnectionId, Kinds>>,
    by_connection: HashMap<ConnectionId, BTreeSet<Arc<str>>>,
    /// Where recursive ones are, and how many.
    recursive: HashMap<Arc<str>, usize>,
    bytes: usize,
}

/// About what a watched node takes besides its path, and each who watches it.
const PATH_BYTES: usize = 160;
const WATCHER_BYTES: usize = 100;

/// The kinds of watches that one connection has on one node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Kinds(u8);

impl Kinds {
    /// Data and existence, once.
    pub(super) const DATA: Self = Self(1);
    /// Children, once.
    pub(super) const CHILDREN: Self = Self(2);
    /// Everything of one node, until it is taken away.
    pub(super) const PERSISTENT: Self = Self(4);
    /// Every node below too, but no children.
    pub(super) const RECURSIVE: Self = Self(8);

    const NONE: Self = Self(0);

    const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    const fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Those that a client means when it asks for a kind.
    const fn meant_by(kind: RemoveKind) -> Self {
        match kind {
            RemoveKind::Children => Self::CHILDREN.or(Self::PERSISTENT),
            RemoveKind::Data => Self::DATA.or(Self::PERSISTENT).or(Self::RECURSIVE),
            RemoveKind::Any => Self(15),
            RemoveKind::Persistent => Self::PERSISTENT,
            RemoveKind::Recursive => Self::RECURSIVE,
        }
    }

    /// Those on the node itself that are told of an event.
    const fn told_of(kind: EventKind) -> Self {
        match kind {
            EventKind::Created | EventKind::DataChanged => {
                Self::DATA.or(Self::PERSISTENT).or(Self::RECURSIVE)
            }
            EventKind::Deleted => Self(15),
            EventKind::ChildrenChanged => Self::CHILDREN.or(Self::PERSISTENT),
        }
    }

    /// Those that are told once only.
    const ONCE: Self = Self::DATA.or(Self::CHILDREN);
}

impl Watches {
    pub(super) fn set(&mut self, connection: ConnectionId, path: &str, kinds: Kinds) {
        let path = match self.by_path.get_key_value(path) {
            Some((known, _)) => Arc::clone(known),
            None => {
                self.bytes += PATH_BYTES + path.len();
                Arc::from(path)
            }
        };
        let on_path = self.by_path.entry(Arc::clone(&path)).or_default();
        let before = on_path.entry(connection).or_default();
        if *before == Kinds::NONE {
            self.bytes += WATCHER_BYTES;
        }
        let added = kinds.without(*before);
        *before = before.or(kinds);
        if added.meets(Kinds::RECURSIVE) {
            *self.recursive.entry(Arc::clone(&path)).or_default() += 1;
        }
        self.by_connection
            .entry(connection)
            .or_default()
            .insert(path);
    }

    pub(super) fn is_set(&self, connection: ConnectionId, path: &str, kind: RemoveKind) -> bool {
        let kinds = self.by_path.get(path).and_then(|all| all.get(&connection));
        kinds.is_some_and(|kinds| kinds.meets(Kinds::meant_by(kind)))
    }

    /// Whether there was anything to take away.
    pub(super) fn unset(&mut self, connection: ConnectionId, path: &str, kind: RemoveKind) -> bool {
        let found = self.is_set(connection, path, kind);
        if found {
            self.clear(connection, path, Kinds::meant_by(kind));
        }
        found
    }

    /// On how many nodes a connection has watches.
    pub(super) fn count(&self, connection: ConnectionId) -> usize {
        self.by_connection.get(&connection).map_or(0, BTreeSet::len)
    }

    /// About how much memory they take.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// All nodes that are watched, and by whom.
    pub(super) fn by_path(
        &self,
    ) -> impl Iterator<Item = (&Arc<str>, impl Iterator<Item = ConnectionId>)> {
        self.by_path
            .iter()
            .map(|(path, connections)| (path, connections.keys().copied()))
    }

    /// All connections that watch, and what.
    pub(super) fn by_connection(
        &self,
    ) -> impl Iterator<Item = (ConnectionId, &BTreeSet<Arc<str>>)> {
        self.by_connection
            .iter()
            .map(|(connection, paths)| (*connection, paths))
    }

    pub(super) fn forget(&mut self, connection: ConnectionId) {
        for path in self.by_connection.remove(&connection).unwrap_or_default() {
            self.clear(connection, &path, Kinds(15));
        }
    }

    fn clear(&mut self, connection: ConnectionId, path: &str, kinds: Kinds) {
        let Some(on_path) = self.by_path.get_mut(path) else {
            return;
        };
        let Some(before) = on_path.get_mut(&connection) else {
            return;
        };
        let gone = before.meets(Kinds::RECURSIVE) && kinds.meets(Kinds::RECURSIVE);
        if gone && let Some(count) = self.recursive.get_mut(path) {
            *count -= 1;
            if *count == 0 {
                self.recursive.remove(path);
            }
        }
        *before = before.without(kinds);
        if *before != Kinds::NONE {
            return;
        }
        on_path.remove(&connection);
        self.bytes -= WATCHER_BYTES;
        if on_path.is_empty() {
            self.by_path.remove(path);
            self.bytes -= PATH_BYTES + path.len();
        }
        if let Some(paths) = self.by_connection.get_mut(&connection) {
            paths.remove(path);
            if paths.is_empty() {
                self.by_connection.remove(&connection);
            }
        }
    }

    /// Who is told of an event, each once. Watches that tell once are gone then.
    pub(super) fn take(&mut self, kind: EventKind, path: &str) -> Vec<ConnectionId> {
        let mut told = Vec::new();
        let mut spent = Vec::new();
        for (connection, kinds) in self.by_path.get(path).into_iter().flatten() {
            let matching = Kinds::told_of(kind);
            if kinds.meets(matching) {
                told.push(*connection);
            }
            if kinds.meets(Kinds(matching.0 & Kinds::ONCE.0)) {
                spent.push(*connection);
            }
        }
        for connection in spent {
            let once = Kinds(Kinds::told_of(kind).0 & Kinds::ONCE.0);
            self.clear(connection, path, once);
        }
        if !self.recursive.is_empty() && kind != EventKind::ChildrenChanged {
            // Looking up everything above a deep node costs as much as its depth by its length:
            // whatever is less.
            let depth = path.bytes().filter(|byte| *byte == b'/').count();
            if self.recursive.len() < depth {
                let above = self
                    .recursive
                    .keys()
                    .filter(|above| path::is_below(path, above));
                above.for_each(|above| self.tell_recursive(above, &mut told));
            } else {
                path::ancestors(path).for_each(|above| self.tell_recursive(above, &mut told));
            }
            told.sort_unstable();
            told.dedup();
        }
        told
    }

    fn tell_recursive(&self, above: &str, told: &mut Vec<ConnectionId>) {
        for (connection, kinds) in self.by_path.get(above).into_iter().flatten() {
            if kinds.meets(Kinds::RECURSIVE) {
                told.push(*connection);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: ConnectionId = ConnectionId(1);
    const B: ConnectionId = ConnectionId(2);

    #[test]
    fn a_plain_watch_tells_once_and_a_persistent_one_always() {
        let mut watches = Watches::default();
        watches.set(A, "/x", Kinds::DATA);
        watches.set(B, "/x", Kinds::PERSISTENT);
        assert_eq!(watches.take(EventKind::DataChanged, "/x"), [A, B]);
        assert_eq!(watches.take(EventKind::DataChanged, "/x"), [B]);
        assert_eq!(watches.take(EventKind::ChildrenChanged, "/x"), [B]);
        assert_eq!(watches.count(A), 0);
    }

    #[test]
    fn a_recursive_watch_tells_of_all_below_but_not_of_children() {
        let mut watches = Watches::default();
        watches.set(A, "/x", Kinds::RECURSIVE);
        for path in ["/x", "/x/y", "/x/y/z"] {
            assert_eq!(watches.take(EventKind::Created, path), [A], "{path}");
            assert!(watches.take(EventKind::ChildrenChanged, path).is_empty());
        }
        assert!(watches.take(EventKind::Created, "/xy").is_empty());
        watches.set(B, "/", Kinds::RECURSIVE);
        assert_eq!(watches.take(EventKind::Deleted, "/xy"), [B]);
    }

    #[test]
    fn recursive_watches_are_found_whether_they_are_many_or_few() {
        let mut watches = Watches::default();
        watches.set(A, "/x/y", Kinds::RECURSIVE);
        for others in [0, 20] {
            for index in 0..others {
                watches.set(B, &format!("/z/{index}"), Kinds::RECURSIVE);
            }
            assert_eq!(watches.take(EventKind::Created, "/x/y/1/2/3/4"), [A]);
            assert_eq!(watches.take(EventKind::Created, "/x/y"), [A]);
            assert!(watches.take(EventKind::Created, "/x/yy/1/2/3").is_empty());
            assert!(watches.take(EventKind::Created, "/x").is_empty());
        }
        watches.set(B, "/x/y", Kinds::RECURSIVE);
        assert_eq!(watches.take(EventKind::Created, "/x/y/1"), [A, B]);
        watches.forget(A);
        assert_eq!(watches.take(EventKind::Created, "/x/y/1"), [B]);
    }

    #[test]
    fn a_recursive_watch_on_what_is_no_path_tells_of_nothing() {
        let mut watches = Watches::default();
        for path in ["", "x", "/x/", "//"] {
            watches.set(A, path, Kinds::RECURSIVE);
        }
        assert!(watches.take(EventKind::Created, "/x/y").is_empty());
        assert!(watches.take(EventKind::Created, "/x/1/2/3/4/5").is_empty());
    }

    #[test]
    fn a_deleted_node_is_told_once_to_who_watches_data_and_children() {
        let mut watches = Watches::default();
        watches.set(A, "/x", Kinds::DATA.or(Kinds::CHILDREN));
        watches.set(A, "/", Kinds::RECURSIVE);
        assert_eq!(watches.take(EventKind::Deleted, "/x"), [A]);
        assert_eq!(watches.count(A), 1);
    }

    #[test]
    fn kinds_on_one_node_live_beside_each_other() {
        let mut watches = Watches::default();
        watches.set(A, "/x", Kinds::PERSISTENT);
        watches.set(A, "/x", Kinds::DATA);
        assert_eq!(watches.take(EventKind::DataChanged, "/x"), [A]);
        assert_eq!(watches.take(EventKind::DataChanged, "/x"), [A]);
        assert!(!watches.unset(A, "/x", RemoveKind::Recursive));
        assert!(watches.unset(A, "/x", RemoveKind::Data));
        assert!(!watches.is_set(A, "/x", RemoveKind::Any));
    }

    #[test]
    fn nothing_is_left_of_a_connection_that_is_forgotten() {
        let mut watches = Watches::default();
        watches.set(A, "/x", Kinds::RECURSIVE);
        watches.set(A, "/y", Kinds::DATA);
        watches.forget(A);
        assert!(watches.recursive.is_empty());
        assert!(watches.by_path.is_empty() && watches.by_connection.is_empty());
        assert_eq!(watches.bytes, 0);
    }
}
