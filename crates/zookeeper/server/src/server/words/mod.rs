//! Four-letter words: questions that people and monitors ask with `nc`, as ZooKeeper answers them.

use std::collections::BTreeMap;
use std::fmt::{Display, Write};

use incumbent_zk_proto::jute::LENGTH_BYTES;
use tokio::io::{AsyncWrite, AsyncWriteExt};

use super::connection::End;
use super::hub::{Hub, Peer};
use crate::machine::{ConnectionId, Machine};

/// All words.
const WORDS: &[&str] = &[
    "conf", "cons", "crst", "dirs", "dump", "envi", "isro", "mntr", "ruok", "srst", "srvr", "stat",
    "wchc", "wchp", "wchs",
];

/// The version of ZooKeeper whose protocol this is: clients and monitors look at it.
const VERSION: &str = concat!("3.9.0-incumbent-", env!("CARGO_PKG_VERSION"));

/// The word that the first bytes of a connection are, if they are one.
pub(super) fn parse(first: [u8; LENGTH_BYTES]) -> Option<String> {
    let word = std::str::from_utf8(&first).ok()?;
    WORDS.contains(&word).then(|| word.to_owned())
}

/// Answers, and is done.
pub(super) async fn answer(
    hub: &Hub,
    word: &str,
    stream: &mut (impl AsyncWrite + Unpin),
) -> Result<(), End> {
    let answer = match hub.options.answers(word) {
        true => say(hub, word),
        false => format!("{word} is not executed because it is not in the whitelist.\n"),
    };
    let sent = async {
        stream.write_all(answer.as_bytes()).await?;
        stream.shutdown().await
    };
    let timeout = hub.options.greeting_timeout;
    match tokio::time::timeout(timeout, sent).await {
        Ok(sent) => Ok(sent?),
        Err(_) => Err(End::Silent(timeout)),
    }
}

/// Lines of an answer.
#[derive(Default)]
struct Lines(String);

impl Lines {
    fn line(&mut self, line: impl Display) {
        writeln!(self.0, "{line}").expect("a string takes everything");
    }

    fn field(&mut self, separator: &str, name: &str, value: impl Display) {
        self.line(format_args!("{name}{separator}{value}"));
    }
}

fn say(hub: &Hub, word: &str) -> String {
    let mut lines = Lines::default();
    match word {
        "ruok" => return "imok".into(),
        "isro" => return "rw".into(),
        "conf" => conf(hub, &mut lines),
        "cons" => {
            let state = hub.state();
            for (connection, peer) in sorted(&state.peers) {
                let full = full(&state.machine, connection, peer);
                lines.line(format_args!(" {full}"));
            }
            lines.line("");
        }
        "crst" => {
            for peer in hub.state().peers.values() {
                peer.counts.reset();
            }
            lines.line("Connection stats reset.");
        }
        "srst" => {
            hub.stats.reset();
            lines.line("Server stats reset.");
        }
        "dirs" => {
            let size = hub.options.data_dir.as_deref().map_or(0, directory_size);
            lines.field(": ", "datadir_size", size);
            lines.field(": ", "logdir_size", size);
        }
        "dump" => dump(&hub.state().machine, &mut lines),
        "envi" => {
            lines.line("Environment:");
            lines.field("=", "zookeeper.version", VERSION);
            lines.field("=", "os.name", std::env::consts::OS);
            lines.field("=", "os.arch", std::env::consts::ARCH);
        }
        "mntr" => mntr(hub, &mut lines),
        "srvr" => srvr(hub, &mut lines),
        "stat" => {
            lines.field(": ", "Zookeeper version", VERSION);
            lines.line("Clients:");
            for (_, peer) in sorted(&hub.state().peers) {
                lines.line(format_args!(" {}", brief(peer)));
            }
            lines.line("");
            counts(hub, &mut lines);
        }
        "wchs" => {
            let summary = hub.state().machine.summary();
            let (connections, paths) = (summary.watching_connections, summary.watched_nodes);
            lines.line(format_args!(
                "{connections} connections watching {paths} paths"
            ));
            lines.field(":", "Total watches", summary.watches);
        }
        "wchp" => {
            let state = hub.state();
            for (path, connections) in state.machine.watched_paths() {
                lines.line(path);
                for connection in connections {
                    lines.line(format_args!("\t{}", session(&state.machine, connection)));
                }
            }
        }
        "wchc" => {
            let state = hub.state();
            let mut by_session: BTreeMap<String, Vec<&str>> = BTreeMap::new();
            for (path, connections) in state.machine.watched_paths() {
                for connection in connections {
                    let session = session(&state.machine, connection);
                    by_session.entry(session).or_default().push(path);
                }
            }
            for (session, paths) in by_session {
                lines.line(session);
                for path in paths {
                    lines.line(format_args!("\t{path}"));
                }
            }
        }
        _ => {}
    }
    lines.0
}

