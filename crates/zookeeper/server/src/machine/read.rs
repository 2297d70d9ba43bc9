//! Requests that change nothing but watches.

use incumbent_zk_proto::{
    AddMode, Code, EventKind, ReadResult, Request, Response, SetWatches, WatchEvent, perms,
};

use super::connection::{Requester, part_length};
use super::transaction::MOST_LOOKS;
use super::watch::Modes;
use super::{Answer, Machine, Sink, acl};

/// The zxid of an event that stands for any number of changes that a client has missed.
const NO_ZXID: i64 = -1;

impl Machine {
    /// Answers a request that only reads; `None` for any other.
    pub(super) fn read(&mut self, who: &Requester<'_>, request: &Request<'_>) -> Option<Answer> {
        Some(match *request {
            Request::Ping => Ok(Response::Done),
            Request::Sync { path } => Ok(Response::Path(path.into())),
            Request::Exists { path, watch } => self.exists(who, path, watch),
            Request::GetData { path, watch } => self
                .readable(who, path, watch.then_some(Modes::DATA))
                .and_then(|()| {
                    let data = self.tree.get(path)?.data.clone();
                    Ok(Response::Data(data, self.tree.stat(path)?))
                }),
            Request::GetChildren { path, watch, stat } => self
                .readable(who, path, watch.then_some(Modes::CHILDREN))
                .and_then(|()| {
                    let names = self.tree.children(path).iter().cloned().collect();
                    let stat = stat.then(|| self.tree.stat(path)).transpose()?;
                    Ok(Response::Children(names, stat))
                }),
            Request::GetAcl { path } => self.get_acl(who, path),
            Request::GetEphemerals { prefix } => {
                // As in ZooKeeper: blanks and the root stand for all paths.
                let prefix = match prefix.trim_matches(|c| c <= ' ') {
                    "" | "/" => "",
                    _ => prefix,
                };
                let paths = self.tree.ephemerals(who.session);
                let matching = paths.filter(|path| path.starts_with(prefix));
                Ok(Response::Ephemerals(matching.cloned().collect()))
            }
            Request::GetAllChildrenNumber { path } => self.readable(who, path, None).map(|()| {
                let count = self.tree.below(path);
                Response::Count(i32::try_from(count).unwrap_or(i32::MAX))
            }),
            Request::MultiRead(ref requests) => {
                let parts = self.parts(who, requests);
                parts.map(Response::MultiRead)
            }
            Request::AddWatch { path, mode } => {
                let modes = match mode {
                    AddMode::Persistent => Modes::PERSISTENT,
                    AddMode::Recursive => Modes::RECURSIVE,
                };
                self.watch(who, path, modes).map(|()| Response::WatchAdded)
            }
            Request::CheckWatches { path, kind } => {
                found(self.watches.is_set(who.connection, path, kind))
            }
            Request::RemoveWatches { path, kind } => {
                found(self.watches.unset(who.connection, path, kind))
            }
            Request::WhoAmI => Ok(Response::Identities(
                who.ids.iter().map(acl::user).collect(),
            )),
            // This server is alone, and has no SASL.
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

    /// Checks that a node exists and may be read, and sets a watch on it if one is wanted.
    fn readable(
        &mut self,
        who: &Requester<'_>,
        path: &str,
        watch: Option<Modes>,
    ) -> Result<(), Code> {
        acl::check(&self.tree.get(path)?.acl, perms::READ, who.ids)?;
        match watch {
            Some(modes) => self.watch(who, path, modes),
            None => Ok(()),
        }
    }

    fn exists(&mut self, who: &Requester<'_>, path: &str, watch: bool) -> Answer {
        if path.contains('\0') {
            return Err(Code::BadArguments);
        }
        // A node that does not exist can be watched too: for its creation.
        if watch {
            self.watch(who, path, Modes::DATA)?;
        }
        self.tree.stat(path).map(Response::Stat)
    }

    fn get_acl(&self, who: &Requester<'_>, path: &str) -> Answer {
        let node = self.tree.get(path)?;
        acl::check(&node.acl, perms::READ | perms::ADMIN, who.ids)?;
        let list = match acl::check(&node.acl, perms::ADMIN, who.ids) {
            Ok(()) => node.acl.to_vec(),
            Err(_) => acl::redact(&node.acl),
        };
        Ok(Response::Acl(list, self.tree.stat(path)?))
    }

    fn parts(
        &mut self,
        who: &Requester<'_>,
        requests: &[Request<'_>],
    ) -> Result<Vec<ReadResult>, Code> {
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
            // Checked on the way: a small request may name the same long list any number of times.
            length += part_length(&result);
            if length > self.options.max_reply {
                return Err(Code::QuotaExceeded);
            }
            results.push(result);
        }
        Ok(results)
    }

    fn part(&mut self, who: &Requester<'_>, request: &Request<'_>) -> ReadResult {
        match self.read(who, request) {
            Some(Ok(Response::Data(data, stat))) => ReadResult::Data(data, stat),
            Some(Ok(Response::Children(names, _))) => ReadResult::Children(names),
            Some(Err(code)) => ReadResult::Refused(code),
            _ => ReadResult::Refused(Code::Unimplemented),
        }
    }

    fn watch(&mut self, who: &Requester<'_>, path: &str, modes: Modes) -> Result<(), Code> {
        // A client that watches the node already takes no more room by watching it once more.
        if let Some(bytes) = self.watches.added_bytes(who.connection, path) {
            let options = &self.options;
            if self.watches.count(who.connection) >= options.max_watches
                || self.watches.bytes() + bytes > options.max_watch_bytes
            {
                return Err(Code::QuotaExceeded);
            }
        }
        self.watches.set(who.connection, path, modes);
        Ok(())
    }

    /// Sets watches again that a client had on an earlier connection, and sends the events it has
    /// missed.
    pub(super) fn set_watches(
        &mut self,
        who: &Requester<'_>,
        wanted: &SetWatches<'_>,
        sink: &mut impl Sink,
    ) -> Answer {
        let seen = wanted.relative_zxid;
        let mut tell = |kind, path: &str| {
            let path = path.into();
            sink.event(who.connection, &WatchEvent { kind, path }, NO_ZXID);
        };
        for path in &wanted.data {
            match self.tree.get(path) {
                Err(_) => tell(EventKind::Deleted, path),
                Ok(node) if node.mzxid > seen => tell(EventKind::DataChanged, path),
                Ok(_) => self.watch(who, path, Modes::DATA)?,
            }
        }
        for path in &wanted.exist {
            match self.tree.get(path) {
                Ok(_) => tell(EventKind::Created, path),
                Err(_) => self.watch(who, path, Modes::DATA)?,
            }
        }
        for path in &wanted.child {
            match self.tree.get(path) {
                Err(_) => tell(EventKind::Deleted, path),
                Ok(node) if node.pzxid > seen => tell(EventKind::ChildrenChanged, path),
                Ok(_) => self.watch(who, path, Modes::CHILDREN)?,
            }
        }
        let (persistent, recursive) = wanted
            .persistent
            .as_ref()
            .map_or((&[][..], &[][..]), |both| (&both.0[..], &both.1[..]));
        for path in persistent {
            self.watch(who, path, Modes::PERSISTENT)?;
        }
        for path in recursive {
            self.watch(who, path, Modes::RECURSIVE)?;
        }
        Ok(Response::Done)
    }
}

fn found(is_found: bool) -> Answer {
    if is_found {
        Ok(Response::Done)
    } else {
        Err(Code::NoWatcher)
    }
}
