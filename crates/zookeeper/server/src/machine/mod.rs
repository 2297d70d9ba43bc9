//! The pure part of the server: tree, sessions, watches and transactions. No socket, no clock, no
//! disk.
//!
//! [`Machine`] is told what happens ([`Machine::connect`], [`Machine::handle`],
//! [`Machine::disconnect`], [`Machine::tick`]) and when, and says what to do through a [`Sink`]:
//! what to log, whom to answer, whom to tell, whom to close. The same calls at the same times do
//! the same things, so it can be simulated, fuzzed, and compared with others.
//!
//! ```text
//!   frame ──► handle ──► read.rs            answers from the tree, sets watches
//!                   └──► write.rs           checks a change, makes it, logs it, tells the watchers
//!                          └──► tree.rs     the nodes, and how to take a change back
//!   log   ──► apply                         the same changes once more, after a restart
//! ```
//!
//! # What whoever drives it must do
//!
//! A change is made at once and logged at the same moment; whether the log has reached the disk is
//! not known here. So nothing that was said after an entry was logged may leave the process before
//! that entry is durable: no answer and no event. If the log fails, the process has to end.

mod acl;
mod connection;
mod entry;
mod node;
mod path;
mod read;
mod session;
mod snapshot;
mod tree;
mod watch;
mod write;

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use incumbent_zk_proto::{Code, Id, Malformed, ReplyHeader, Response, WatchEvent};

pub use entry::Entry;
use entry::What;
use session::Sessions;
pub use snapshot::{BadSnapshot, Frozen};
use tree::{Change, Tree};
use watch::Watches;

/// Tree, sessions and watches of one server.
pub struct Machine {
    options: Options,
    zxid: i64,
    tree: Tree,
    sessions: Sessions,
    watches: Watches,
    connections: HashMap<ConnectionId, Connection>,
    /// When to look for containers without children and for nodes whose time to live is over.
    fade_look: Duration,
    /// What had faded at the last look, and has not had its turn to be deleted.
    fading: VecDeque<Arc<str>>,
}

/// The most nodes that fade at once, and the time until the next ones do: others have their turn
/// meanwhile.
const FADED_AT_ONCE: usize = 1_000;
const FADED_PAUSE: Duration = Duration::from_millis(10);

/// What a machine allows.
#[derive(Clone, Debug)]
pub struct Options {
    /// The shortest session time-out a client gets. ZooKeeper's default: 4 s.
    pub min_session_timeout: Duration,
    /// The longest. ZooKeeper's default: 40 s.
    pub max_session_timeout: Duration,
    /// If set, a session whose connection was closed ends after this, unless it comes back before.
    pub disconnect_grace: Option<Duration>,
    /// Time between two looks for containers without children and for nodes whose time to live is
    /// over.
    pub fade_interval: Duration,
    /// The digest (`user:base64`) of whoever may do everything.
    pub super_digest: Option<String>,
    /// Most nodes.
    pub max_nodes: usize,
    /// Most memory that nodes and watches take, in bytes, by estimate.
    pub max_bytes: usize,
    /// Most sessions.
    pub max_sessions: usize,
    /// Most nodes that one connection watches.
    pub max_watches: usize,
    /// The longest reply, in bytes. What would be answered by more is refused.
    pub max_reply: usize,
    /// How much one change may take in the log, in bytes: more than the request, where `auth`
    /// stands for many.
    pub max_change: usize,
    /// Most identities that one connection has.
    pub max_identities: usize,
    /// Whether a client that has seen a later state than this one is welcome: only if nothing
    /// outlives the process, so that there cannot be a newer state. The machine then goes on behind
    /// what the client has seen.
    pub forgetful: bool,
}

/// A connection, as whoever drives the machine numbers them. Numbers do not come back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnectionId(pub u64);

/// A session. Its number is the zxid of the change that began it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionId(pub i64);

/// A moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// Since any fixed moment, never going back: for sessions.
    pub elapsed: Duration,
    /// Milliseconds since 1970: for the times that nodes carry, and for times to live, which
    /// outlive the process.
    pub wall_ms: i64,
}

