//! What changes the tree: checked, made, logged and told, in this order and at once.

use std::sync::Arc;

use incumbent_zk_proto::{
    Code, Create, CreateKind, EventKind, MultiResult, Request, Response, Stat, WatchEvent, perms,
};

use super::connection::Who;
use super::entry::{Entry, What};
use super::node::{AclList, Node, Owner};
use super::tree::{At, Change, Undo};
use super::{Answer, Machine, Now, SessionId, Sink, acl, path};

/// The most comparisons of identities for one request. Lists may be long, clients may have many
/// identities, and a request may name the same node any number of times; others wait meanwhile.
pub(super) const MOST_LOOKS: usize = 1 << 24;

/// What happened to a node, for those who watch and may read it.
struct Happened {
    kind: EventKind,
    path: Arc<str>,
    acl: AclList,
}

/// One change that was made, and what it says to whoever asked.
enum Done {
    Created { path: Arc<str>, stat: Stat },
    Deleted,
    DataSet(Stat),
    AclSet(Stat),
    Checked,
}

/// Changes that were made and are not logged yet.
#[derive(Default)]
struct Pending {
    changes: Vec<Change>,
    undo: Vec<Undo>,
    happened: Vec<Happened>,
}

impl Machine {
    pub(super) fn write(
        &mut self,
        who: &Who<'_>,
        request: &Request<'_>,
        now: Now,
        sink: &mut impl Sink,
    ) -> Answer {
        let mut pending = Pending::default();
        let at = self.next(now);
        let answer = match request {
            Request::Multi(requests) => {
                Response::Multi(self.transaction(who, requests, at, &mut pending))
            }
            request => {
                let done = self.step(who, request, at, &mut pending)?;
                answer(done, request)
            }
        };
        let size: usize = pending.changes.iter().map(Change::size).sum();
        if size > self.options.max_change {
            self.take_back(pending.undo);
            return Err(Code::QuotaExceeded);
        }
        self.commit(pending, now, sink);
        Ok(answer)
    }

