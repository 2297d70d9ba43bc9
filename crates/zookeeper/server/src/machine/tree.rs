//! The nodes, and how changes are made and taken back. Permissions are checked elsewhere.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use incumbent_zk_proto::{Acl, Code, Data, Stat};

use super::acl::{self, Lists};
use super::change::{Change, Moment, Parent, Undo};
use super::ids::SessionId;
use super::node::{AclList, Node, Owner};
use super::nodes::Nodes;
use super::path;

/// All nodes by their paths.
pub(super) struct Tree {
    nodes: Nodes,
    /// Names of children by the path of their parent, which has some. They can be found from the
    /// paths, so a snapshot does not hold them.
    children: HashMap<Arc<str>, BTreeSet<Arc<str>>>,
    lists: Lists,
    ephemerals: HashMap<SessionId, BTreeSet<Arc<str>>>,
    /// Containers and nodes with a time to live.
    fading: BTreeSet<Arc<str>>,
    bytes: usize,
}

/// An estimate of what a node takes besides its path, its list and its data.
const NODE_BYTES: usize = 256;

impl Tree {
    /// The tree of a new server.
    pub(super) fn new() -> Self {
        let mut lists = Lists::default();
        let open = lists.share(&[Acl::open()]);
        let read_only = lists.share(&acl::read_only());
        let mut tree = Self {
            nodes: Nodes::new(),
            children: HashMap::new(),
            lists,
            ephemerals: HashMap::new(),
            fading: BTreeSet::new(),
            bytes: 0,
        };
        for path in path::SPECIAL {
            let config = path == path::CONFIG;
            let node = Node {
                data: Some(Arc::default()),
                acl: Arc::clone(if config { &read_only } else { &open }),
                czxid: 0,
                mzxid: 0,
                pzxid: 0,
                ctime: 0,
                mtime: 0,
                version: 0,
                // As in ZooKeeper, which sets its list without a version.
                aversion: if config { -1 } else { 0 },
                creates: 0,
                owner: Owner::Nobody,
            };
            tree.insert(path.into(), Arc::new(node));
        }
        tree
    }

    pub(super) fn get(&self, path: &str) -> Result<&Node, Code> {
        self.nodes.get(path).ok_or(Code::NoNode)
    }

    pub(super) fn stat(&self, path: &str) -> Result<Stat, Code> {
        Ok(self.get(path)?.stat(self.children(path).len()))
    }

    /// Names of the children of a node, in order; none if there is no such node.
    pub(super) fn children(&self, path: &str) -> &BTreeSet<Arc<str>> {
        const NONE: &BTreeSet<Arc<str>> = &BTreeSet::new();
        self.children.get(path).unwrap_or(NONE)
    }

    pub(super) fn contains(&self, path: &str) -> bool {
        self.nodes.get(path).is_some()
    }

    pub(super) fn len(&self) -> usize {
        self.nodes.len()
    }

