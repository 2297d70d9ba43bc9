//! Makes requests of what a script says.

use incumbent_zk_proto::{Create, CreateKind, Request, SetWatches};

use crate::script::{Act, Ask, Expect, NodePath, Since};

/// What one server has answered so far that later requests refer to.
pub(crate) trait Memory {
    /// The last version of data that was seen.
    fn version(&self, path: &str) -> i32;
    /// The last version of the access control list that was seen.
    fn acl_version(&self, path: &str) -> i32;
    /// The zxid of an earlier answer; the number counts answers backwards.
    fn zxid(&self, answers_ago: usize) -> i64;
}

impl Ask {
    /// All nodes it names.
    fn places(&mut self, each: &mut dyn FnMut(&mut NodePath)) {
        match self {
            Self::Create { path, .. }
            | Self::Delete { path, .. }
            | Self::Exists { path, .. }
            | Self::GetData { path, .. }
            | Self::SetData { path, .. }
            | Self::GetAcl { path }
            | Self::SetAcl { path, .. }
            | Self::GetChildren { path, .. }
            | Self::Sync { path }
            | Self::Check { path, .. }
            | Self::CheckWatches { path, .. }
            | Self::RemoveWatches { path, .. }
            | Self::GetEphemerals { prefix: path }
            | Self::GetAllChildrenNumber { path }
            | Self::AddWatch { path, .. } => each(path),
            Self::Multi(parts) | Self::MultiRead(parts) => {
                parts.iter_mut().for_each(|part| part.places(each));
            }
            Self::SetWatches {
                data,
                exist,
                child,
                persistent,
                ..
            } => {
                let (one, two) = persistent.as_mut().map(|(one, two)| (one, two)).unzip();
                [Some(data), Some(exist), Some(child), one, two]
                    .into_iter()
                    .flatten()
                    .flatten()
                    .for_each(each);
            }
            Self::Ping | Self::Auth { .. } | Self::WhoAmI | Self::CloseSession => {}
        }
    }

    /// The node it is about, if it is about one.
    pub(crate) fn place(&self) -> Option<&NodePath> {
        match self {
            Self::Create { path, .. }
            | Self::Delete { path, .. }
            | Self::Exists { path, .. }
            | Self::GetData { path, .. }
            | Self::SetData { path, .. }
            | Self::GetAcl { path }
            | Self::SetAcl { path, .. }
            | Self::GetChildren { path, .. }
            | Self::Sync { path }
            | Self::Check { path, .. }
            | Self::CheckWatches { path, .. }
            | Self::RemoveWatches { path, .. }
            | Self::GetEphemerals { prefix: path }
            | Self::GetAllChildrenNumber { path }
            | Self::AddWatch { path, .. } => Some(path),
            Self::Multi(_)
            | Self::MultiRead(_)
            | Self::SetWatches { .. }
            | Self::Ping
            | Self::Auth { .. }
            | Self::WhoAmI
            | Self::CloseSession => None,
        }
    }

