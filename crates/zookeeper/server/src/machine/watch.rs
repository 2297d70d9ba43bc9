//! Watches: which connections get which events.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use incumbent_zk_proto::{EventKind, RemoveKind};

use super::ids::ConnectionId;
use super::path;

/// All watches. They belong to connections, as in ZooKeeper: a client that comes back sets them
/// again.
#[derive(Default)]
pub(super) struct Watches {
    by_path: HashMap<Arc<str>, BTreeMap<ConnectionId, Modes>>,
    by_connection: HashMap<ConnectionId, BTreeSet<Arc<str>>>,
    /// The paths of recursive watches, and the number of these on each.
    recursive: HashMap<Arc<str>, usize>,
    bytes: usize,
}

/// An estimate of what a watched node takes besides its path, and of what each of its watchers
/// takes.
const PATH_BYTES: usize = 160;
const WATCHER_BYTES: usize = 100;

/// The modes in which one connection watches one node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Modes(u8);

impl Modes {
    /// Data and existence; one event.
    pub(super) const DATA: Self = Self(1);
    /// Children; one event.
    pub(super) const CHILDREN: Self = Self(2);
    /// Everything about one node, until it is removed.
    pub(super) const PERSISTENT: Self = Self(4);
    /// Also every node below, but no changes of children.
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

    /// The modes that a client means by a kind.
    const fn meant_by(kind: RemoveKind) -> Self {
        match kind {
            RemoveKind::Children => Self::CHILDREN.or(Self::PERSISTENT),
            RemoveKind::Data => Self::DATA.or(Self::PERSISTENT).or(Self::RECURSIVE),
            RemoveKind::Any => Self(15),
            RemoveKind::Persistent => Self::PERSISTENT,
            RemoveKind::Recursive => Self::RECURSIVE,
        }
    }

    /// The modes on the node itself that get an event.
    const fn told_of(kind: EventKind) -> Self {
        match kind {
            EventKind::Created | EventKind::DataChanged => {
                Self::DATA.or(Self::PERSISTENT).or(Self::RECURSIVE)
            }
            EventKind::Deleted => Self(15),
            EventKind::ChildrenChanged => Self::CHILDREN.or(Self::PERSISTENT),
        }
    }

    /// The modes that end with their first event.
    const ONCE: Self = Self::DATA.or(Self::CHILDREN);
}

impl Watches {
    pub(super) fn set(&mut self, connection: ConnectionId, path: &str, modes: Modes) {
        let path = match self.by_path.get_key_value(path) {
            Some((known, _)) => Arc::clone(known),
            None => {
                self.bytes += PATH_BYTES + path.len();
                Arc::from(path)
            }
        };
        let on_path = self.by_path.entry(Arc::clone(&path)).or_default();
        let before = on_path.entry(connection).or_default();
        if *before == Modes::NONE {
            self.bytes += WATCHER_BYTES;
        }
        let added = modes.without(*before);
        *before = before.or(modes);
        if added.meets(Modes::RECURSIVE) {
            *self.recursive.entry(Arc::clone(&path)).or_default() += 1;
        }
        self.by_connection
            .entry(connection)
            .or_default()
            .insert(path);
    }

    pub(super) fn is_set(&self, connection: ConnectionId, path: &str, kind: RemoveKind) -> bool {
        let modes = self.by_path.get(path).and_then(|all| all.get(&connection));
        modes.is_some_and(|modes| modes.meets(Modes::meant_by(kind)))
    }

    /// Removes watches. Returns whether there were any.
    pub(super) fn unset(&mut self, connection: ConnectionId, path: &str, kind: RemoveKind) -> bool {
        let found = self.is_set(connection, path, kind);
        if found {
            self.clear(connection, path, Modes::meant_by(kind));
        }
        found
    }

    /// The memory that a first watch of this connection on this node would take; `None` if the
    /// connection watches it already.
    pub(super) fn added_bytes(&self, connection: ConnectionId, path: &str) -> Option<usize> {
        match self.by_path.get(path) {
            Some(watchers) if watchers.contains_key(&connection) => None,
            Some(_) => Some(WATCHER_BYTES),
            None => Some(PATH_BYTES + path.len() + WATCHER_BYTES),
        }
    }

    /// The number of nodes that a connection watches.
    pub(super) fn count(&self, connection: ConnectionId) -> usize {
        self.by_connection.get(&connection).map_or(0, BTreeSet::len)
    }

