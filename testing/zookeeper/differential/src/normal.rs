//! What is left of an observation without everything that may differ between two servers.

use std::collections::HashMap;

use incumbent_zk_proto::{Acl, Data, Id, MultiResult, ReadResult, Response, Stat, perms};

use crate::script::ROOT_PREFIX;
use crate::side::{Answer, Seen};

/// One thing to compare.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Token {
    /// Must be the same.
    Text(String),
    /// Must stand for the same change.
    Zxid(i64),
    /// The last change up to it must be the same.
    Floor(i64),
    /// As `Zxid`, if both servers say one: `known::EVENT_ZXID`.
    EventZxid(i64),
    /// A stat of a transaction's result, the same if both servers send one:
    /// `known::CREATE2_IN_TRANSACTION`.
    OptionalStat(Vec<Token>),
}

/// Turns frames of one server into tokens, and remembers the times in them.
#[derive(Debug, Default)]
pub(crate) struct Normal {
    own_root: String,
    times: HashMap<i64, i64>,
}

/// Times are compared on each side by itself. If they are farther apart than this, they are not of
/// the same test.
const SAME_TEST_MS: i64 = 10 * 60 * 1000;

impl Normal {
    /// For a script whose root has this name, without the slash.
    pub(crate) fn new(own_root: &str) -> Self {
        Self {
            own_root: own_root.to_owned(),
            times: HashMap::new(),
        }
    }

    pub(crate) fn tokens(&mut self, seen: &Seen, ids: &[i64]) -> Vec<Token> {
        let mut out = Vec::new();
        match seen {
            Seen::Granted(granted) => {
                text(&mut out, format!("granted {} ms", granted.timeout_ms));
                text(&mut out, format!("read-only {:?}", granted.read_only));
                text(&mut out, format!("session {}", owner(granted.session, ids)));
                let known = granted.password.iter().any(|&byte| byte != 0);
                text(&mut out, format!("with a password: {known}"));
            }
            Seen::Reply(answer) => self.answer(answer, ids, &mut out),
            Seen::Event(event) => {
                text(
                    &mut out,
                    format!("{:?} {:?}", event.event.kind, event.event.path),
                );
                out.push(Token::EventZxid(event.zxid));
            }
            Seen::Barrier { zxid } => {
                text(&mut out, "barrier".to_owned());
                out.push(Token::Floor(*zxid));
            }
            Seen::Stopped(stop) => text(&mut out, format!("{stop}")),
        }
        out
    }

    fn answer(&mut self, answer: &Answer, ids: &[i64], out: &mut Vec<Token>) {
        let reply = &answer.reply;
        text(out, format!("xid {}", reply.xid));
        match &reply.result {
            Ok(response) => {
                let refused = matches!(response, Response::Multi(results)
                    if results.iter().any(|result| matches!(result, MultiResult::Refused(_))));
                out.push(if answer.changes && !refused {
                    Token::Zxid(reply.zxid)
                } else {
                    Token::Floor(reply.zxid)
                });
                self.response(response, answer.shared, ids, out);
            }
            Err(number) => {
                text(out, format!("refused {number}"));
                out.push(Token::Floor(reply.zxid));
            }
        }
    }

    fn response(&mut self, response: &Response, shared: bool, ids: &[i64], out: &mut Vec<Token>) {
        match response {
            Response::Done => text(out, "done".into()),
            Response::WatchAdded => text(out, "watch added".into()),
            Response::Path(path) => text(out, format!("{path:?}")),
            Response::Created(path, stat) => {
                text(out, format!("{path:?}"));
                self.stat(stat, shared, ids, out);
            }
            Response::Stat(stat) => self.stat(stat, shared, ids, out),
            Response::Data(bytes, stat) => {
                data(bytes, out);
                self.stat(stat, shared, ids, out);
            }
            Response::Acl(acl, stat) => {
                text(out, format!("{:?}", list(acl)));
                self.stat(stat, shared, ids, out);
            }
            Response::Children(names, stat) => {
                text(out, format!("{:?}", self.names(names, shared)));
                if let Some(stat) = stat {
                    self.stat(stat, shared, ids, out);
                }
            }
            Response::Ephemerals(paths) => {
                let mut paths = paths.clone();
                paths.sort();
                text(out, format!("{paths:?}"));
            }
            Response::Count(_) if shared => text(out, "some".into()),
            Response::Count(count) => text(out, format!("{count}")),
            Response::Multi(results) => {
                text(out, format!("{} results", results.len()));
                for result in results {
                    self.multi(result, ids, out);
                }
            }
            Response::MultiRead(results) => {
                text(out, format!("{} results", results.len()));
                for result in results {
                    match result {
                        ReadResult::Data(bytes, stat) => {
                            data(bytes, out);
                            self.stat(stat, shared, ids, out);
                        }
                        ReadResult::Children(names) => {
                            text(out, format!("{:?}", self.names(names, shared)));
                        }
                        ReadResult::Refused(code) => text(out, format!("refused {code:?}")),
                    }
                }
            }
            Response::Identities(identities) => {
                let mut identities: Vec<&Id> = identities.iter().collect();
                identities.sort();
                text(out, format!("{identities:?}"));
            }
        }
    }