    /// The request. Every path must be exact.
    pub(crate) fn request(&self, memory: &dyn Memory) -> Request<'_> {
        match self {
            Self::Create {
                path,
                data,
                acl,
                flags,
                kind,
            } => Request::Create(Create {
                path: path.exact(),
                data: data.as_ref().map(|data| &data.0[..]),
                acl: acl.clone(),
                flags: *flags,
                kind: *kind,
            }),
            Self::Delete { path, version } => Request::Delete {
                path: path.exact(),
                version: version.data(path, memory),
            },
            Self::Exists { path, watch } => Request::Exists {
                path: path.exact(),
                watch: *watch,
            },
            Self::GetData { path, watch } => Request::GetData {
                path: path.exact(),
                watch: *watch,
            },
            Self::SetData {
                path,
                data,
                version,
            } => Request::SetData {
                path: path.exact(),
                data: data.as_ref().map(|data| &data.0[..]),
                version: version.data(path, memory),
            },
            Self::GetAcl { path } => Request::GetAcl { path: path.exact() },
            Self::SetAcl { path, acl, version } => Request::SetAcl {
                path: path.exact(),
                acl: acl.clone(),
                version: match version {
                    Expect::Any => -1,
                    Expect::Exactly(version) => *version,
                    Expect::Seen => memory.acl_version(path.exact()),
                },
            },
            Self::GetChildren { path, watch, stat } => Request::GetChildren {
                path: path.exact(),
                watch: *watch,
                stat: *stat,
            },
            Self::Sync { path } => Request::Sync { path: path.exact() },
            Self::Ping => Request::Ping,
            Self::Check { path, version } => Request::Check {
                path: path.exact(),
                version: version.data(path, memory),
            },
            Self::Multi(parts) => Request::Multi(requests(parts, memory)),
            Self::MultiRead(parts) => Request::MultiRead(requests(parts, memory)),
            Self::CheckWatches { path, kind } => Request::CheckWatches {
                path: path.exact(),
                kind: *kind,
            },
            Self::RemoveWatches { path, kind } => Request::RemoveWatches {
                path: path.exact(),
                kind: *kind,
            },
            Self::Auth { scheme, auth } => Request::Auth { scheme, auth },
            Self::SetWatches {
                since,
                data,
                exist,
                child,
                persistent,
            } => Request::SetWatches(SetWatches {
                relative_zxid: match since {
                    Since::Zero => 0,
                    Since::Reply(answers_ago) => memory.zxid(*answers_ago),
                },
                data: exact(data),
                exist: exact(exist),
                child: exact(child),
                persistent: persistent
                    .as_ref()
                    .map(|(one, two)| (exact(one), exact(two))),
            }),
            Self::GetEphemerals { prefix } => Request::GetEphemerals {
                prefix: prefix.exact(),
            },
            Self::GetAllChildrenNumber { path } => {
                Request::GetAllChildrenNumber { path: path.exact() }
            }
            Self::AddWatch { path, mode } => Request::AddWatch {
                path: path.exact(),
                mode: *mode,
            },
            Self::WhoAmI => Request::WhoAmI,
            Self::CloseSession => Request::CloseSession,
        }
    }
}

impl Act {
    /// The same below this root, with exact paths.
    pub(crate) fn below(&self, root: &str) -> Self {
        let mut act = self.clone();
        let mut bind = |place: &mut NodePath| *place = NodePath::Exact(place.path(root));
        match &mut act {
            Self::Ask(asks) => asks.iter_mut().for_each(|ask| ask.places(&mut bind)),
            Self::AskAs(_, ask) => ask.places(&mut bind),
            Self::Raw(..) | Self::Drop | Self::Attach(_) | Self::Negotiate { .. } => {}
        }
        act
    }
}

impl NodePath {
    fn exact(&self) -> &str {
        match self {
            Self::Exact(path) => path,
            Self::Below(_) => unreachable!("acts are bound to a root before they are sent"),
        }
    }
}

impl Expect {
    fn data(self, path: &NodePath, memory: &dyn Memory) -> i32 {
        match self {
            Self::Any => -1,
            Self::Exactly(version) => version,
            Self::Seen => memory.version(path.exact()),
        }
    }
}

fn requests<'a>(parts: &'a [Ask], memory: &dyn Memory) -> Vec<Request<'a>> {
    parts.iter().map(|part| part.request(memory)).collect()
}

fn exact(places: &[NodePath]) -> Vec<&str> {
    places.iter().map(NodePath::exact).collect()
}

/// Whether a successful request has changed something: the zxid in its answer is that of the
/// change.
pub(crate) fn changes(request: &Request<'_>) -> bool {
    match request {
        Request::Create(Create { kind, .. }) => match kind {
            CreateKind::Plain
            | CreateKind::WithStat
            | CreateKind::Container
            | CreateKind::Ttl(_) => true,
        },
        Request::Delete { .. } | Request::SetData { .. } | Request::SetAcl { .. } => true,
        Request::Multi(parts) => parts.iter().any(changes),
        _ => false,
    }
}
