//! A script: sessions and steps. It names no server and no zxid, so that it means the same on each
//! server.

use std::fmt;

use incumbent_zk_proto::{Acl, AddMode, CreateKind, Malformed, Op, RemoveKind};

/// The beginning of the names of scripts' roots.
pub(crate) const ROOT_PREFIX: &str = "differential-";

/// A random sequence of operations of several sessions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Script {
    /// The seed it was made from.
    pub seed: u64,
    /// The number of sessions. They are numbered from 0.
    pub sessions: usize,
    /// The steps. A barrier follows each.
    pub steps: Vec<Step>,
}

/// One act of one session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The session.
    pub session: usize,
    /// The act.
    pub act: Act,
}

/// What a session can do. An act that is impossible at that time, such as asking without a
/// connection, is skipped on both servers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// Sends these in one write and waits for all answers.
    Ask(Vec<Ask>),
    /// Sends one request under this number, which no client would choose.
    AskAs(i32, Ask),
    /// Sends a request of this kind, which may not exist, with these bytes after the header.
    Raw(i32, Vec<u8>),
    /// Drops the socket.
    Drop,
    /// Connects. If the session has a connection, the server must end that one.
    Attach(Attach),
    /// Connects with a session of its own, asks for this time-out, and closes it.
    Negotiate {
        /// The time-out.
        timeout_ms: i32,
        /// The field about read-only servers.
        read_only: Option<bool>,
    },
}

/// How to connect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attach {
    /// With a new session.
    New,
    /// With the session it had.
    Again,
    /// With the session it had, as a client that does not know read-only servers.
    AgainOld,
    /// With the session it had and a wrong password.
    WrongPassword,
    /// With a session that never existed.
    NeverWas,
    /// With the session it had, and a zxid from the future.
    FromTheFuture,
}

/// A node: below the root of the script, or exactly this.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum NodePath {
    /// This path below the root of the script.
    Below(String),
    /// Exactly this path.
    Exact(String),
}

/// The version that a write expects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// Any: -1.
    Any,
    /// This version.
    Exactly(i32),
    /// The last version that was seen in any answer.
    Seen,
}

/// Which changes are news to a client that sets watches again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Since {
    /// All changes.
    Zero,
    /// The changes since an earlier answer of this session; the number counts answers backwards.
    Reply(usize),
}

/// Data of a node.
#[derive(Clone, PartialEq, Eq)]
pub struct Payload(pub Vec<u8>);

impl fmt::Debug for Payload {
    /// Prints a short form: scripts are printed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.len() {
            0..10 => write!(f, "\"{}\"", self.0.escape_ascii()),
            length => write!(f, "{length} bytes"),
        }
    }
}

/// A request that owns its data.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the fields are those of `Request`")]
pub enum Ask {
    Create {
        path: NodePath,
        data: Option<Payload>,
        acl: Vec<Acl>,
        flags: i32,
        kind: CreateKind,
    },
    Delete {
        path: NodePath,
        version: Expect,
    },
    Exists {
        path: NodePath,
        watch: bool,
    },
    GetData {
        path: NodePath,
        watch: bool,
    },
    SetData {
        path: NodePath,
        data: Option<Payload>,
        version: Expect,
    },
    GetAcl {
        path: NodePath,
    },
    SetAcl {
        path: NodePath,
        acl: Vec<Acl>,
        version: Expect,
    },
    GetChildren {
        path: NodePath,
        watch: bool,
        stat: bool,
    },
    Sync {
        path: NodePath,
    },
    Ping,
    Check {
        path: NodePath,
        version: Expect,
    },
    Multi(Vec<Ask>),
    MultiRead(Vec<Ask>),
    CheckWatches {
        path: NodePath,
        kind: RemoveKind,
    },
    RemoveWatches {
        path: NodePath,
        kind: RemoveKind,
    },
    Auth {
        scheme: String,
        auth: Vec<u8>,
    },
    SetWatches {
        since: Since,
        data: Vec<NodePath>,
        exist: Vec<NodePath>,
        child: Vec<NodePath>,
        persistent: Option<(Vec<NodePath>, Vec<NodePath>)>,
    },
    GetEphemerals {
        prefix: NodePath,
    },
    GetAllChildrenNumber {
        path: NodePath,
    },
    AddWatch {
        path: NodePath,
        mode: AddMode,
    },
    WhoAmI,
    CloseSession,
}

impl NodePath {
    /// Its path below this root.
    pub fn path(&self, root: &str) -> String {
        match self {
            Self::Below(rest) => format!("{root}{rest}"),
            Self::Exact(path) => path.clone(),
        }
    }
}

impl fmt::Display for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "seed {}, {} sessions", self.seed, self.sessions)?;
        for (number, step) in self.steps.iter().enumerate() {
            writeln!(f, "  {number:3}  {step}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "session {}: ", self.session)?;
        match &self.act {
            Act::Ask(asks) => {
                for (number, ask) in asks.iter().enumerate() {
                    let separator = if number == 0 { "" } else { " | " };
                    write!(f, "{separator}{ask:?}")?;
                }
                Ok(())
            }
            Act::Raw(op, body) => match Op::from_number(*op) {
                Some(op) => write!(f, "Raw {op:?} {body:?}"),
                None => write!(f, "Raw {op} {body:?}"),
            },
            act => write!(f, "{act:?}"),
        }
    }
}

/// Why a script stopped before its end. Both servers must do the same.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Stop {
    /// The server closed the connection.
    #[error("closed")]
    Closed,
    /// The server does not answer.
    #[error("silent")]
    Silent,
    /// The answer is malformed.
    #[error("malformed: {0}")]
    Malformed(#[from] Malformed),
    /// The socket failed.
    #[error("broken: {0}")]
    Broken(String),
}

impl Ask {
    /// How many bytes of data it carries.
    pub(crate) fn data_bytes(&self) -> usize {
        match self {
            Self::Create { data, .. } | Self::SetData { data, .. } => {
                data.as_ref().map_or(0, |data| data.0.len())
            }
            Self::Multi(parts) => parts.iter().map(Self::data_bytes).sum(),
            _ => 0,
        }
    }
}