fn conf(hub: &Hub, lines: &mut Lines) {
    let options = &hub.options;
    let port = options.listen.first().map_or(0, std::net::SocketAddr::port);
    lines.field("=", "clientPort", port);
    if let Some((address, _)) = &options.tls {
        lines.field("=", "secureClientPort", address.port());
    }
    let dir = options.data_dir.as_deref();
    let dir = dir.map_or("(in memory)".into(), |dir| dir.display().to_string());
    lines.field("=", "dataDir", &dir);
    lines.field("=", "dataLogDir", &dir);
    let most = options.max_connections_per_address;
    lines.field("=", "maxClientCnxns", most);
    let machine = &options.machine;
    let (least, most) = (machine.min_session_timeout, machine.max_session_timeout);
    // There are no ticks; ZooKeeper's shortest time-out is two of them.
    lines.field("=", "tickTime", (least / 2).as_millis());
    lines.field("=", "minSessionTimeout", least.as_millis());
    lines.field("=", "maxSessionTimeout", most.as_millis());
    if let Some(grace) = machine.disconnect_grace {
        lines.field("=", "disconnectGrace", grace.as_millis());
    }
    lines.field("=", "jute.maxbuffer", options.max_frame);
    lines.field("=", "serverId", 0);
}

fn dump(machine: &Machine, lines: &mut Lines) {
    let sessions = machine.sessions();
    lines.line("SessionTracker dump:");
    lines.line(format_args!("Session Sets ({})/({}):", 1, sessions.len()));
    for (session, timeout, _) in sessions {
        lines.line(format_args!("\t{session}\t{}ms", timeout.as_millis()));
    }
    let mut owners: Vec<_> = machine.ephemeral_owners().collect();
    owners.sort_unstable();
    lines.line("ephemeral nodes dump:");
    lines.line(format_args!("Sessions with Ephemerals ({}):", owners.len()));
    for (session, paths) in owners {
        lines.line(format_args!("{session}:"));
        for path in paths {
            lines.line(format_args!("\t{path}"));
        }
    }
}

fn mntr(hub: &Hub, lines: &mut Lines) {
    let (summary, connections) = {
        let state = hub.state();
        (state.machine.summary(), state.peers.len())
    };
    let latency = hub.stats.latency();
    let mut field = |name: &str, value: &dyn Display| {
        lines.field("\t", &format!("zk_{name}"), value);
    };
    field("version", &VERSION);
    field("server_state", &"standalone");
    field("avg_latency", &format_args!("{:.4}", latency.average));
    field("max_latency", &latency.most);
    field("min_latency", &latency.least);
    field("packets_received", &hub.stats.received());
    field("packets_sent", &hub.stats.sent());
    field("num_alive_connections", &connections);
    field("outstanding_requests", &hub.stats.outstanding());
    field("znode_count", &summary.nodes);
    field("watch_count", &summary.watches);
    field("ephemerals_count", &summary.ephemerals);
    field("approximate_data_size", &summary.bytes);
    field("global_sessions", &summary.sessions);
    field("last_processed_zxid", &format_args!("0x{:x}", summary.zxid));
    field("uptime", &hub.now().elapsed.as_millis());
}

fn srvr(hub: &Hub, lines: &mut Lines) {
    lines.field(": ", "Zookeeper version", VERSION);
    counts(hub, lines);
}

fn counts(hub: &Hub, lines: &mut Lines) {
    let (summary, connections) = {
        let state = hub.state();
        (state.machine.summary(), state.peers.len())
    };
    let latency = hub.stats.latency();
    let (least, average, most) = (latency.least, latency.average, latency.most);
    lines.line(format_args!(
        "Latency min/avg/max: {least}/{average:.4}/{most}"
    ));
    lines.field(": ", "Received", hub.stats.received());
    lines.field(": ", "Sent", hub.stats.sent());
    lines.field(": ", "Connections", connections);
    lines.field(": ", "Outstanding", hub.stats.outstanding());
    lines.field(": ", "Zxid", format_args!("0x{:x}", summary.zxid));
    lines.field(": ", "Mode", "standalone");
    lines.field(": ", "Node count", summary.nodes);
}

fn session(machine: &Machine, connection: ConnectionId) -> String {
    machine
        .session_of(connection)
        .map_or_else(|| "no session".into(), |session| session.to_string())
}

fn sorted(peers: &std::collections::HashMap<ConnectionId, Peer>) -> BTreeMap<ConnectionId, &Peer> {
    peers.iter().map(|(id, peer)| (*id, peer)).collect()
}

fn brief(peer: &Peer) -> String {
    let counts = &peer.counts;
    format!(
        "/{}[{}](queued={},recved={},sent={})",
        peer.address,
        u8::from(!peer.secure),
        counts.outstanding(),
        counts.received(),
        counts.sent(),
    )
}

fn full(machine: &Machine, connection: ConnectionId, peer: &Peer) -> String {
    let since = peer.since.duration_since(std::time::SystemTime::UNIX_EPOCH);
    let since = since.map_or(0, |since| since.as_millis());
    let latency = peer.counts.latency();
    let brief = brief(peer);
    let brief = brief.trim_end_matches(')');
    let timeout = machine.timeout_of(connection).unwrap_or_default();
    format!(
        "{brief},sid={},est={since},to={},minlat={},avglat={:.0},maxlat={})",
        session(machine, connection),
        timeout.as_millis(),
        latency.least,
        latency.average,
        latency.most,
    )
}

fn directory_size(dir: &std::path::Path) -> u64 {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    let sizes = entries.filter_map(|entry| entry.metadata().ok());
    sizes.map(|metadata| metadata.len()).sum()
}
