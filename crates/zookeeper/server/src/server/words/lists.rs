//! Words that are answered by a list: of connections, of sessions, of watches.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::super::hub::Hub;
use super::super::stats::Stats;
use super::Lines;
use crate::machine::{ConnectionId, SessionId};

/// A connection, as it was when the lock was held.
struct Shown {
    connection: ConnectionId,
    address: SocketAddr,
    secure: bool,
    since: SystemTime,
    counts: Arc<Stats>,
    /// Its session and the time-out of that, if it has one.
    session: Option<(SessionId, Duration)>,
}

/// All connections, the oldest first.
fn connections(hub: &Hub) -> Vec<Shown> {
    let mut all: Vec<_> = {
        let state = hub.state();
        let machine = &state.machine;
        let shown = state.peers.iter().map(|(connection, peer)| Shown {
            connection: *connection,
            address: peer.address,
            secure: peer.secure,
            since: peer.since,
            counts: Arc::clone(&peer.counts),
            session: machine
                .session_of(*connection)
                .zip(machine.timeout_of(*connection)),
        });
        shown.collect()
    };
    all.sort_unstable_by_key(|shown| shown.connection);
    all
}

impl Shown {
    /// What `stat` shows of it, without the bracket at its end.
    fn brief(&self) -> String {
        let counts = &self.counts;
        format!(
            " /{}[{}](queued={},recved={},sent={}",
            self.address,
            // ZooKeeper shows what it waits for on the socket: to read, from a client.
            u8::from(!self.secure && self.session.is_some()),
            counts.outstanding(),
            counts.received(),
            counts.sent(),
        )
    }
}

/// The connections with the sessions they have.
pub(super) fn cons(hub: &Hub, lines: &mut Lines) {
    for shown in connections(hub) {
        let brief = shown.brief();
        let Some((session, timeout)) = shown.session else {
            lines.line(format_args!("{brief})"));
            continue;
        };
        let since = shown.since.duration_since(SystemTime::UNIX_EPOCH);
        let since = since.map_or(0, |since| since.as_millis());
        let latency = shown.counts.latency();
        lines.line(format_args!(
            "{brief},sid={session},est={since},to={},minlat={},avglat={:.0},maxlat={})",
            timeout.as_millis(),
            latency.least,
            latency.average,
            latency.most,
        ));
    }
    lines.line("");
}

/// The connections in short.
pub(super) fn clients(hub: &Hub, lines: &mut Lines) {
    for shown in connections(hub) {
        lines.line(format_args!("{})", shown.brief()));
    }
}

/// The sessions and their ephemeral nodes.
pub(super) fn dump(hub: &Hub, lines: &mut Lines) {
    let (sessions, mut owners) = {
        let state = hub.state();
        let sessions: Vec<_> = state.machine.sessions().collect();
        let owners: Vec<_> = state.machine.ephemeral_paths().collect();
        (sessions, owners)
    };
    owners.sort_unstable();
    lines.line("SessionTracker dump:");
    lines.line(format_args!("Session Sets ({})/({}):", 1, sessions.len()));
    for (session, timeout, _) in sessions {
        lines.line(format_args!("\t{session}\t{}ms", timeout.as_millis()));
    }
    lines.line("ephemeral nodes dump:");
    lines.line(format_args!("Sessions with Ephemerals ({}):", owners.len()));
    for (session, paths) in owners {
        lines.line(format_args!("{session}:"));
        for path in paths {
            lines.line(format_args!("\t{path}"));
        }
    }
}

/// Paths that are watched, and the sessions that watch them.
fn watched(hub: &Hub) -> Vec<(Arc<str>, Vec<SessionId>)> {
    let state = hub.state();
    let machine = &state.machine;
    let watched = machine.watched().map(|(path, connections)| {
        let sessions = connections.filter_map(|connection| machine.session_of(connection));
        (path, sessions.collect())
    });
    watched.collect()
}

/// Watches by path.
pub(super) fn wchp(hub: &Hub, lines: &mut Lines) {
    for (path, sessions) in watched(hub) {
        lines.line(path);
        for session in sessions {
            lines.line(format_args!("\t{session}"));
        }
    }
}

/// Watches by session.
pub(super) fn wchc(hub: &Hub, lines: &mut Lines) {
    let mut by_session: BTreeMap<SessionId, Vec<Arc<str>>> = BTreeMap::new();
    for (path, sessions) in watched(hub) {
        for session in sessions {
            by_session
                .entry(session)
                .or_default()
                .push(Arc::clone(&path));
        }
    }
    for (session, paths) in by_session {
        lines.line(session);
        for path in paths {
            lines.line(format_args!("\t{path}"));
        }
    }
}
