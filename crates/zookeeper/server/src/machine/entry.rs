//! A change as it stands in the log.

use std::sync::Arc;

use incumbent_zk_proto::jute::{Reader, Write};
use incumbent_zk_proto::{Acl, Malformed, PASSWORD_BYTES};

use super::change::{Change, Moment};
use super::ids::SessionId;
use super::node::Owner;

/// One change of the state that outlives the process: the unit that is logged, replayed, and
/// numbered by a zxid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub(super) at: Moment,
    pub(super) body: EntryBody,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum EntryBody {
    /// A session began. Its id is the zxid.
    Open {
        timeout_ms: i32,
        password: [u8; PASSWORD_BYTES],
    },
    /// A session ended, and its ephemeral nodes with it.
    Close { session: SessionId },
    /// The tree changed, in several places at once or in one.
    Tree(Vec<Change>),
}

const OPEN: i32 = 1;
const CLOSE: i32 = 2;
const TREE: i32 = 3;

const CREATE: i32 = 1;
const DELETE: i32 = 2;
const SET_DATA: i32 = 3;
const SET_ACL: i32 = 4;

impl Entry {
    /// The zxid of the change.
    pub fn zxid(&self) -> i64 {
        self.at.zxid
    }

    /// Writes it as it stands in the log.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.long(self.at.zxid);
        out.long(self.at.time);
        match &self.body {
            EntryBody::Open {
                timeout_ms,
                password,
            } => {
                out.int(OPEN);
                out.int(*timeout_ms);
                out.extend_from_slice(password);
            }
            EntryBody::Close { session } => {
                out.int(CLOSE);
                out.long(session.0);
            }
            EntryBody::Tree(changes) => {
                out.int(TREE);
                out.length(changes.len());
                for change in changes {
                    change.write(out);
                }
            }
        }
    }

    /// Reads one back.
    ///
    /// # Errors
    ///
    /// [`Malformed`]: another program wrote it, or a newer version.
    pub fn read(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes);
        let at = Moment {
            zxid: reader.long()?,
            time: reader.long()?,
        };
        let body = match reader.int()? {
            OPEN => EntryBody::Open {
                timeout_ms: reader.int()?,
                password: reader.bytes()?,
            },
            CLOSE => EntryBody::Close {
                session: SessionId(reader.long()?),
            },
            TREE => EntryBody::Tree(reader.vector(1, Change::read)?),
            number => return Err(unknown(number)),
        };
        reader.end()?;
        Ok(Self { at, body })
    }
}

impl Change {
    /// An upper bound of the bytes it takes in the log.
    pub(super) fn size(&self) -> usize {
        const FIXED: usize = 32;
        let list = |acl: &[Acl]| acl.iter().map(super::acl::logged).sum::<usize>();
        let length = |data: &incumbent_zk_proto::Data| data.as_ref().map_or(0, |data| data.len());
        FIXED
            + match self {
                Self::Create {
                    path, data, acl, ..
                } => path.len() + length(data) + list(acl),
                Self::Delete { path } => path.len(),
                Self::SetData { path, data } => path.len() + length(data),
                Self::SetAcl { path, acl } => path.len() + list(acl),
            }
    }

    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Create {
                path,
                data,
                acl,
                owner,
            } => {
                out.int(CREATE);
                out.string(path);
                out.buffer(data.as_deref());
                Acl::write_list(acl, out);
                out.long(owner.wire());
            }
            Self::Delete { path } => {
                out.int(DELETE);
                out.string(path);
            }
            Self::SetData { path, data } => {
                out.int(SET_DATA);
                out.string(path);
                out.buffer(data.as_deref());
            }
            Self::SetAcl { path, acl } => {
                out.int(SET_ACL);
                out.string(path);
                Acl::write_list(acl, out);
            }
        }
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        let kind = reader.int()?;
        let path = Arc::from(reader.string()?);
        Ok(match kind {
            CREATE => Self::Create {
                path,
                data: reader.buffer()?.map(Arc::from),
                acl: Acl::read_list(reader)?.into(),
                owner: Owner::from_wire(reader.long()?),
            },
            DELETE => Self::Delete { path },
            SET_DATA => Self::SetData {
                path,
                data: reader.buffer()?.map(Arc::from),
            },
            SET_ACL => Self::SetAcl {
                path,
                acl: Acl::read_list(reader)?.into(),
            },
            number => return Err(unknown(number)),
        })
    }
}

fn unknown(number: i32) -> Malformed {
    Malformed::Unknown {
        what: "a log entry of kind",
        number,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_entry_reads_back_as_written() {
        let path: Arc<str> = "/a".into();
        let acl: super::super::node::AclList = [Acl::open()].into();
        let changes = vec![
            Change::Create {
                path: path.clone(),
                data: None,
                acl: acl.clone(),
                owner: Owner::Session(SessionId(7)),
            },
            Change::SetData {
                path: path.clone(),
                data: Some((*b"x").into()),
            },
            Change::SetAcl {
                path: path.clone(),
                acl,
            },
            Change::Delete { path },
        ];
        for body in [
            EntryBody::Open {
                timeout_ms: 5,
                password: [3; PASSWORD_BYTES],
            },
            EntryBody::Close {
                session: SessionId(9),
            },
            EntryBody::Tree(changes),
        ] {
            let entry = Entry {
                at: Moment { zxid: 5, time: 6 },
                body,
            };
            let mut out = Vec::new();
            entry.write(&mut out);
            if let EntryBody::Tree(changes) = &entry.body {
                let sizes: usize = changes.iter().map(Change::size).sum();
                assert!((out.len()..2 * out.len()).contains(&sizes), "{sizes}");
            }
            assert_eq!(Entry::read(&out), Ok(entry));
            for length in 0..out.len() {
                assert!(Entry::read(&out[..length]).is_err());
            }
        }
    }
}