    /// All of the requests, or none of them.
    fn transaction(
        &mut self,
        who: &Who<'_>,
        requests: &[Request<'_>],
        at: At,
        pending: &mut Pending,
    ) -> Vec<MultiResult> {
        let mut results = Vec::with_capacity(requests.len());
        let mut looks = 0;
        for (index, request) in requests.iter().enumerate() {
            looks += self.looks(who, request);
            let step = match looks <= MOST_LOOKS {
                true => self.step(who, request, at, pending),
                false => Err(Code::QuotaExceeded),
            };
            match step {
                Ok(done) => results.push(result(done, request)),
                Err(code) => {
                    self.take_back(std::mem::take(pending).undo);
                    results.fill(MultiResult::Refused(None));
                    results.push(MultiResult::Refused(Some(code)));
                    let after = MultiResult::Refused(Some(Code::RuntimeInconsistency));
                    results.resize(requests.len().max(index + 1), after);
                    return results;
                }
            }
        }
        results
    }

    /// How many pairs of identities are compared, at most, to see whether part of a request is
    /// allowed.
    pub(super) fn looks(&self, who: &Who<'_>, part: &Request<'_>) -> usize {
        let path = match *part {
            Request::Create(Create { path, .. }) | Request::Delete { path, .. } => {
                match path.rfind('/') {
                    Some(0) => path::ROOT,
                    slash => &path[..slash.unwrap_or(0)],
                }
            }
            Request::SetData { path, .. }
            | Request::Check { path, .. }
            | Request::GetData { path, .. }
            | Request::GetChildren { path, .. } => path,
            _ => return 0,
        };
        let entries = self.tree.get(path).map_or(0, |node| node.acl.len());
        entries * who.ids.len()
    }

    fn take_back(&mut self, done: Vec<Undo>) {
        for undo in done.into_iter().rev() {
            self.tree.undo(undo);
        }
    }

    /// Logs what was done and tells those who watch.
    fn commit(&mut self, pending: Pending, now: Now, sink: &mut impl Sink) {
        if pending.changes.is_empty() {
            return;
        }
        self.log(What::Tree(pending.changes), now, sink);
        self.tell(pending.happened, sink);
    }

    /// Logs the next change, which is or will be made.
    pub(super) fn log(&mut self, what: What, now: Now, sink: &mut impl Sink) -> At {
        let at = self.next(now);
        self.zxid = at.zxid;
        sink.log(&Entry { at, what });
        at
    }

    fn next(&self, now: Now) -> At {
        At {
            zxid: self.zxid + 1,
            time: now.wall_ms,
        }
    }

    fn tell(&mut self, happened: Vec<Happened>, sink: &mut impl Sink) {
        for Happened { kind, path, acl } in happened {
            let told = self.watches.take(kind, &path);
            let event = WatchEvent { kind, path };
            for connection in told {
                let ids = self.connections.get(&connection).map(|known| &known.ids);
                if ids.is_some_and(|ids| acl::check(&acl, perms::READ, ids).is_ok()) {
                    sink.event(connection, &event);
                }
            }
        }
    }

    /// Deletes what goes with a session that has just ended.
    pub(super) fn delete_ephemerals(&mut self, session: SessionId, now: Now, sink: &mut impl Sink) {
        let at = self.log(What::Close { session }, now, sink);
        let mut pending = Pending::default();
        for path in self.ephemerals(session) {
            self.delete(path, at, &mut pending)
                .expect("ephemeral nodes have a parent and no children");
        }
        self.tell(pending.happened, sink);
    }

    /// Deletes a node that nobody needs any more.
    pub(super) fn delete_faded(
        &mut self,
        path: Arc<str>,
        now: Now,
        sink: &mut impl Sink,
    ) -> Result<(), Code> {
        let mut pending = Pending::default();
        self.delete(path, self.next(now), &mut pending)?;
        self.commit(pending, now, sink);
        Ok(())
    }

    /// One change, made if it is allowed.
    fn step(
        &mut self,
        who: &Who<'_>,
        request: &Request<'_>,
        at: At,
        pending: &mut Pending,
    ) -> Result<Done, Code> {
        match *request {
            Request::Create(ref create) => self.create(who, create, at, pending),
            Request::Delete { path, version } => {
                let (parent, _) = path::split(path)
                    .filter(|_| !path.contains('\0') && !path::SPECIAL.contains(&path))
                    .ok_or(Code::BadArguments)?;
                acl::check(&self.tree.get(parent)?.acl, perms::DELETE, who.ids)?;
                check_version(self.tree.get(path)?.version, version)?;
                self.delete(path.into(), at, pending)?;
                Ok(Done::Deleted)
            }
            Request::SetData {
                path,
                data,
                version,
            } => {
                let node = self.allowed(who, path, perms::WRITE)?;
                check_version(node.version, version)?;
                let (kind, acl) = (EventKind::DataChanged, Arc::clone(&node.acl));
                self.check_room(data.map_or(0, <[u8]>::len))?;
                let path: Arc<str> = path.into();
                let data = data.map(Arc::from);
                self.make(
                    Change::SetData {
                        path: Arc::clone(&path),
                        data,
                    },
                    at,
                    pending,
                )?;
                let stat = self.tree.get(&path)?.stat();
                pending.happened.push(Happened { kind, path, acl });
                Ok(Done::DataSet(stat))
            }
            Request::SetAcl {
                path,
                acl: ref list,
                version,
            } => {
                if !path::is_valid(path) {
                    return Err(Code::BadArguments);
                }
                let list = acl::resolve(list, who.ids, self.options.max_change)?;
                let node = self.allowed(who, path, perms::ADMIN)?;
                check_version(node.aversion, version)?;
                self.check_room(acl::bytes(&list))?;
                let acl = self.tree.share(&list);
                let path: Arc<str> = path.into();
                self.make(
                    Change::SetAcl {
                        path: Arc::clone(&path),
                        acl,
                    },
                    at,
                    pending,
                )?;
                Ok(Done::AclSet(self.tree.get(&path)?.stat()))
            }
            Request::Check { path, version } => {
                let node = self.allowed(who, path, perms::READ)?;
                check_version(node.version, version)?;
                Ok(Done::Checked)
            }
            _ => Err(Code::Unimplemented),
        }
    }

    fn create(
        &mut self,
        who: &Who<'_>,
        create: &Create<'_>,
        at: At,
        pending: &mut Pending,
    ) -> Result<Done, Code> {
        let (owner, sequential) = mode(create, who.session)?;
        if create.path.contains('\0') {
            return Err(Code::BadArguments);
        }
        // The root has no parent and the name that follows the last slash may be empty: for the
        // number to come.
        let parent = match create.path.rfind('/').ok_or(Code::BadArguments)? {
            0 => path::ROOT,
            slash => &create.path[..slash],
        };
        let list = acl::resolve(&create.acl, who.ids, self.options.max_change)?;
        let above = self.tree.get(parent)?;
        acl::check(&above.acl, perms::CREATE, who.ids)?;
        let path: Arc<str> = match sequential {
            true => format!("{}{:010}", create.path, above.creates).into(),
            false => create.path.into(),
        };
        if !path::is_valid(&path) {
            return Err(Code::BadArguments);
        }
        if self.tree.contains(&path) {
            return Err(Code::NodeExists);
        }
        if matches!(above.owner, Owner::Session(_)) {
            return Err(Code::NoChildrenForEphemerals);
        }
        let children_changed = Happened {
            kind: EventKind::ChildrenChanged,
            path: parent.into(),
            acl: Arc::clone(&above.acl),
        };
        let bytes = create.data.map_or(0, <[u8]>::len) + acl::bytes(&list);
        self.check_room(bytes)?;
        let acl = self.tree.share(&list);
        let change = Change::Create {
            path: Arc::clone(&path),
            data: create.data.map(Arc::from),
            acl: Arc::clone(&acl),
            owner,
        };
        self.make(change, at, pending)?;
        let stat = self.tree.get(&path)?.stat();
        pending.happened.push(Happened {
            kind: EventKind::Created,
            path: Arc::clone(&path),
            acl,
        });
        pending.happened.push(children_changed);
        Ok(Done::Created { path, stat })
    }

    fn delete(&mut self, path: Arc<str>, at: At, pending: &mut Pending) -> Result<(), Code> {
        let deleted = Happened {
            kind: EventKind::Deleted,
            acl: Arc::clone(&self.tree.get(&path)?.acl),
            path: Arc::clone(&path),
        };
        let (parent, _) = path::split(&path).ok_or(Code::BadArguments)?;
        let children_changed = Happened {
            kind: EventKind::ChildrenChanged,
            path: parent.into(),
            acl: Arc::clone(&self.tree.get(parent)?.acl),
        };
        self.make(Change::Delete { path }, at, pending)?;
        pending.happened.extend([deleted, children_changed]);
        Ok(())
    }

    fn make(&mut self, change: Change, at: At, pending: &mut Pending) -> Result<(), Code> {
        pending.undo.push(self.tree.apply(&change, at)?);
        pending.changes.push(change);
        Ok(())
    }

    fn allowed(&self, who: &Who<'_>, path: &str, wanted: i32) -> Result<&Node, Code> {
        if !path::is_valid(path) {
            return Err(Code::BadArguments);
        }
        let node = self.tree.get(path)?;
        acl::check(&node.acl, wanted, who.ids)?;
        Ok(node)
    }

    /// Refuses what would be too much: more data when there is too much already, or one node too
    /// many.
    fn check_room(&self, more: usize) -> Result<(), Code> {
        let bytes = self.bytes() + more;
        if bytes > self.options.max_bytes || self.tree.len() >= self.options.max_nodes {
            return Err(Code::QuotaExceeded);
        }
        Ok(())
    }
}

fn check_version(version: i32, expected: i32) -> Result<(), Code> {
    if expected == -1 || expected == version {
        Ok(())
    } else {
        Err(Code::BadVersion)
    }
}

/// What the node goes with, and whether a number is appended: the flags are those of ZooKeeper's
/// `CreateMode`.
fn mode(create: &Create<'_>, session: SessionId) -> Result<(Owner, bool), Code> {
    let ttl = match create.kind {
        CreateKind::Ttl(ttl) => Some(ttl),
        _ => None,
    };
    let owner = match create.flags {
        0 | 2 => Owner::Nobody,
        1 | 3 => Owner::Session(session),
        4 => Owner::Container,
        5 | 6 => {
            let valid = ttl.filter(|ttl| (1..=Owner::LONGEST_TTL).contains(ttl));
            return Ok((
                Owner::Ttl(valid.ok_or(Code::BadArguments)?),
                create.flags == 6,
            ));
        }
        _ => return Err(Code::BadArguments),
    };
    // Only nodes that fade have a time to live.
    if ttl.is_some_and(|ttl| ttl >= 0) {
        return Err(Code::BadArguments);
    }
    Ok((owner, matches!(create.flags, 2 | 3)))
}

fn answer(done: Done, request: &Request<'_>) -> Response {
    match done {
        Done::Created { path, stat } if wants_stat(request) => {
            Response::Created(path.as_ref().into(), stat)
        }
        Done::Created { path, .. } => Response::Path(path.as_ref().into()),
        Done::DataSet(stat) | Done::AclSet(stat) => Response::Stat(stat),
        Done::Deleted | Done::Checked => Response::Done,
    }
}

fn result(done: Done, request: &Request<'_>) -> MultiResult {
    match done {
        Done::Created { path, stat } => MultiResult::Created {
            path: path.as_ref().into(),
            // As in ZooKeeper, this hangs on the node that is made and not on how it was asked.
            stat: fades(request).then_some(stat),
        },
        Done::Deleted => MultiResult::Deleted,
        Done::DataSet(stat) | Done::AclSet(stat) => MultiResult::DataSet(stat),
        Done::Checked => MultiResult::Checked,
    }
}

/// Whether the node is a container or has a time to live.
fn fades(request: &Request<'_>) -> bool {
    matches!(request, Request::Create(create) if matches!(create.flags, 4..=6))
}

fn wants_stat(request: &Request<'_>) -> bool {
    matches!(request, Request::Create(create) if create.kind != CreateKind::Plain)
}