/// Performs what a machine decides, in the order in which it is told.
pub trait Sink {
    /// Keep this, and hold back everything that follows until it is kept.
    fn log(&mut self, entry: &Entry);
    /// Answer a request. No body after an error.
    fn reply(&mut self, to: ConnectionId, header: ReplyHeader, body: Option<&Response>);
    /// Tell somebody who watches.
    fn event(&mut self, to: ConnectionId, event: &WatchEvent);
    /// Close a connection, after what it was told before has been sent.
    fn close(&mut self, connection: ConnectionId, why: Closed);
}

/// Why a connection is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Closed {
    /// The client has ended its session.
    #[error("the client has closed its session")]
    ByClient,
    /// Its session is over.
    #[error("the session has expired")]
    Expired,
    /// Its session has another connection.
    #[error("the session has come back on another connection")]
    Moved,
    /// It has sent what is no request.
    #[error("the client has sent what is no request: {0}")]
    Malformed(Malformed),
    /// It is not who it says.
    #[error("the client could not prove who it is")]
    AuthFailed,
}

/// Why a connection gets no session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// The client has seen changes that are not here.
    #[error(
        "the client has seen zxid 0x{seen:x}, and the newest here is 0x{newest:x}: it has to ask another server"
    )]
    Behind {
        /// What it has seen.
        seen: i64,
        /// What is here.
        newest: i64,
    },
    /// There are too many.
    #[error("there are {limit} sessions, which is the limit")]
    TooManySessions {
        /// The limit.
        limit: usize,
    },
}

/// A log that contradicts the state it is applied to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the change 0x{zxid:x} does not fit what was before it")]
pub struct BadEntry {
    /// Which change.
    pub zxid: i64,
}

/// How much there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Summary {
    /// The newest change.
    pub zxid: i64,
    /// Nodes, with those that are always there.
    pub nodes: usize,
    /// About how much memory they take.
    pub bytes: usize,
    /// About how much memory watches take.
    pub watch_bytes: usize,
    /// Ephemeral nodes.
    pub ephemerals: usize,
    /// Sessions.
    pub sessions: usize,
    /// Watches.
    pub watches: usize,
    /// Nodes that are watched.
    pub watched_nodes: usize,
    /// Connections that watch.
    pub watching_connections: usize,
}

/// A connection with a session.
struct Connection {
    session: SessionId,
    /// Who the client is.
    ids: Arc<[Id]>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            min_session_timeout: Duration::from_secs(4),
            max_session_timeout: Duration::from_secs(40),
            disconnect_grace: None,
            fade_interval: Duration::from_secs(60),
            super_digest: None,
            max_nodes: 10_000_000,
            max_bytes: 4 << 30,
            max_sessions: 100_000,
            max_watches: 1_000_000,
            max_reply: 64 << 20,
            max_change: 8 << 20,
            max_identities: 64,
            forgetful: false,
        }
    }
}

