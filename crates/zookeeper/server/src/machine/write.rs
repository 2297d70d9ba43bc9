//! Requests that change the tree. A change is checked, made and logged, and its events are sent,
//! all in one call.

use std::sync::Arc;

use incumbent_zk_proto::{
    Code, Create, CreateKind, EventKind, Request, Response, Stat, WatchEvent, perms,
};

use super::change::{Change, Moment, Undo};
use super::connection::Requester;
use super::entry::{Entry, EntryBody};
use super::node::{AclList, Node, Owner};
use super::tree::node_bytes;
use super::{Answer, Machine, Now, SessionId, Sink, acl, path};

/// An event, and the list that says who may see it.
struct NodeEvent {
    kind: EventKind,
    path: Arc<str>,
    acl: AclList,
}

/// A change that was made, with what the reply needs.
pub(super) enum Outcome {
    Created { path: Arc<str>, stat: Stat },
    Deleted,
    DataSet(Stat),
    AclSet(Stat),
    Checked,
}

/// Changes that were made and are not logged yet.
#[derive(Default)]
pub(super) struct Pending {
    changes: Vec<Change>,
    pub(super) undo: Vec<Undo>,
    events: Vec<NodeEvent>,
}

impl Machine {
    pub(super) fn write(
        &mut self,
        who: &Requester<'_>,
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

    pub(super) fn take_back(&mut self, done: Vec<Undo>) {
        for undo in done.into_iter().rev() {
            self.tree.undo(undo);
        }
    }

    /// Logs changes and sends their events.
    fn commit(&mut self, pending: Pending, now: Now, sink: &mut impl Sink) {
        if pending.changes.is_empty() {
            return;
        }
        self.log(EntryBody::Tree(pending.changes), now, sink);
        self.tell(pending.events, sink);
    }

    /// Logs the next change. The caller makes it.
    pub(super) fn log(&mut self, body: EntryBody, now: Now, sink: &mut impl Sink) -> Moment {
        let at = self.next(now);
        self.zxid = at.zxid;
        sink.log(&Entry { at, body });
        at
    }

    fn next(&self, now: Now) -> Moment {
        Moment {
            zxid: self.zxid + 1,
            time: now.wall_ms,
        }
    }

    fn tell(&mut self, events: Vec<NodeEvent>, sink: &mut impl Sink) {
        for NodeEvent { kind, path, acl } in events {
            let told = self.watches.take(kind, &path);
            let event = WatchEvent { kind, path };
            for connection in told {
                let ids = self.connections.get(&connection).map(|known| &known.ids);
                if ids.is_some_and(|ids| acl::check(&acl, perms::READ, ids).is_ok()) {
                    sink.event(connection, &event, self.zxid);
                }
            }
        }
    }

    /// Logs the end of a session, and deletes its ephemeral nodes.
    pub(super) fn delete_ephemerals(&mut self, session: SessionId, now: Now, sink: &mut impl Sink) {
        let at = self.log(EntryBody::Close { session }, now, sink);
        let mut pending = Pending::default();
        for path in self.ephemerals(session) {
            self.delete(path, at, &mut pending)
                .expect("ephemeral nodes have a parent and no children");
        }
        self.tell(pending.events, sink);
    }

    /// Deletes a node that has faded.
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

    /// Makes one change, if it is allowed.
    pub(super) fn step(
        &mut self,
        who: &Requester<'_>,
        request: &Request<'_>,
        at: Moment,
        pending: &mut Pending,
    ) -> Result<Outcome, Code> {
        match *request {
            Request::Create(ref create) => self.create(who, create, at, pending),
            Request::Delete { path, version } => {
                let (parent, _) = path::split(path)
                    .filter(|_| !path.contains('\0') && !path::SPECIAL.contains(&path))
                    .ok_or(Code::BadArguments)?;
                acl::check(&self.tree.get(parent)?.acl, perms::DELETE, who.ids)?;
                check_version(self.tree.get(path)?.version, version)?;
                self.delete(path.into(), at, pending)?;
                Ok(Outcome::Deleted)
            }
            Request::SetData {
                path,
                data,
                version,
            } => {
                let node = self.allowed(who, path, perms::WRITE)?;
                check_version(node.version, version)?;
                let (kind, acl) = (EventKind::DataChanged, Arc::clone(&node.acl));
                let before = node.data.as_ref().map_or(0, |data| data.len());
                self.check_growth(before, data.map_or(0, <[u8]>::len))?;
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
                let stat = self.tree.stat(&path)?;
                pending.events.push(NodeEvent { kind, path, acl });
                Ok(Outcome::DataSet(stat))
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
                self.check_growth(acl::bytes(&node.acl), acl::bytes(&list))?;
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
                Ok(Outcome::AclSet(self.tree.stat(&path)?))
            }
            Request::Check { path, version } => {
                let node = self.allowed(who, path, perms::READ)?;
                check_version(node.version, version)?;
                Ok(Outcome::Checked)
            }
            _ => Err(Code::Unimplemented),
        }
    }

    fn create(
        &mut self,
        who: &Requester<'_>,
        create: &Create<'_>,
        at: Moment,
        pending: &mut Pending,
    ) -> Result<Outcome, Code> {
        let (owner, sequential) = mode(create, who.session)?;
        if create.path.contains('\0') {
            return Err(Code::BadArguments);
        }
        // The name after the last slash may be empty: a number follows it.
        let parent = match create.path.rfind('/').ok_or(Code::BadArguments)? {
            0 => path::ROOT,
            slash => &create.path[..slash],
        };
        let list = acl::resolve(&create.acl, who.ids, self.options.max_change)?;
        let above = self.tree.get(parent)?;
        acl::check(&above.acl, perms::CREATE, who.ids)?;
        let path: Arc<str> = if sequential {
            format!("{}{:010}", create.path, above.creates).into()
        } else {
            create.path.into()
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
        let children_changed = NodeEvent {
            kind: EventKind::ChildrenChanged,
            path: parent.into(),
            acl: Arc::clone(&above.acl),
        };
        let data = create.data.map_or(0, <[u8]>::len);
        self.check_room_for_node(node_bytes(&path, data, &list))?;
        let acl = self.tree.share(&list);
        let change = Change::Create {
            path: Arc::clone(&path),
            data: create.data.map(Arc::from),
            acl: Arc::clone(&acl),
            owner,
        };
        self.make(change, at, pending)?;
        let stat = self.tree.stat(&path)?;
        pending.events.push(NodeEvent {
            kind: EventKind::Created,
            path: Arc::clone(&path),
            acl,
        });
        pending.events.push(children_changed);
        Ok(Outcome::Created { path, stat })
    }

    fn delete(&mut self, path: Arc<str>, at: Moment, pending: &mut Pending) -> Result<(), Code> {
        let deleted = NodeEvent {
            kind: EventKind::Deleted,
            acl: Arc::clone(&self.tree.get(&path)?.acl),
            path: Arc::clone(&path),
        };
        let (parent, _) = path::split(&path).ok_or(Code::BadArguments)?;
        let children_changed = NodeEvent {
            kind: EventKind::ChildrenChanged,
            path: parent.into(),
            acl: Arc::clone(&self.tree.get(parent)?.acl),
        };
        self.make(Change::Delete { path }, at, pending)?;
        pending.events.extend([deleted, children_changed]);
        Ok(())
    }

    fn make(&mut self, change: Change, at: Moment, pending: &mut Pending) -> Result<(), Code> {
        pending.undo.push(self.tree.apply(&change, at)?);
        pending.changes.push(change);
        Ok(())
    }

    fn allowed(&self, who: &Requester<'_>, path: &str, wanted: i32) -> Result<&Node, Code> {
        if !path::is_valid(path) {
            return Err(Code::BadArguments);
        }
        let node = self.tree.get(path)?;
        acl::check(&node.acl, wanted, who.ids)?;
        Ok(node)
    }
}

fn check_version(version: i32, expected: i32) -> Result<(), Code> {
    if expected == -1 || expected == version {
        Ok(())
    } else {
        Err(Code::BadVersion)
    }
}

/// The owner of a new node, and whether a number is appended. The flags are those of ZooKeeper's
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

fn answer(done: Outcome, request: &Request<'_>) -> Response {
    match done {
        Outcome::Created { path, stat } if wants_stat(request) => {
            Response::Created(path.as_ref().into(), stat)
        }
        Outcome::Created { path, .. } => Response::Path(path.as_ref().into()),
        Outcome::DataSet(stat) | Outcome::AclSet(stat) => Response::Stat(stat),
        Outcome::Deleted | Outcome::Checked => Response::Done,
    }
}

pub(super) fn wants_stat(request: &Request<'_>) -> bool {
    matches!(request, Request::Create(create) if create.kind != CreateKind::Plain)
}
