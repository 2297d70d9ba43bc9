//! All nodes by their paths, in shards that a snapshot shares with the tree.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use super::node::Node;

/// All nodes by their paths.
///
/// They lie in shards. A snapshot takes a reference to each shard, and the first change of a shard
/// after that copies it. So taking a snapshot costs the same for any number of nodes, and no single
/// change copies more than one shard in [`SHARDS`].
pub(super) struct Nodes {
    shards: Shards,
    hasher: RandomState,
    count: usize,
}

/// All nodes as they were at one moment. The nodes themselves are shared too.
#[derive(Clone)]
pub(super) struct Shards(Vec<Option<Arc<Shard>>>);

type Shard = HashMap<Arc<str>, Arc<Node>, RandomState>;

/// Ten million nodes make 2,400 of them a shard, which are copied in a fraction of a millisecond.
/// An empty tree takes 32 KiB for them.
const SHARDS: usize = 1 << 12;

/// Neither the highest nor the lowest bits of a hash choose the shard: the map within uses those.
const SHARD_SHIFT: u32 = 40;

impl Nodes {
    pub(super) fn new() -> Self {
        Self {
            shards: Shards(vec![None; SHARDS]),
            hasher: RandomState::new(),
            count: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.count
    }

    pub(super) fn get(&self, path: &str) -> Option<&Node> {
        self.shards.0[self.index(path)]
            .as_ref()?
            .get(path)
            .map(|node| &**node)
    }

    /// The node, to change it. Nothing is copied if the path has no node.
    pub(super) fn get_mut(&mut self, path: &str) -> Option<&mut Node> {
        let index = self.index(path);
        let shard = self.shards.0[index]
            .as_mut()
            .filter(|shard| shard.contains_key(path))?;
        Arc::make_mut(shard).get_mut(path).map(Arc::make_mut)
    }

    /// Adds a node. The path must have none.
    pub(super) fn insert(&mut self, path: Arc<str>, node: Arc<Node>) {
        let index = self.index(&path);
        let hasher = &self.hasher;
        let shard = self.shards.0[index]
            .get_or_insert_with(|| Arc::new(Shard::with_hasher(hasher.clone())));
        let before = Arc::make_mut(shard).insert(path, node);
        debug_assert!(before.is_none(), "the tree looks before it adds");
        self.count += 1;
    }

    pub(super) fn remove(&mut self, path: &str) -> Option<Arc<Node>> {
        let index = self.index(path);
        let shard = self.shards.0[index]
            .as_mut()
            .filter(|shard| shard.contains_key(path))?;
        let removed = Arc::make_mut(shard).remove(path)?;
        if shard.is_empty() {
            self.shards.0[index] = None;
        }
        self.count -= 1;
        Some(removed)
    }

    /// All nodes as they are now.
    pub(super) fn share(&self) -> Shards {
        self.shards.clone()
    }

    fn index(&self, path: &str) -> usize {
        let hash = self.hasher.hash_one(path) >> SHARD_SHIFT;
        usize::try_from(hash).expect("it has 24 bits") % SHARDS
    }
}

impl Shards {
    pub(super) fn iter(&self) -> impl Iterator<Item = (&Arc<str>, &Arc<Node>)> {
        self.0.iter().flatten().flat_map(|shard| shard.iter())
    }
}

#[cfg(test)]
mod tests {
    use super::super::Machine;
    use super::super::change::{Change, Moment};
    use super::*;

    /// How many shards the tree does not share with the snapshot.
    fn copied(nodes: &Nodes, snapshot: &Shards) -> usize {
        let both = nodes.shards.0.iter().zip(&snapshot.0);
        let shared = both.filter(|(now, then)| match (now, then) {
            (Some(now), Some(then)) => Arc::ptr_eq(now, then),
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        });
        SHARDS - shared.count()
    }

    #[test]
    fn a_change_after_a_snapshot_copies_what_it_touches_and_no_more() {
        let mut machine = Machine::new(super::super::Options::default(), 0);
        let tree = &mut machine.tree;
        let at = Moment { zxid: 1, time: 0 };
        let acl = tree.share(&[incumbent_zk_proto::Acl::open()]);
        for number in 0..20_000 {
            let create = Change::Create {
                path: format!("/{number}").into(),
                data: None,
                acl: Arc::clone(&acl),
                owner: super::super::node::Owner::Nobody,
            };
            tree.apply(&create, at).unwrap();
        }
        let snapshot = tree.nodes().share();
        assert_eq!(copied(tree.nodes(), &snapshot), 0);
        assert_eq!(snapshot.iter().count(), tree.len());
        let set = Change::SetData {
            path: "/7".into(),
            data: Some((*b"x").into()),
        };
        tree.apply(&set, at).unwrap();
        assert_eq!(copied(tree.nodes(), &snapshot), 1);
        // The node and its parent, whose 20,000 children are no part of a snapshot.
        let delete = Change::Delete { path: "/8".into() };
        tree.apply(&delete, at).unwrap();
        assert!(copied(tree.nodes(), &snapshot) <= 3);
        let (_, before) = snapshot.iter().find(|(path, _)| &***path == "/7").unwrap();
        assert_eq!(before.data, None);
    }
}
