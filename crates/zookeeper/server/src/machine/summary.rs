//! How much a machine holds.

use std::time::Duration;

use super::{ConnectionId, Machine, SessionId};

/// How much there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Summary {
    /// The newest change.
    pub zxid: i64,
    /// Nodes, including the four that always exist.
    pub nodes: usize,
    /// An estimate of the memory they take, in bytes.
    pub bytes: usize,
    /// The same for watches.
    pub watch_bytes: usize,
    /// Ephemeral nodes.
    pub ephemerals: usize,
    /// Sessions.
    pub sessions: usize,
    /// Sessions that have ended because their clients were silent, since the start.
    pub expired_sessions: u64,
    /// Watches.
    pub watches: usize,
    /// Nodes that are watched.
    pub watched_nodes: usize,
    /// Connections that watch.
    pub watching_connections: usize,
}

impl Machine {
    /// How much there is.
    pub fn summary(&self) -> Summary {
        Summary {
            zxid: self.zxid,
            nodes: self.tree.len(),
            bytes: self.tree.bytes(),
            watch_bytes: self.watches.bytes(),
            ephemerals: self.tree.ephemeral_count(),
            sessions: self.sessions.len(),
            expired_sessions: self.expired_sessions,
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

    /// Sessions with ephemeral nodes, and shared paths of these.
    pub(crate) fn ephemeral_paths(
        &self,
    ) -> impl Iterator<Item = (SessionId, Vec<std::sync::Arc<str>>)> {
        let owners = self.tree.owners();
        owners.map(|(session, paths)| (session, paths.iter().cloned().collect()))
    }

    /// Paths that are watched, and the connections that watch them.
    pub(crate) fn watched(
        &self,
    ) -> impl Iterator<Item = (std::sync::Arc<str>, impl Iterator<Item = ConnectionId>)> {
        self.watches
            .by_path()
            .map(|(path, connections)| (std::sync::Arc::clone(path), connections))
    }
}
