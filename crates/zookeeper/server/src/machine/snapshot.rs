//! The state that outlives the process, at one moment.

use std::io::{self, Write as _};
use std::sync::Arc;
use std::time::Duration;

use incumbent_zk_proto::jute::{Reader, Write};
use incumbent_zk_proto::{Acl, Malformed, PASSWORD_BYTES};

use super::node::{Node, Owner};
use super::nodes::Shards;
use super::{Machine, SessionId, path};

/// The state at one moment. Taking it costs the same for any number of nodes: they are
/// shared with the machine until they change there. Another thread may write it.
pub struct Frozen {
    zxid: i64,
    sessions: Vec<(SessionId, Duration, [u8; PASSWORD_BYTES])>,
    nodes: Shards,
    node_count: usize,
}

/// Why a snapshot cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadSnapshot {
    /// It is not a snapshot, or has a newer format.
    #[error("it is not a snapshot of this server, or was written by a newer version")]
    Foreign,
    /// Part of it cannot be read.
    #[error("it cannot be read")]
    Malformed(#[from] Malformed),
    /// A node is missing, is there twice, or has no parent.
    #[error("its nodes are not a tree")]
    NoTree,
}

/// The first bytes of every snapshot; the last of them is the number of the format.
const MAGIC: &[u8; 8] = b"inctree\x01";

impl Frozen {
    /// The newest change in it.
    pub fn zxid(&self) -> i64 {
        self.zxid
    }

    /// Writes it piece by piece.
    ///
    /// # Errors
    ///
    /// Those of `out`.
    pub fn write(&self, out: &mut dyn io::Write) -> io::Result<()> {
        let mut out = io::BufWriter::new(out);
        let mut piece = Vec::new();
        piece.extend_from_slice(MAGIC);
        piece.long(self.zxid);
        piece.length(self.sessions.len());
        for (session, timeout, password) in &self.sessions {
            piece.long(session.0);
            piece.long(i64::try_from(timeout.as_millis()).unwrap_or(i64::MAX));
            piece.extend_from_slice(password);
        }
        piece.length(self.node_count);
        for (path, node) in self.nodes.iter() {
            node.write(path, &mut piece);
            out.write_all(&piece)?;
            piece.clear();
        }
        out.write_all(&piece)?;
        out.flush()
    }
}

impl Machine {
    /// The state as it is now.
    pub fn freeze(&self) -> Frozen {
        Frozen {
            zxid: self.zxid,
            sessions: self
                .sessions
                .iter()
                .map(|(id, session)| (id, session.timeout, session.password))
                .collect(),
            nodes: self.tree.nodes().share(),
            node_count: self.tree.len(),
        }
    }

    /// Takes its state from a snapshot. The machine must not have done anything yet.
    ///
    /// # Errors
    ///
    /// [`BadSnapshot`]: the machine must not be used any more.
    pub fn restore(&mut self, bytes: &[u8]) -> Result<(), BadSnapshot> {
        let rest = bytes.strip_prefix(MAGIC).ok_or(BadSnapshot::Foreign)?;
        let mut reader = Reader::new(rest);
        self.zxid = reader.long()?;
        let sessions = reader.vector(16 + PASSWORD_BYTES, |reader| {
            Ok((reader.long()?, reader.long()?, reader.bytes()?))
        })?;
        for (id, timeout_ms, password) in sessions {
            let timeout = Duration::from_millis(timeout_ms.unsigned_abs());
            self.sessions
                .open(SessionId(id), timeout, password, Duration::ZERO);
        }
        let mut nodes = reader.vector(Node::SMALLEST, |reader| Node::read(reader))?;
        reader.end()?;
        // Parents before their children.
        nodes.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        let mut special = 0;
        for (path, mut node) in nodes {
            node.acl = self.tree.share(&node.acl);
            if path::SPECIAL.contains(&&*path) {
                special += 1;
                self.tree.replace(&path, node);
                continue;
            }
            let parent = path::split(&path).ok_or(BadSnapshot::NoTree)?.0;
            if !self.tree.contains(parent) || self.tree.contains(&path) {
                return Err(BadSnapshot::NoTree);
            }
            self.tree.insert(path, Arc::new(node));
        }
        if special != path::SPECIAL.len() {
            return Err(BadSnapshot::NoTree);
        }
        Ok(())
    }
}

impl Node {
    /// The least bytes one takes.
    const SMALLEST: usize = 4 + 4 + 4 + 5 * 8 + 3 * 4 + 8;

    fn write(&self, path: &str, out: &mut Vec<u8>) {
        out.string(path);
        out.buffer(self.data.as_deref());
        Acl::write_list(&self.acl, out);
        for long in [self.czxid, self.mzxid, self.pzxid, self.ctime, self.mtime] {
            out.long(long);
        }
        for int in [self.version, self.aversion, self.creates] {
            out.int(int);
        }
        out.long(self.owner.wire());
    }

    fn read(reader: &mut Reader<'_>) -> Result<(Arc<str>, Self), Malformed> {
        let path = reader.string()?.into();
        let node = Self {
            data: reader.buffer()?.map(Arc::from),
            acl: Acl::read_list(reader)?.into(),
            czxid: reader.long()?,
            mzxid: reader.long()?,
            pzxid: reader.long()?,
            ctime: reader.long()?,
            mtime: reader.long()?,
            version: reader.int()?,
            aversion: reader.int()?,
            creates: reader.int()?,
            owner: Owner::from_wire(reader.long()?),
        };
        Ok((path, node))
    }
}
