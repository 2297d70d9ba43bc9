//! The requests of clients.

use crate::jute::{Malformed, Reader, Write};
use crate::{Acl, AddMode, Op, RemoveKind, RequestHeader};
pub use parts::{Create, CreateKind, SetWatches};

mod parts;

/// A request without its header. It borrows texts and data from its frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request<'a> {
    /// [`Op::Create`], [`Op::Create2`], [`Op::CreateContainer`], [`Op::CreateTtl`].
    Create(Create<'a>),
    /// [`Op::Delete`].
    Delete {
        /// The node.
        path: &'a str,
        /// The version of its data, or -1 for any.
        version: i32,
    },
    /// [`Op::Exists`].
    Exists {
        /// The node.
        path: &'a str,
        /// Whether to watch it.
        watch: bool,
    },
    /// [`Op::GetData`].
    GetData {
        /// The node.
        path: &'a str,
        /// Whether to watch it.
        watch: bool,
    },
    /// [`Op::SetData`].
    SetData {
        /// The node.
        path: &'a str,
        /// The data; `None` is not the same as empty.
        data: Option<&'a [u8]>,
        /// The version of the data it replaces, or -1 for any.
        version: i32,
    },
    /// [`Op::GetAcl`].
    GetAcl {
        /// The node.
        path: &'a str,
    },
    /// [`Op::SetAcl`].
    SetAcl {
        /// The node.
        path: &'a str,
        /// The list.
        acl: Vec<Acl>,
        /// The version of the list it replaces, or -1 for any.
        version: i32,
    },
    /// [`Op::GetChildren`], and [`Op::GetChildren2`] if the stat is wanted too.
    GetChildren {
        /// The node.
        path: &'a str,
        /// Whether to watch its children.
        watch: bool,
        /// Whether its stat is wanted too.
        stat: bool,
    },
    /// [`Op::Sync`].
    Sync {
        /// The reply repeats it.
        path: &'a str,
    },
    /// [`Op::Ping`].
    Ping,
    /// [`Op::Check`].
    Check {
        /// The node.
        path: &'a str,
        /// The version its data must have, or -1 for any.
        version: i32,
    },
    /// [`Op::Multi`]: only creations, deletions, checks and changes of data.
    Multi(Vec<Request<'a>>),
    /// [`Op::MultiRead`]: only data and children.
    MultiRead(Vec<Request<'a>>),
    /// [`Op::Reconfig`]; its body is not read.
    Reconfig,
    /// [`Op::CheckWatches`].
    CheckWatches {
        /// The node.
        path: &'a str,
        /// Which watches.
        kind: RemoveKind,
    },
    /// [`Op::RemoveWatches`].
    RemoveWatches {
        /// The node.
        path: &'a str,
        /// Which watches.
        kind: RemoveKind,
    },
    /// [`Op::Auth`].
    Auth {
        /// The scheme.
        scheme: &'a str,
        /// The proof of the identity.
        auth: &'a [u8],
    },
    /// [`Op::SetWatches`], [`Op::SetWatches2`].
    SetWatches(SetWatches<'a>),
    /// [`Op::Sasl`]; its body is not read.
    Sasl,
    /// [`Op::GetEphemerals`].
    GetEphemerals {
        /// The beginning of their paths.
        prefix: &'a str,
    },
    /// [`Op::GetAllChildrenNumber`].
    GetAllChildrenNumber {
        /// The node.
        path: &'a str,
    },
    /// [`Op::AddWatch`].
    AddWatch {
        /// The node.
        path: &'a str,
        /// Its mode.
        mode: AddMode,
    },
    /// [`Op::WhoAmI`].
    WhoAmI,
    /// [`Op::CloseSession`].
    CloseSession,
}

impl<'a> Request<'a> {
    /// Its kind.
    pub fn op(&self) -> Op {
        match self {
            Self::Create(create) => match create.kind {
                CreateKind::Plain => Op::Create,
                CreateKind::WithStat => Op::Create2,
                CreateKind::Container => Op::CreateContainer,
                CreateKind::Ttl(_) => Op::CreateTtl,
            },
            Self::Delete { .. } => Op::Delete,
            Self::Exists { .. } => Op::Exists,
            Self::GetData { .. } => Op::GetData,
            Self::SetData { .. } => Op::SetData,
            Self::GetAcl { .. } => Op::GetAcl,
            Self::SetAcl { .. } => Op::SetAcl,
            Self::GetChildren { stat: false, .. } => Op::GetChildren,
            Self::GetChildren { stat: true, .. } => Op::GetChildren2,
            Self::Sync { .. } => Op::Sync,
            Self::Ping => Op::Ping,
            Self::Check { .. } => Op::Check,
            Self::Multi(_) => Op::Multi,
            Self::MultiRead(_) => Op::MultiRead,
            Self::Reconfig => Op::Reconfig,
            Self::CheckWatches { .. } => Op::CheckWatches,
            Self::RemoveWatches { .. } => Op::RemoveWatches,
            Self::Auth { .. } => Op::Auth,
            Self::SetWatches(SetWatches {
                persistent: None, ..
            }) => Op::SetWatches,
            Self::SetWatches(_) => Op::SetWatches2,
            Self::Sasl => Op::Sasl,
            Self::GetEphemerals { .. } => Op::GetEphemerals,
            Self::GetAllChildrenNumber { .. } => Op::GetAllChildrenNumber,
            Self::AddWatch { .. } => Op::AddWatch,
            Self::WhoAmI => Op::WhoAmI,
            Self::CloseSession => Op::CloseSession,
        }
    }

    /// Reads a frame: header and request. The request is `None` if its kind is unknown here.
    ///
    /// # Errors
    ///
    /// [`Malformed`].
    pub fn read_frame(frame: &'a [u8]) -> Result<(RequestHeader, Option<Self>), Malformed> {
        let mut reader = Reader::new(frame);
        let header = RequestHeader::read(&mut reader)?;
        let Some(op) = Op::from_number(header.op) else {
            return Ok((header, None));
        };
        let request = Self::read(op, &mut reader)?;
        // These are refused in any case, so their bodies are not read.
        if !matches!(request, Self::Reconfig | Self::Sasl) {
            reader.end()?;
        }
        Ok((header, Some(request)))
    }

    /// Reads the request of this kind.
    ///
    /// # Errors
    ///
    /// [`Malformed`].
    pub fn read(op: Op, reader: &mut Reader<'a>) -> Result<Self, Malformed> {
        Ok(match op {
            Op::Create => Self::create(reader, CreateKind::Plain)?,
            Op::Create2 => Self::create(reader, CreateKind::WithStat)?,
            Op::CreateContainer => Self::create(reader, CreateKind::Container)?,
            Op::CreateTtl => Self::create(reader, CreateKind::Ttl(0))?,
            Op::Delete => Self::Delete {
                path: reader.string()?,
                version: reader.int()?,
            },
            Op::Exists => Self::Exists {
                path: reader.string()?,
                watch: reader.bool()?,
            },
            Op::GetData => Self::GetData {
                path: reader.string()?,
                watch: reader.bool()?,
            },
            Op::SetData => Self::SetData {
                path: reader.string()?,
                data: reader.buffer()?,
                version: reader.int()?,
            },
            Op::GetAcl => Self::GetAcl {
                path: reader.string()?,
            },
            Op::SetAcl => Self::SetAcl {
                path: reader.string()?,
                acl: Acl::read_list(reader)?,
                version: reader.int()?,
            },
            Op::GetChildren | Op::GetChildren2 => Self::GetChildren {
                path: reader.string()?,
                watch: reader.bool()?,
                stat: op == Op::GetChildren2,
            },
            Op::Sync => Self::Sync {
                path: reader.string()?,
            },
            Op::Ping => Self::Ping,
            Op::Check => Self::Check {
                path: reader.string()?,
                version: reader.int()?,
            },
            Op::Multi => Self::Multi(Self::read_parts(reader, Self::WRITES)?),
            Op::MultiRead => Self::MultiRead(Self::read_parts(reader, Self::READS)?),
            Op::Reconfig => Self::Reconfig,
            Op::CheckWatches => Self::CheckWatches {
                path: reader.string()?,
                kind: RemoveKind::from_number(reader.int()?)?,
            },
            Op::RemoveWatches => Self::RemoveWatches {
                path: reader.string()?,
                kind: RemoveKind::from_number(reader.int()?)?,
            },
            Op::Auth => {
                let _kind = reader.int()?;
                Self::Auth {
                    scheme: reader.string()?,
                    auth: reader.buffer()?.unwrap_or_default(),
                }
            }
            Op::SetWatches | Op::SetWatches2 => {
                Self::SetWatches(SetWatches::read(reader, op == Op::SetWatches2)?)
            }
            Op::Sasl => Self::Sasl,
            Op::GetEphemerals => Self::GetEphemerals {
                prefix: reader.nullable_string()?.unwrap_or_default(),
            },
            Op::GetAllChildrenNumber => Self::GetAllChildrenNumber {
                path: reader.string()?,
            },
            Op::AddWatch => Self::AddWatch {
                path: reader.string()?,
                mode: AddMode::from_number(reader.int()?)?,
            },
            Op::WhoAmI => Self::WhoAmI,
            Op::CloseSession => Self::CloseSession,
        })
    }

    fn create(reader: &mut Reader<'a>, kind: CreateKind) -> Result<Self, Malformed> {
        Ok(Self::Create(Create {
            path: reader.string()?,
            data: reader.buffer()?,
            acl: Acl::read_list(reader)?,
            flags: reader.int()?,
            kind: match kind {
                CreateKind::Ttl(_) => CreateKind::Ttl(reader.long()?),
                kind => kind,
            },
        }))
    }

    /// Writes header and request, without the length of the frame.
    pub fn write_frame(&self, xid: i32, out: &mut Vec<u8>) {
        let op = self.op().number();
        RequestHeader { xid, op }.write(out);
        self.write(out);
    }

    /// Writes the request.
    pub fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Create(create) => create.write(out),
            Self::Delete { path, version } | Self::Check { path, version } => {
                out.string(path);
                out.int(*version);
            }
            Self::Exists { path, watch }
            | Self::GetData { path, watch }
            | Self::GetChildren { path, watch, .. } => {
                out.string(path);
                out.bool(*watch);
            }
            Self::SetData {
                path,
                data,
                version,
            } => {
                out.string(path);
                out.buffer(*data);
                out.int(*version);
            }
            Self::SetAcl { path, acl, version } => {
                out.string(path);
                Acl::write_list(acl, out);
                out.int(*version);
            }
            Self::GetAcl { path } | Self::Sync { path } | Self::GetAllChildrenNumber { path } => {
                out.string(path);
            }
            Self::GetEphemerals { prefix } => out.string(prefix),
            Self::Multi(requests) | Self::MultiRead(requests) => {
                Self::write_parts(requests, out);
            }
            Self::CheckWatches { path, kind } | Self::RemoveWatches { path, kind } => {
                out.string(path);
                out.int(kind.number());
            }
            Self::Auth { scheme, auth } => {
                out.int(0);
                out.string(scheme);
                out.buffer(Some(auth));
            }
            Self::SetWatches(watches) => watches.write(out),
            Self::AddWatch { path, mode } => {
                out.string(path);
                out.int(mode.number());
            }
            Self::Ping | Self::Reconfig | Self::Sasl | Self::WhoAmI | Self::CloseSession => {}
        }
    }
}

#[cfg(test)]
mod tests;
