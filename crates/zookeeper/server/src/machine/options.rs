//! What a machine allows.

use std::time::Duration;

/// What a machine allows.
#[derive(Clone, Debug)]
pub struct Options {
    /// The shortest session time-out a client gets. ZooKeeper's default: 4 s.
    pub min_session_timeout: Duration,
    /// The longest. ZooKeeper's default: 40 s.
    pub max_session_timeout: Duration,
    /// If set, a session ends this long after its connection was closed, unless its client comes
    /// back in that time.
    pub disconnect_grace: Option<Duration>,
    /// How often to look for containers without children, and for nodes whose time to live is over.
    pub fade_interval: Duration,
    /// The digest (`user:base64`) of the user who may do everything.
    pub super_digest: Option<String>,
    /// Most nodes. At this limit no node is created; all other changes pass.
    pub max_nodes: usize,
    /// Most memory that nodes take, in bytes, by estimate. At this limit a change passes if it adds
    /// no bytes.
    pub max_bytes: usize,
    /// Most memory that watches take, in bytes, by estimate. It is apart from that of nodes, so
    /// that a full tree can be watched.
    pub max_watch_bytes: usize,
    /// Most sessions. At this limit no session is opened; those that are open go on and come back.
    pub max_sessions: usize,
    /// Most nodes that one connection watches. A node that it watches already may be watched again.
    pub max_watches: usize,
    /// The longest reply, in bytes. A request that needs a longer one is refused.
    pub max_reply: usize,
    /// The most bytes that one change may take in the log. That can be more than the request: in a
    /// list, `auth` stands for all identities of the client.
    pub max_change: usize,
    /// Most identities of one connection.
    pub max_identities: usize,
    /// Whether the machine accepts a client that has seen a higher zxid, and continues above that.
    /// Right only if nothing outlives the process: then no newer state can exist.
    pub forgetful: bool,
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
            max_watch_bytes: 1 << 30,
            max_sessions: 100_000,
            max_watches: 1_000_000,
            max_reply: 64 << 20,
            max_change: 8 << 20,
            max_identities: 64,
            forgetful: false,
        }
    }
}
