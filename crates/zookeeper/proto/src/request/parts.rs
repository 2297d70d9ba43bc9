//! The larger bodies of requests.

use crate::Acl;
#[cfg(doc)]
use crate::Op;
use crate::jute::{Malformed, Reader, Write};

/// What to create.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Create<'a> {
    /// The node; if it is sequential, a number is appended.
    pub path: &'a str,
    /// The data; `None` is not the same as empty.
    pub data: Option<&'a [u8]>,
    /// Its access control list.
    pub acl: Vec<Acl>,
    /// The number of a `CreateMode` of ZooKeeper's clients.
    pub flags: i32,
    /// The kind of the request.
    pub kind: CreateKind,
}

/// The kind of a request that creates a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CreateKind {
    /// [`Op::Create`]: the reply has the path.
    Plain,
    /// [`Op::Create2`]: the reply has path and stat.
    WithStat,
    /// [`Op::CreateContainer`].
    Container,
    /// [`Op::CreateTtl`], with the time to live in milliseconds.
    Ttl(i64),
}

/// Watches that a client had on an earlier connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SetWatches<'a> {
    /// The last zxid the client has seen. Later changes are sent as events at once.
    pub relative_zxid: i64,
    /// Nodes whose data is watched.
    pub data: Vec<&'a str>,
    /// Nodes that did not exist, and whose creation is watched.
    pub exist: Vec<&'a str>,
    /// Nodes whose children are watched.
    pub child: Vec<&'a str>,
    /// Persistent watches, and persistent recursive ones, in [`Op::SetWatches2`].
    pub persistent: Option<(Vec<&'a str>, Vec<&'a str>)>,
}

impl Create<'_> {
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        out.string(self.path);
        out.buffer(self.data);
        Acl::write_list(&self.acl, out);
        out.int(self.flags);
        if let CreateKind::Ttl(ttl) = self.kind {
            out.long(ttl);
        }
    }
}

impl<'a> SetWatches<'a> {
    pub(super) fn read(reader: &mut Reader<'a>, persistent: bool) -> Result<Self, Malformed> {
        Ok(Self {
            relative_zxid: reader.long()?,
            data: reader.strings()?,
            exist: reader.strings()?,
            child: reader.strings()?,
            persistent: if persistent {
                Some((reader.strings()?, reader.strings()?))
            } else {
                None
            },
        })
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        out.long(self.relative_zxid);
        out.strings(&self.data);
        out.strings(&self.exist);
        out.strings(&self.child);
        if let Some((persistent, recursive)) = &self.persistent {
            out.strings(persistent);
            out.strings(recursive);
        }
    }
}
