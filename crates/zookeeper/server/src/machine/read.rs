//! What changes nothing but watches.

use incumbent_zk_proto::{
    AddMode, Code, EventKind, ReadResult, Request, Response, SetWatches, WatchEvent, perms,
};

use super::connection::{Who, part_length};
use super::node::Node;
use super::watch::Kinds;
use super::write::MOST_LOOKS;
use super::{Answer, Machine, Sink, acl};

impl Machine {
    /// Answers what only reads, and nothing else.
    pub(super) fn read(&mut self, who: &Who<'_>, request: &Request<'_>) -> Option<Answer> {
        Some(match *request {
            Request::Ping => Ok(Response::Done),
            Request::Sync { path } => Ok(Response::Path(path.into())),
            Request::Exists { path, watch } => self.exists(who, path, watch),
            Request::GetData { path, watch } => self
                .readable(who, path, watch.then_some(Kinds::DATA))
                .map(|node| Response::Data(node.data.clone(), node.stat())),
            Request::GetChildren { path, watch, stat } => self
                .readable(who, path, watch.then_some(Kinds::CHILDREN))
                .map(|node| {
                    let names = node.children.iter().cloned().collect();
                    Response::Children(names, stat.then(|| node.stat()))
                }),
            Request::GetAcl { path } => self.get_acl(who, path),
            Request::GetEphemerals { prefix } => {
                // As in ZooKeeper: nothing but what is not seen, and the root, stand for all.
                let prefix = match prefix.trim_matches(|c| c <= ' ') {
                    "" | "/" => "",
                    _ => prefix,
                };
                let paths = self.tree.ephemerals(who.session);
                let matching = paths.filter(|path| path.starts_with(prefix));
                Ok(Response::Ephemerals(matching.cloned().collect()))
            }
            Request::GetAllChildrenNumber { path } => {
                self.readable(who, path, None).map(drop).map(|()| {
                    let count = self.tree.below(path);
                    Response::Count(i32::try_from(count).unwrap_or(i32::MAX))
                })
            }
            Request::MultiRead(ref requests) => {
                let parts = self.parts(who, requests);
                parts.map(Response::MultiRead)
            }
            Request::AddWatch { path, mode } => {
                let kinds = match mode {
                    AddMode::Persistent => Kinds::PERSISTENT,
                    AddMode::Recursive => Kinds::RECURSIVE,
                };
                self.watch(who, path, kinds).map(|()| Response::WatchAdded)
            }
            Request::CheckWatches { path, kind } => {
                match self.watches.is_set(who.connection, path, kind) {
                    true => Ok(Response::Done),
                    false => Err(Code::NoWatcher),
                }
            }
            Request::RemoveWatches { path, kind } => {
                match self.watches.unset(who.connection, path, kind) {
                    true => Ok(Response::Done),
                    false => Err(Code::NoWatcher),
                }
            }
            Request::WhoAmI => Ok(Response::Identities(
                who.ids.iter().map(acl::user).collect(),
            )),
            // This server is alone, and knows no SASL.
            Request::Reconfig => Err(Code::ReconfigDisabled),
            Request::Sasl => Err(Code::AuthFailed),
            Request::Create(_)
            | Request::Delete { .. }
            | Request::SetData { .. }
            | Request::SetAcl { .. }
            | Request::Check { .. }
            | Request::Multi(_)
            | Request::Auth { .. }
            | Request::SetWatches(_)
            | Request::CloseSession => return None,
        })
    }

    /// A node that may be read, watched from now on if it is there.
    fn readable(&mut self, who: &Who<'_>, path: &str, watch: Option<Kinds>) -> Result<&Node, Code> {
        acl::check(&self.tree.get(path)?.acl, perms::READ, who.ids)?;
        if let Some(kinds) = watch {
            self.watch(who, path, kinds)?;
        }
        self.tree.get(path)
    }

    fn exists(&mut self, who: &Who<'_>, path: &str, watch: bool) -> Answer {
        if path.contains('\0') {
            return Err(Code::BadArguments);
        }
        // Watched too if it is not there: for its creation.
        if watch {
            self.watch(who, path, Kinds::DATA)?;
        }
        self.tree.get(path).map(|node| Response::Stat(node.stat()))
    }