    /// An estimate of the memory that nodes take, in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn nodes(&self) -> &Nodes {
        &self.nodes
    }

    /// Paths of the ephemeral nodes of a session, in order.
    pub(super) fn ephemerals(&self, session: SessionId) -> impl Iterator<Item = &Arc<str>> {
        self.ephemerals.get(&session).into_iter().flatten()
    }

    /// The number of ephemeral nodes.
    pub(super) fn ephemeral_count(&self) -> usize {
        self.ephemerals.values().map(BTreeSet::len).sum()
    }

    /// Sessions with ephemeral nodes, and the paths of these.
    pub(super) fn owners(&self) -> impl Iterator<Item = (SessionId, &BTreeSet<Arc<str>>)> {
        self.ephemerals
            .iter()
            .map(|(session, paths)| (*session, paths))
    }

    /// Containers without children that once had some, and nodes whose time to live is over.
    pub(super) fn faded(&self, time: i64) -> Vec<Arc<str>> {
        let faded = |path: &&Arc<str>| self.has_faded(path, time);
        self.fading.iter().filter(faded).cloned().collect()
    }

    pub(super) fn has_faded(&self, path: &str, time: i64) -> bool {
        let Some(node) = self.nodes.get(path) else {
            return false;
        };
        self.children(path).is_empty()
            && match node.owner {
                Owner::Container => node.creates != 0,
                Owner::Ttl(ttl) => time.saturating_sub(node.mtime) > ttl,
                Owner::Nobody | Owner::Session(_) => false,
            }
    }

    /// The number of nodes below this one.
    pub(super) fn below(&self, path: &str) -> usize {
        // Not recursive: a tree may be as deep as a path is long.
        let mut count = 0;
        let mut open = vec![path.to_owned()];
        while let Some(path) = open.pop() {
            let children = self.children(&path);
            count += children.len();
            open.extend(children.iter().map(|name| path::child(&path, name)));
        }
        count
    }

    /// The list, shared with all nodes that have the same one.
    pub(super) fn share(&mut self, list: &[Acl]) -> AclList {
        self.lists.share(list)
    }

    /// Makes a change.
    ///
    /// # Errors
    ///
    /// The change does not fit the tree. Nothing was changed.
    pub(super) fn apply(&mut self, change: &Change, at: Moment) -> Result<Undo, Code> {
        match change {
            Change::Create {
                path,
                data,
                acl,
                owner,
            } => self.create(path, data, acl, *owner, at),
            Change::Delete { path } => self.delete(path, at),
            Change::SetData { path, data } => {
                let (old, new) = (self.node(path)?, data.clone());
                let undo = Undo::SetData {
                    path: Arc::clone(path),
                    data: std::mem::replace(&mut old.data, new),
                    mzxid: std::mem::replace(&mut old.mzxid, at.zxid),
                    mtime: std::mem::replace(&mut old.mtime, at.time),
                    version: old.version,
                };
                old.version = old.version.wrapping_add(1);
                self.count_data(&undo, data);
                Ok(undo)
            }
            Change::SetAcl { path, acl } => {
                let (node, grown) = (self.node(path)?, acl::bytes(acl));
                let shrunk = acl::bytes(&node.acl);
                let undo = Undo::SetAcl {
                    path: Arc::clone(path),
                    acl: std::mem::replace(&mut node.acl, Arc::clone(acl)),
                    aversion: node.aversion,
                };
                node.aversion = node.aversion.wrapping_add(1);
                self.bytes = self.bytes + grown - shrunk;
                Ok(undo)
            }
        }
    }

    fn create(
        &mut self,
        path: &Arc<str>,
        data: &Data,
        acl: &AclList,
        owner: Owner,
        at: Moment,
    ) -> Result<Undo, Code> {
        let (parent, _) = path::split(path).ok_or(Code::BadArguments)?;
        if self.contains(path) {
            return Err(Code::NodeExists);
        }
        let parent = self.node(parent)?;
        let undo = Undo::Create {
            path: Arc::clone(path),
            parent: parent.before(),
        };
        parent.pzxid = at.zxid;
        parent.creates = parent.creates.wrapping_add(1);
        let node = Node {
            data: data.clone(),
            acl: Arc::clone(acl),
            czxid: at.zxid,
            mzxid: at.zxid,
            pzxid: at.zxid,
            ctime: at.time,
            mtime: at.time,
            version: 0,
            aversion: 0,
            creates: 0,
            owner,
        };
        self.insert(Arc::clone(path), Arc::new(node));
        Ok(undo)
    }

    fn delete(&mut self, path: &Arc<str>, at: Moment) -> Result<Undo, Code> {
        self.get(path)?;
        if !self.children(path).is_empty() {
            return Err(Code::NotEmpty);
        }
        let (parent, _) = path::split(path).ok_or(Code::BadArguments)?;
        let parent = self.node(parent)?;
        let before = parent.before();
        parent.pzxid = at.zxid;
        Ok(Undo::Delete {
            path: Arc::clone(path),
            node: self.remove(path),
            parent: before,
        })
    }

    /// Takes back a change. All later ones must have been taken back before.
    pub(super) fn undo(&mut self, undo: Undo) {
        match undo {
            Undo::Create { path, parent } => {
                self.remove(&path);
                self.restore_parent(&path, parent);
            }
            Undo::Delete { path, node, parent } => {
                self.insert(Arc::clone(&path), node);
                self.restore_parent(&path, parent);
            }
            Undo::SetData {
                path,
                data,
                mzxid,
                mtime,
                version,
            } => {
                let node = self.known(&path);
                let undone = std::mem::replace(&mut node.data, data.clone());
                node.mzxid = mzxid;
                node.mtime = mtime;
                node.version = version;
                self.bytes = self.bytes + length(&data) - length(&undone);
            }
            Undo::SetAcl {
                path,
                acl,
                aversion,
            } => {
                let grown = acl::bytes(&acl);
                let node = self.known(&path);
                let shrunk = acl::bytes(&node.acl);
                node.acl = acl;
                node.aversion = aversion;
                self.bytes = self.bytes + grown - shrunk;
            }
        }
    }

    fn count_data(&mut self, undo: &Undo, new: &Data) {
        if let Undo::SetData { data: old, .. } = undo {
            self.bytes = self.bytes + length(new) - length(old);
        }
    }

    fn restore_parent(&mut self, path: &str, before: Parent) {
        let (parent, _) =
            path::split(path).expect("only the root has no parent, and it is never changed");
        let parent = self.known(parent);
        parent.pzxid = before.pzxid;
        parent.creates = before.creates;
    }

    fn node(&mut self, path: &str) -> Result<&mut Node, Code> {
        self.nodes.get_mut(path).ok_or(Code::NoNode)
    }

    fn known(&mut self, path: &str) -> &mut Node {
        self.node(path)
            .expect("a node that was changed exists until the change is taken back")
    }

    /// Adds a node. Its parent must exist, unless it is the root.
    pub(super) fn insert(&mut self, path: Arc<str>, node: Arc<Node>) {
        self.bytes += weight(&path, &node);
        match node.owner {
            Owner::Session(session) => {
                let paths = self.ephemerals.entry(session).or_default();
                paths.insert(Arc::clone(&path));
            }
            Owner::Container | Owner::Ttl(_) => {
                self.fading.insert(Arc::clone(&path));
            }
            Owner::Nobody => {}
        }
        if let Some((parent, name)) = path::split(&path) {
            self.add_child(parent, name);
        }
        self.nodes.insert(path, node);
    }

    fn remove(&mut self, path: &str) -> Arc<Node> {
        let node = self
            .nodes
            .remove(path)
            .expect("the caller has looked the node up");
        self.bytes -= weight(path, &node);
        match node.owner {
            Owner::Session(session) => {
                if let Some(paths) = self.ephemerals.get_mut(&session) {
                    paths.remove(path);
                    if paths.is_empty() {
                        self.ephemerals.remove(&session);
                    }
                }
            }
            Owner::Container | Owner::Ttl(_) => {
                self.fading.remove(path);
            }
            Owner::Nobody => {}
        }
        if let Some((parent, name)) = path::split(path) {
            self.remove_child(parent, name);
        }
        node
    }

    fn add_child(&mut self, parent: &str, name: &str) {
        debug_assert!(
            self.contains(parent),
            "a node is added below one that exists"
        );
        if let Some(children) = self.children.get_mut(parent) {
            children.insert(name.into());
        } else {
            let only = BTreeSet::from([name.into()]);
            self.children.insert(parent.into(), only);
        }
    }

    fn remove_child(&mut self, parent: &str, name: &str) {
        if let Some(children) = self.children.get_mut(parent) {
            children.remove(name);
            if children.is_empty() {
                self.children.remove(parent);
            }
        }
    }

    /// Replaces one of the nodes that always exist by the one of a snapshot.
    pub(super) fn replace(&mut self, path: &str, node: Node) {
        let old = self.known(path);
        let grown = weight(path, &node);
        let shrunk = weight(path, old);
        *old = node;
        self.bytes = self.bytes + grown - shrunk;
    }
}

impl Node {
    fn before(&self) -> Parent {
        Parent {
            pzxid: self.pzxid,
            creates: self.creates,
        }
    }
}

/// An estimate of the memory that a node takes. Its list counts, even if it is shared.
fn weight(path: &str, node: &Node) -> usize {
    node_bytes(path, length(&node.data), &node.acl)
}

/// An estimate of the memory for a node with this path, so many bytes of data, and this list.
pub(super) fn node_bytes(path: &str, data: usize, acl: &[Acl]) -> usize {
    NODE_BYTES + path.len() + data + acl::bytes(acl)
}

fn length(data: &Data) -> usize {
    data.as_ref().map_or(0, |data| data.len())
}