impl Machine {
    /// A machine with an empty tree, whose changes are numbered from behind `zxid`.
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
        }
    }

    /// Makes a change once more that was logged before.
    ///
    /// # Errors
    ///
    /// [`BadEntry`]: it does not fit; the machine is of no use then.
    pub fn apply(&mut self, entry: Entry) -> Result<(), BadEntry> {
        let bad = BadEntry { zxid: entry.zxid() };
        if entry.at.zxid <= self.zxid {
            return Err(bad);
        }
        self.zxid = entry.at.zxid;
        match entry.what {
            What::Open {
                timeout_ms,
                password,
            } => {
                let timeout = Duration::from_millis(u64::from(timeout_ms.unsigned_abs()));
                let session = SessionId(entry.at.zxid);
                self.sessions
                    .open(session, timeout, password, Duration::ZERO);
            }
            What::Close { session } => {
                self.sessions.close(session).ok_or(bad)?;
                for path in self.ephemerals(session) {
                    let delete = Change::Delete { path };
                    self.tree.apply(&delete, entry.at).map_err(|_| bad)?;
                }
            }
            What::Tree(changes) => {
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

    /// Begins to serve: sessions that were restored have their whole time from now on.
    pub fn start(&mut self, now: Now) {
        self.sessions.touch_all(now.elapsed);
        self.fade_look = now.elapsed + self.options.fade_interval;
    }

    /// So much time has passed in which nobody could be heard, for whoever drives the machine was
    /// asleep. It counts for nobody.
    pub fn held_up(&mut self, by: Duration, now: Now) {
        self.sessions.put_off(by, now.elapsed);
    }

    /// When [`tick`](Self::tick) has something to do next.
    pub fn next_tick(&self) -> Duration {
        let session = self.sessions.next_look();
        session.map_or(self.fade_look, |look| look.min(self.fade_look))
    }

    /// Does what time brings: ends sessions that are over, deletes what has faded.
    pub fn tick(&mut self, now: Now, sink: &mut impl Sink) {
        while let Some(session) = self.sessions.next_over(now.elapsed) {
            let connection = self.close_session(session, now, sink);
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
                // Since an earlier turn it may have been changed, or be gone.
                if self.tree.has_faded(&path, now.wall_ms) {
                    // Its parent may have become empty by this, and is looked at the next time.
                    let deleted = self.delete_faded(path, now, sink);
                    debug_assert_eq!(deleted, Ok(()), "what has faded has no children");
                }
            }
            self.fade_look = now.elapsed
                + match self.fading.is_empty() {
                    true => self.options.fade_interval,
                    false => FADED_PAUSE.min(self.options.fade_interval),
                };
        }
    }

    /// The newest change.
    pub fn zxid(&self) -> i64 {
        self.zxid
    }

    /// About how much memory nodes and watches take.
    pub(crate) fn bytes(&self) -> usize {
        self.tree.bytes() + self.watches.bytes()
    }

    /// How much there is.
    pub fn summary(&self) -> Summary {
        Summary {
            zxid: self.zxid,
            nodes: self.tree.len(),
            bytes: self.tree.bytes(),
            watch_bytes: self.watches.bytes(),
            ephemerals: self.tree.ephemeral_count(),
            sessions: self.sessions.len(),
            watches: self
                .watches
                .by_connection()
                .map(|(_, paths)| paths.len())
                .sum(),
            watched_nodes: self.watches.by_path().count(),
            watching_connections: self.watches.by_connection().count(),
        }
    }

    /// All sessions with their time-outs, and their connections if they have one.
    pub fn sessions(
        &self,
    ) -> impl ExactSizeIterator<Item = (SessionId, Duration, Option<ConnectionId>)> {
        self.sessions
            .iter()
            .map(|(id, session)| (id, session.timeout, session.connection))
    }

    /// The session of a connection.
    pub fn session_of(&self, connection: ConnectionId) -> Option<SessionId> {
        Some(self.connections.get(&connection)?.session)
    }

    /// The time-out of a connection's session.
    pub fn timeout_of(&self, connection: ConnectionId) -> Option<Duration> {
        let session = self.session_of(connection)?;
        Some(self.sessions.get(session)?.timeout)
    }

    /// Sessions with ephemeral nodes, and the paths of these.
    pub fn ephemeral_owners(&self) -> impl Iterator<Item = (SessionId, Vec<&str>)> {
        self.tree
            .owners()
            .map(|(session, paths)| (session, paths.iter().map(|path| &**path).collect()))
    }

    /// Paths that are watched, and the connections that do.
    pub fn watched_paths(&self) -> impl Iterator<Item = (&str, Vec<ConnectionId>)> {
        self.watches
            .by_path()
            .map(|(path, connections)| (&**path, connections.collect()))
    }

    fn ephemerals(&self, session: SessionId) -> Vec<Arc<str>> {
        self.tree.ephemerals(session).cloned().collect()
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{:x}", self.0)
    }
}

/// Where the changes of a forgetful machine begin that is started so many microseconds after 1970:
/// behind all that it has made before, unless it made a thousand in each of them. It lasts until
/// 2160.
pub fn zxid_at(micros: i64) -> i64 {
    /// 2020-01-01.
    const BEGINNING: i64 = 1_577_836_800_000_000;
    const PER_MICROSECOND: i64 = 1 << 10;
    let since = micros.saturating_sub(BEGINNING);
    since.clamp(0, i64::MAX / 2 / PER_MICROSECOND) * PER_MICROSECOND
}

/// What comes of a request.
type Answer = Result<Response, Code>;

#[cfg(test)]
mod tests;
