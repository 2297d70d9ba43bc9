//! The changes that can be made to a tree, and what takes them back.

use std::sync::Arc;

use incumbent_zk_proto::Data;

use super::node::{AclList, Node, Owner};

/// The number and the time of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Moment {
    pub(super) zxid: i64,
    /// Milliseconds since 1970.
    pub(super) time: i64,
}

/// One change of the tree, with everything resolved: sequence numbers are appended, and lists are
/// as they are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Create {
        path: Arc<str>,
        data: Data,
        acl: AclList,
        owner: Owner,
    },
    Delete {
        path: Arc<str>,
    },
    SetData {
        path: Arc<str>,
        data: Data,
    },
    SetAcl {
        path: Arc<str>,
        acl: AclList,
    },
}

/// What it takes to take back a change, once all later changes are taken back.
pub(super) enum Undo {
    Create {
        path: Arc<str>,
        parent: Parent,
    },
    Delete {
        path: Arc<str>,
        node: Arc<Node>,
        parent: Parent,
    },
    SetData {
        path: Arc<str>,
        data: Data,
        mzxid: i64,
        mtime: i64,
        version: i32,
    },
    SetAcl {
        path: Arc<str>,
        acl: AclList,
        aversion: i32,
    },
}

/// The fields of a parent that change when a child is created or deleted.
pub(super) struct Parent {
    pub(super) pzxid: i64,
    pub(super) creates: i32,
}