    fn multi(&mut self, result: &MultiResult, ids: &[i64], out: &mut Vec<Token>) {
        match result {
            MultiResult::Created { path, stat } => {
                text(out, format!("created {path:?}"));
                let mut tokens = Vec::new();
                if let Some(stat) = stat {
                    self.stat(stat, false, ids, &mut tokens);
                }
                out.push(Token::OptionalStat(tokens));
            }
            MultiResult::DataSet(stat) => self.stat(stat, false, ids, out),
            MultiResult::Deleted | MultiResult::Checked | MultiResult::Refused(_) => {
                text(out, format!("{result:?}"));
            }
        }
    }

    fn stat(&mut self, stat: &Stat, shared: bool, ids: &[i64], out: &mut Vec<Token>) {
        out.push(Token::Zxid(stat.czxid));
        out.push(Token::Zxid(stat.mzxid));
        text(out, self.time(stat));
        text(
            out,
            format!(
                "version {} aversion {} length {} owner {}",
                stat.version,
                stat.aversion,
                stat.data_length,
                owner(stat.ephemeral_owner, ids)
            ),
        );
        // Every script creates its root below the shared ones.
        if !shared {
            out.push(Token::Zxid(stat.pzxid));
            let (cversion, children) = (stat.cversion, stat.num_children);
            text(out, format!("cversion {cversion} children {children}"));
        }
    }

    /// Checks that each change has one time, and no change of data is earlier than the creation.
    fn time(&mut self, stat: &Stat) -> String {
        let mut said = format!("created at zero: {}", stat.ctime == 0);
        for (zxid, time) in [(stat.czxid, stat.ctime), (stat.mzxid, stat.mtime)] {
            let first = *self.times.entry(zxid).or_insert(time);
            if first != time {
                said = format!("the change {zxid} is of {first} and of {time}");
            }
        }
        if !(0..SAME_TEST_MS).contains(&(stat.mtime - stat.ctime)) {
            said = format!("created at {}, changed at {}", stat.ctime, stat.mtime);
        }
        said
    }

    fn names<'n>(&self, names: &'n [std::sync::Arc<str>], shared: bool) -> Vec<&'n str> {
        let mut names: Vec<&str> = names.iter().map(|name| &**name).collect();
        if shared {
            names.retain(|&name| !name.starts_with(ROOT_PREFIX) || name == self.own_root);
        }
        names.sort_unstable();
        names
    }
}

fn text(out: &mut Vec<Token>, text: String) {
    out.push(Token::Text(text));
}

fn data(bytes: &Data, out: &mut Vec<Token>) {
    text(
        out,
        format!(
            "{:?}",
            bytes
                .as_deref()
                .map(<[u8]>::escape_ascii)
                .map(|data| data.to_string())
        ),
    );
}

fn owner(id: i64, ids: &[i64]) -> String {
    match ids.iter().position(|&granted| granted == id) {
        Some(number) => format!("session number {number}"),
        None => format!("{id:#x}"),
    }
}

/// `auth` stands for all identities of the client, in no particular order:
/// `known::ORDER_OF_IDENTITIES`.
fn list(acl: &[Acl]) -> Vec<String> {
    let mut acl: Vec<&Acl> = acl.iter().collect();
    let same =
        |one: &&Acl, other: &&Acl| one.perms == other.perms && one.id.scheme == other.id.scheme;
    for run in acl.chunk_by_mut(same) {
        run.sort_by(|one, other| one.id.cmp(&other.id));
    }
    let line = |entry: &&Acl| match entry.perms {
        perms::ALL => format!("all {}:{}", entry.id.scheme, entry.id.id),
        perms => format!("{perms} {}:{}", entry.id.scheme, entry.id.id),
    };
    acl.iter().map(line).collect()
}
