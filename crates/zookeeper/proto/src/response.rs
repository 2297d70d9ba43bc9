//! The replies of servers.

use std::sync::Arc;

use crate::data::{Data, read_data, read_names};
use crate::jute::{LENGTH_BYTES, Malformed, Reader, Write};
use crate::{Acl, Id, MultiResult, Op, ReadResult, Stat};

/// A reply that is no error, without its header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Response {
    /// Done. There is no body.
    Done,
    /// A path.
    Path(String),
    /// A path and its stat.
    Created(String, Stat),
    /// A stat.
    Stat(Stat),
    /// Data and stat.
    Data(Data, Stat),
    /// An access control list and the stat of its node.
    Acl(Vec<Acl>, Stat),
    /// Names of children, and the stat of their parent in a reply to [`Op::GetChildren2`].
    Children(Vec<Arc<str>>, Option<Stat>),
    /// Paths of ephemeral nodes.
    Ephemerals(Vec<Arc<str>>),
    /// A count.
    Count(i32),
    /// Results of a transaction.
    Multi(Vec<MultiResult>),
    /// Results of several reads.
    MultiRead(Vec<ReadResult>),
    /// The watch is set.
    WatchAdded,
    /// Identities of the client.
    Identities(Vec<Id>),
}

impl Response {
    /// Writes it.
    pub fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Done => {}
            Self::Path(path) => out.string(path),
            Self::Created(path, stat) => {
                out.string(path);
                stat.write(out);
            }
            Self::Stat(stat) => stat.write(out),
            Self::Data(data, stat) => {
                out.buffer(data.as_deref());
                stat.write(out);
            }
            Self::Acl(acl, stat) => {
                Acl::write_list(acl, out);
                stat.write(out);
            }
            Self::Children(names, stat) => {
                out.strings(names);
                if let Some(stat) = stat {
                    stat.write(out);
                }
            }
            Self::Ephemerals(paths) => out.strings(paths),
            Self::Count(count) => out.int(*count),
            Self::Multi(results) => MultiResult::write_all(results, out),
            Self::MultiRead(results) => ReadResult::write_all(results, out),
            // An error code, always 0.
            Self::WatchAdded => out.int(0),
            Self::Identities(ids) => {
                out.length(ids.len());
                for id in ids {
                    id.write(out);
                }
            }
        }
    }

    /// Reads the whole reply to a request of this kind.
    ///
    /// # Errors
    ///
    /// [`Malformed`].
    pub fn read(op: Op, reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        let response = match op {
            Op::Create | Op::Sync => Self::Path(reader.string()?.into()),
            Op::Create2 | Op::CreateContainer | Op::CreateTtl => {
                Self::Created(reader.string()?.into(), Stat::read(reader)?)
            }
            Op::Exists | Op::SetData | Op::SetAcl => Self::Stat(Stat::read(reader)?),
            Op::GetData => Self::Data(read_data(reader)?, Stat::read(reader)?),
            Op::GetAcl => Self::Acl(Acl::read_list(reader)?, Stat::read(reader)?),
            Op::GetChildren => Self::Children(read_names(reader)?, None),
            Op::GetChildren2 => Self::Children(read_names(reader)?, Some(Stat::read(reader)?)),
            Op::GetEphemerals => Self::Ephemerals(read_names(reader)?),
            Op::GetAllChildrenNumber => Self::Count(reader.int()?),
            Op::Multi => Self::Multi(MultiResult::read_all(reader)?),
            Op::MultiRead => Self::MultiRead(ReadResult::read_all(reader)?),
            Op::AddWatch => match reader.int()? {
                0 => Self::WatchAdded,
                number => {
                    return Err(Malformed::Unknown {
                        what: "a watch that was added with error",
                        number,
                    });
                }
            },
            Op::WhoAmI => Self::Identities(reader.vector(2 * LENGTH_BYTES, Id::read)?),
            Op::Delete
            | Op::Ping
            | Op::Check
            | Op::Reconfig
            | Op::CheckWatches
            | Op::RemoveWatches
            | Op::Auth
            | Op::SetWatches
            | Op::SetWatches2
            | Op::Sasl
            | Op::CloseSession => Self::Done,
        };
        reader.end()?;
        Ok(response)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Code;

    #[test]
    fn every_answer_reads_back_as_written() {
        let stat = Stat {
            czxid: 1,
            pzxid: 9,
            num_children: 3,
            ..Stat::default()
        };
        let all = [
            (Op::Delete, Response::Done),
            (Op::Sync, Response::Path("/a".into())),
            (Op::CreateTtl, Response::Created("/a".into(), stat)),
            (Op::SetAcl, Response::Stat(stat)),
            (Op::GetData, Response::Data(None, stat)),
            (Op::GetData, Response::Data(Some((*b"x").into()), stat)),
            (Op::GetAcl, Response::Acl(vec![Acl::open()], stat)),
            (Op::GetChildren, Response::Children(vec!["a".into()], None)),
            (Op::GetChildren2, Response::Children(vec![], Some(stat))),
            (Op::GetEphemerals, Response::Ephemerals(vec!["/a".into()])),
            (Op::GetAllChildrenNumber, Response::Count(7)),
            (
                Op::Multi,
                Response::Multi(vec![
                    MultiResult::Created {
                        path: "/a".into(),
                        stat: None,
                    },
                    MultiResult::Created {
                        path: "/b".into(),
                        stat: Some(stat),
                    },
                    MultiResult::Deleted,
                    MultiResult::DataSet(stat),
                    MultiResult::Checked,
                    MultiResult::Refused(None),
                    MultiResult::Refused(Some(Code::BadVersion)),
                ]),
            ),
            (
                Op::MultiRead,
                Response::MultiRead(vec![
                    ReadResult::Data(Some((*b"").into()), stat),
                    ReadResult::Children(vec!["x".into()]),
                    ReadResult::Refused(Code::NoNode),
                ]),
            ),
            (Op::AddWatch, Response::WatchAdded),
            (Op::WhoAmI, Response::Identities(vec![Id::anyone()])),
        ];
        for (op, response) in all {
            let mut out = Vec::new();
            response.write(&mut out);
            assert_eq!(
                Response::read(op, &mut Reader::new(&out)),
                Ok(response),
                "{op:?}"
            );
        }
    }
}