    fn get_acl(&self, who: &Who<'_>, path: &str) -> Answer {
        let node = self.tree.get(path)?;
        acl::check(&node.acl, perms::READ | perms::ADMIN, who.ids)?;
        let list = match acl::check(&node.acl, perms::ADMIN, who.ids) {
            Ok(()) => node.acl.to_vec(),
            Err(_) => acl::redact(&node.acl),
        };
        Ok(Response::Acl(list, node.stat()))
    }

    fn parts(&mut self, who: &Who<'_>, requests: &[Request<'_>]) -> Result<Vec<ReadResult>, Code> {
        let mut results = Vec::with_capacity(requests.len());
        let (mut length, mut looks) = (0, 0);
        for request in requests {
            looks += self.looks(who, request);
            if looks > MOST_LOOKS {
                return Err(Code::QuotaExceeded);
            }
            // As in ZooKeeper, parts set no watches.
            let watch = false;
            let result = match *request {
                Request::GetData { path, .. } => self.part(who, &Request::GetData { path, watch }),
                Request::GetChildren { path, stat, .. } => {
                    self.part(who, &Request::GetChildren { path, watch, stat })
                }
                _ => ReadResult::Refused(Code::Unimplemented),
            };
            // Not when all is there: a small request names the same long list any number of times.
            length += part_length(&result);
            if length > self.options.max_reply {
                return Err(Code::QuotaExceeded);
            }
            results.push(result);
        }
        Ok(results)
    }

    fn part(&mut self, who: &Who<'_>, request: &Request<'_>) -> ReadResult {
        match self.read(who, request) {
            Some(Ok(Response::Data(data, stat))) => ReadResult::Data(data, stat),
            Some(Ok(Response::Children(names, _))) => ReadResult::Children(names),
            Some(Err(code)) => ReadResult::Refused(code),
            _ => ReadResult::Refused(Code::Unimplemented),
        }
    }

    fn watch(&mut self, who: &Who<'_>, path: &str, kinds: Kinds) -> Result<(), Code> {
        let bytes = self.bytes() + path.len();
        if self.watches.count(who.connection) >= self.options.max_watches
            || bytes > self.options.max_bytes
        {
            return Err(Code::QuotaExceeded);
        }
        self.watches.set(who.connection, path, kinds);
        Ok(())
    }

    /// Sets watches again that a client had on an earlier connection, and tells what it has missed.
    pub(super) fn set_watches(
        &mut self,
        who: &Who<'_>,
        wanted: &SetWatches<'_>,
        sink: &mut impl Sink,
    ) -> Answer {
        let seen = wanted.relative_zxid;
        let mut tell = |kind, path: &str| {
            let path = path.into();
            sink.event(who.connection, &WatchEvent { kind, path });
        };
        for path in &wanted.data {
            match self.tree.get(path) {
                Err(_) => tell(EventKind::Deleted, path),
                Ok(node) if node.mzxid > seen => tell(EventKind::DataChanged, path),
                Ok(_) => self.watch(who, path, Kinds::DATA)?,
            }
        }
        for path in &wanted.exist {
            match self.tree.get(path) {
                Ok(_) => tell(EventKind::Created, path),
                Err(_) => self.watch(who, path, Kinds::DATA)?,
            }
        }
        for path in &wanted.child {
            match self.tree.get(path) {
                Err(_) => tell(EventKind::Deleted, path),
                Ok(node) if node.pzxid > seen => tell(EventKind::ChildrenChanged, path),
                Ok(_) => self.watch(who, path, Kinds::CHILDREN)?,
            }
        }
        let (persistent, recursive) = wanted
            .persistent
            .as_ref()
            .map_or((&[][..], &[][..]), |both| (&both.0[..], &both.1[..]));
        for path in persistent {
            self.watch(who, path, Kinds::PERSISTENT)?;
        }
        for path in recursive {
            self.watch(who, path, Kinds::RECURSIVE)?;
        }
        Ok(Response::Done)
    }
}
