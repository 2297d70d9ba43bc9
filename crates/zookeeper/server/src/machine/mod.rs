//! The pure part of the server: tree, sessions, watches and transactions. No socket, no clock, no
//! disk.
//!
//! [`Machine`] takes what happens and when ([`Machine::connect`], [`Machine::handle`],
//! [`Machine::disconnect`], [`Machine::tick`]). Its driver learns through a [`Sink`] what to do:
//! what to log, which replies and events to send, which connections to close. The same calls at the
//! same times do the same things, so it can be simulated, fuzzed, and compared with other servers.
//!
//! ```text
//!   frame ──► handle ──► read.rs            answers from the tree, sets watches
//!                   └──► write.rs           checks a change, makes it, logs it, sends its events
//!                          └──► tree.rs     the nodes, and how to take a change back
//!   log   ──► apply                         the same changes once more, after a restart
//! ```
//!
//! # What a driver must do
//!
//! The machine makes a change and logs it in the same call, and does not know whether the log has
//! reached the disk. So no reply and no event that follows an entry may leave the process before
//! that entry is durable. If the log fails, the process must end.

mod acl;
mod change;
mod connection;
mod entry;
mod ids;
mod node;
mod nodes;
mod options;
mod path;
mod read;
mod room;
mod session;
mod sink;
mod snapshot;
mod summary;
mod transaction;
mod tree;
mod watch;
mod write;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use incumbent_zk_proto::{Code, Id, Response};

use change::Change;
pub use entry::Entry;
use entry::EntryBody;
pub use ids::{ConnectionId, Now, SessionId};
pub use options::Options;
use session::Sessions;
pub use sink::{Closed, Refused, Sink};
pub use snapshot::{BadSnapshot, Frozen};
pub use summary::Summary;
use tree::Tree;
use watch::Watches;

/// Tree, sessions and watches of one server.
pub struct Machine {
    options: Options,
    zxid: i64,
    tree: Tree,
    sessions: Sessions,
    watches: Watches,
    connections: HashMap<ConnectionId, Connection>,
    /// When to look next for nodes that have faded: containers without children, and nodes whose
    /// time to live is over.
    fade_look: Duration,
    /// Sessions that have ended because their clients were silent.
    expired_sessions: u64,
    /// Nodes that had faded at the last look and are not deleted yet.
    fading: VecDeque<Arc<str>>,
}

/// The most nodes that are deleted at once because they faded, and the pause before the next ones,
/// in which clients are served.
const FADED_AT_ONCE: usize = 1_000;
const FADED_PAUSE: Duration = Duration::from_millis(10);

/// A log entry that contradicts the state it is applied to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the change 0x{zxid:x} does not fit the state before it")]
pub struct BadEntry {
    /// The change.
    pub zxid: i64,
}

/// A connection with a session.
struct Connection {
    session: SessionId,
    /// The identities of the client.
    ids: Arc<[Id]>,
}

impl Machine {
    /// A machine with an empty tree. Its first change has the number after `zxid`.
    pub fn new(options: Options, zxid: i64) -> Self {
        Self {
            fade_look: options.fade_interval,
            options,
            zxid,
            tree: Tree::new(),
            sessions: Sessions::default(),
            watches: Watches::default(),
            connections: HashMap::new(),
            fading: VecDeque::new(),
            expired_sessions: 0,
        }
    }

    /// Repeats a change that was logged before.
    ///
    /// # Errors
    ///
    /// [`BadEntry`]: the entry does not fit. The machine must not be used any more.
    pub fn apply(&mut self, entry: Entry) -> Result<(), BadEntry> {
        let bad = BadEntry { zxid: entry.zxid() };
        if entry.at.zxid <= self.zxid {
            return Err(bad);
        }
        self.zxid = entry.at.zxid;
        match entry.body {
            EntryBody::Open {
                timeout_ms,
                password,
            } => {
                let timeout = Duration::from_millis(u64::from(timeout_ms.unsigned_abs()));
                let session = SessionId(entry.at.zxid);
                self.sessions
                    .open(session, timeout, password, Duration::ZERO);
            }
            EntryBody::Close { session } => {
                self.sessions.close(session).ok_or(bad)?;
                for path in self.ephemerals(session) {
                    let delete = Change::Delete { path };
                    self.tree.apply(&delete, entry.at).map_err(|_| bad)?;
                }
            }
            EntryBody::Tree(changes) => {
                for mut change in changes {
                    if let Change::Create { acl, .. } | Change::SetAcl { acl, .. } = &mut change {
                        *acl = self.tree.share(acl);
                    }
                    self.tree.apply(&change, entry.at).map_err(|_| bad)?;
                }
            }
        }
        Ok(())
    }

    /// Begins to serve. Every session gets its whole time-out from now on.
    pub fn start(&mut self, now: Now) {
        self.sessions.touch_all(now.elapsed);
        self.fade_look = now.elapsed + self.options.fade_interval;
    }

    /// Adds time to all sessions: no client could be heard in that time, because the driver was
    /// asleep or did not read requests.
    pub fn held_up(&mut self, by: Duration, now: Now) {
        self.sessions.put_off(by, now.elapsed);
    }

    /// When [`tick`](Self::tick) must be called next.
    pub fn next_tick(&self) -> Duration {
        let session = self.sessions.next_look();
        session.map_or(self.fade_look, |look| look.min(self.fade_look))
    }

    /// Ends sessions whose time is over, and deletes nodes that have faded.
    pub fn tick(&mut self, now: Now, sink: &mut impl Sink) {
        while let Some(session) = self.sessions.next_over(now.elapsed) {
            let connection = self.close_session(session, now, sink);
            self.expired_sessions += 1;
            if let Some(connection) = connection {
                sink.close(connection, Closed::Expired);
            }
        }
        if now.elapsed >= self.fade_look {
            if self.fading.is_empty() {
                self.fading = self.tree.faded(now.wall_ms).into();
            }
            let turn = self.fading.len().min(FADED_AT_ONCE);
            for path in self.fading.drain(..turn).collect::<Vec<_>>() {
                // It may have changed, or be gone, since it was found.
                if self.tree.has_faded(&path, now.wall_ms) {
                    // Its parent may be empty now, and is looked at the next time.
                    let deleted = self.delete_faded(path, now, sink);
                    debug_assert_eq!(deleted, Ok(()), "what has faded has no children");
                }
            }
            self.fade_look = now.elapsed
                + if self.fading.is_empty() {
                    self.options.fade_interval
                } else {
                    FADED_PAUSE.min(self.options.fade_interval)
                };
        }
    }

    /// The newest change.
    pub fn zxid(&self) -> i64 {
        self.zxid
    }

    fn ephemerals(&self, session: SessionId) -> Vec<Arc<str>> {
        self.tree.ephemerals(session).cloned().collect()
    }
}

/// The first zxid of a forgetful machine that starts so many microseconds after 1970. It is above
/// all zxids that earlier machines have given out, unless they made more than a thousand changes in
/// each microsecond. It lasts until 2160.
pub fn zxid_at(micros: i64) -> i64 {
    /// 2020-01-01.
    const BEGINNING: i64 = 1_577_836_800_000_000;
    const PER_MICROSECOND: i64 = 1 << 10;
    let since = micros.saturating_sub(BEGINNING);
    since.clamp(0, i64::MAX / 2 / PER_MICROSECOND) * PER_MICROSECOND
}

/// The outcome of a request.
type Answer = Result<Response, Code>;

#[cfg(test)]
mod tests;