    /// An estimate of the memory they take, in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// All watched nodes, and the connections that watch them.
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
            self.clear(connection, &path, Modes(15));
        }
    }

    fn clear(&mut self, connection: ConnectionId, path: &str, modes: Modes) {
        let Some(on_path) = self.by_path.get_mut(path) else {
            return;
        };
        let Some(before) = on_path.get_mut(&connection) else {
            return;
        };
        let gone = before.meets(Modes::RECURSIVE) && modes.meets(Modes::RECURSIVE);
        if gone && let Some(count) = self.recursive.get_mut(path) {
            *count -= 1;
            if *count == 0 {
                self.recursive.remove(path);
            }
        }
        *before = before.without(modes);
        if *before != Modes::NONE {
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

    /// The connections that get an event, each once. Removes the watches that end with it.
    pub(super) fn take(&mut self, kind: EventKind, path: &str) -> Vec<ConnectionId> {
        let mut told = Vec::new();
        let mut spent = Vec::new();
        for (connection, modes) in self.by_path.get(path).into_iter().flatten() {
            let matching = Modes::told_of(kind);
            if modes.meets(matching) {
                told.push(*connection);
            }
            if modes.meets(Modes(matching.0 & Modes::ONCE.0)) {
                spent.push(*connection);
            }
        }
        for connection in spent {
            let once = Modes(Modes::told_of(kind).0 & Modes::ONCE.0);
            self.clear(connection, path, once);
        }
        if !self.recursive.is_empty() && kind != EventKind::ChildrenChanged {
            // Either look at all recursive watches, or look up all nodes above: whichever is less
            // work. The second costs the depth of the node times the length of its path.
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
        for (connection, modes) in self.by_path.get(above).into_iter().flatten() {
            if modes.meets(Modes::RECURSIVE) {
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
        watches.set(A, "/x", Modes::DATA);
        watches.set(B, "/x", Modes::PERSISTENT);
        assert_eq!(watches.take(EventKind::DataChanged, "/x"), [A, B]);
        assert_eq!(watches.take(EventKind::DataChanged, "/x"), [B]);
        assert_eq!(watches.take(EventKind::ChildrenChanged, "/x"), [B]);
        assert_eq!(watches.count(A), 0);
    }

    #[test]
    fn a_recursive_watch_tells_of_all_below_but_not_of_children() {
        let mut watches = Watches::default();
        watches.set(A, "/x", Modes::RECURSIVE);
        for path in ["/x", "/x/y", "/x/y/z"] {
            assert_eq!(watches.take(EventKind::Created, path), [A], "{path}");
            assert!(watches.take(EventKind::ChildrenChanged, path).is_empty());
        }
        assert!(watches.take(EventKind::Created, "/xy").is_empty());
        watches.set(B, "/", Modes::RECURSIVE);
        assert_eq!(watches.take(EventKind::Deleted, "/xy"), [B]);
    }

    #[test]
    fn recursive_watches_are_found_whether_they_are_many_or_few() {
        let mut watches = Watches::default();
        watches.set(A, "/x/y", Modes::RECURSIVE);
        for others in [0, 20] {
            for index in 0..others {
                watches.set(B, &format!("/z/{index}"), Modes::RECURSIVE);
            }
            assert_eq!(watches.take(EventKind::Created, "/x/y/1/2/3/4"), [A]);
            assert_eq!(watches.take(EventKind::Created, "/x/y"), [A]);
            assert!(watches.take(EventKind::Created, "/x/yy/1/2/3").is_empty());
            assert!(watches.take(EventKind::Created, "/x").is_empty());
        }
        watches.set(B, "/x/y", Modes::RECURSIVE);
        assert_eq!(watches.take(EventKind::Created, "/x/y/1"), [A, B]);
        watches.forget(A);
        assert_eq!(watches.take(EventKind::Created, "/x/y/1"), [B]);
    }

    #[test]
    fn a_recursive_watch_on_what_is_no_path_tells_of_nothing() {
        let mut watches = Watches::default();
        for path in ["", "x", "/x/", "//"] {
            watches.set(A, path, Modes::RECURSIVE);
        }
        assert!(watches.take(EventKind::Created, "/x/y").is_empty());
        assert!(watches.take(EventKind::Created, "/x/1/2/3/4/5").is_empty());
    }

    #[test]
    fn a_deleted_node_is_told_once_to_who_watches_data_and_children() {
        let mut watches = Watches::default();
        watches.set(A, "/x", Modes::DATA.or(Modes::CHILDREN));
        watches.set(A, "/", Modes::RECURSIVE);
        assert_eq!(watches.take(EventKind::Deleted, "/x"), [A]);
        assert_eq!(watches.count(A), 1);
    }

    #[test]
    fn modes_on_one_node_live_beside_each_other() {
        let mut watches = Watches::default();
        watches.set(A, "/x", Modes::PERSISTENT);
        watches.set(A, "/x", Modes::DATA);
        assert_eq!(watches.take(EventKind::DataChanged, "/x"), [A]);
        assert_eq!(watches.take(EventKind::DataChanged, "/x"), [A]);
        assert!(!watches.unset(A, "/x", RemoveKind::Recursive));
        assert!(watches.unset(A, "/x", RemoveKind::Data));
        assert!(!watches.is_set(A, "/x", RemoveKind::Any));
    }

    #[test]
    fn nothing_is_left_of_a_connection_that_is_forgotten() {
        let mut watches = Watches::default();
        watches.set(A, "/x", Modes::RECURSIVE);
        watches.set(A, "/y", Modes::DATA);
        watches.forget(A);
        assert!(watches.recursive.is_empty());
        assert!(watches.by_path.is_empty() && watches.by_connection.is_empty());
        assert_eq!(watches.bytes, 0);
    }
}
