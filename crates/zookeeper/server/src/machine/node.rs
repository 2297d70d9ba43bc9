//! One node of the tree.

use std::sync::Arc;

use incumbent_zk_proto::{Acl, Data, Stat};

use super::ids::SessionId;

/// A list, shared by all nodes that have the same one.
pub(super) type AclList = Arc<[Acl]>;

/// One node without its children, which the tree keeps apart. It is copied when it changes while a
/// snapshot still holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Node {
    pub(super) data: Data,
    pub(super) acl: AclList,
    pub(super) czxid: i64,
    pub(super) mzxid: i64,
    pub(super) pzxid: i64,
    pub(super) ctime: i64,
    pub(super) mtime: i64,
    pub(super) version: i32,
    pub(super) aversion: i32,
    /// How many children were ever created: the number of the next sequential child.
    pub(super) creates: i32,
    pub(super) owner: Owner,
}

/// When a node is deleted without being asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    /// Never: it is persistent.
    Nobody,
    /// When this session ends: it is ephemeral.
    Session(SessionId),
    /// When its last child is deleted: it is a container.
    Container,
    /// After so many milliseconds without a change, if it has no children.
    Ttl(i64),
}

/// Marks of containers and of times to live in the field of the owner, as ZooKeeper's
/// `EphemeralType` has them.
const CONTAINER: i64 = i64::MIN;
const TTL: i64 = 0xff_i64 << 56;

impl Owner {
    /// The longest time to live.
    pub(super) const LONGEST_TTL: i64 = 0xff_ffff_ffff;

    pub(super) fn wire(self) -> i64 {
        match self {
            Self::Nobody => 0,
            Self::Session(session) => session.0,
            Self::Container => CONTAINER,
            Self::Ttl(ttl) => TTL | ttl,
        }
    }

    pub(super) fn from_wire(wire: i64) -> Self {
        match wire {
            0 => Self::Nobody,
            CONTAINER => Self::Container,
            wire if wire & TTL == TTL => Self::Ttl(wire & Self::LONGEST_TTL),
            wire => Self::Session(SessionId(wire)),
        }
    }
}

impl Node {
    /// The stat of a node that has so many children now.
    pub(super) fn stat(&self, children: usize) -> Stat {
        let children = i32::try_from(children).unwrap_or(i32::MAX);
        Stat {
            czxid: self.czxid,
            mzxid: self.mzxid,
            ctime: self.ctime,
            mtime: self.mtime,
            version: self.version,
            // Creations and deletions: all that were created, and of these the ones that are gone.
            cversion: self.creates.wrapping_mul(2).wrapping_sub(children),
            aversion: self.aversion,
            // As ZooKeeper does: clients do not see the marks of containers and times to live.
            ephemeral_owner: match self.owner {
                Owner::Session(session) => session.0,
                Owner::Nobody | Owner::Container | Owner::Ttl(_) => 0,
            },
            data_length: self
                .data
                .as_ref()
                .map_or(0, |data| i32::try_from(data.len()).unwrap_or(i32::MAX)),
            num_children: children,
            pzxid: self.pzxid,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owners_read_back_from_the_wire() {
        for owner in [
            Owner::Nobody,
            Owner::Session(SessionId(1)),
            Owner::Session(SessionId(i64::MAX)),
            Owner::Container,
            Owner::Ttl(1),
            Owner::Ttl(Owner::LONGEST_TTL),
        ] {
            assert_eq!(Owner::from_wire(owner.wire()), owner);
        }
    }
}
