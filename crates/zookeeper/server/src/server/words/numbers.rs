//! Words that are answered by numbers.

use std::fmt::Display;
use std::path::PathBuf;

use rustix::process::{Resource, getrlimit};

use super::super::hub::Hub;
use super::super::stats::Latency;
use super::{Lines, VERSION};

/// ZooKeeper counts the root twice: its map has it under `/` and under the empty path.
const ROOT_AGAIN: usize = 1;

/// How the server is configured.
pub(super) fn conf(hub: &Hub, lines: &mut Lines) {
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

/// How large the data directory is.
pub(super) async fn dirs(hub: &Hub, lines: &mut Lines) {
    let dir = hub.options.data_dir.clone();
    // A network file system may take its time.
    let size = tokio::task::spawn_blocking(move || dir.map_or(0, directory_size)).await;
    let size = size.unwrap_or(0);
    lines.field(": ", "datadir_size", size);
    lines.field(": ", "logdir_size", size);
}

/// What monitors ask for. The names are those of ZooKeeper 3.9, where it has the same.
pub(super) async fn mntr(hub: &Hub, lines: &mut Lines) {
    let (summary, connections) = {
        let state = hub.state();
        (state.machine.summary(), state.peers.len())
    };
    let open = tokio::task::spawn_blocking(open_descriptors).await;
    let (stats, meters) = (&hub.stats, &hub.meters);
    let latency = stats.latency();
    let mut field = |name: &str, value: &dyn Display| {
        lines.field("\t", &format!("zk_{name}"), value);
    };
    field("version", &VERSION);
    field("server_state", &"standalone");
    field("avg_latency", &format_args!("{:.4}", latency.average));
    field("max_latency", &latency.most);
    field("min_latency", &latency.least);
    field("packets_received", &stats.received());
    field("packets_sent", &stats.sent());
    field("num_alive_connections", &connections);
    field("outstanding_requests", &stats.outstanding());
    field("znode_count", &(summary.nodes + ROOT_AGAIN));
    field("watch_count", &summary.watches);
    field("ephemerals_count", &summary.ephemerals);
    field("approximate_data_size", &summary.bytes);
    field("global_sessions", &summary.sessions);
    field("local_sessions", &0);
    field("last_processed_zxid", &summary.zxid);
    field("uptime", &hub.now().elapsed.as_millis());
    // Where the system does not tell, there is no number.
    if let Some(open) = open.ok().flatten() {
        field("open_file_descriptor_count", &open);
    }
    if let Some(most) = getrlimit(Resource::Nofile).current {
        field("max_file_descriptor_count", &most);
    }
    field("connection_request_count", &meters.connections.get());
    field("connection_rejected", &meters.rejected.get());
    field("sessionless_connections_expired", &meters.silent.get());
    field("unsuccessful_handshake", &meters.bad_handshakes.get());
    field("auth_failed_count", &meters.auth_failures.get());
    field("stale_sessions_expired", &summary.expired_sessions);
    field("bytes_received_count", &meters.bytes_received.get());
    field("response_bytes", &meters.reply_bytes.get());
    field("watch_bytes", &meters.event_bytes.get());
    let mut durations = |name: &str, latency: Latency| {
        field(
            &format!("avg_{name}"),
            &format_args!("{:.4}", latency.average),
        );
        field(&format!("min_{name}"), &latency.least);
        field(&format!("max_{name}"), &latency.most);
        field(&format!("cnt_{name}"), &latency.count);
        field(&format!("sum_{name}"), &latency.total);
    };
    durations("readlatency", meters.reads.shown());
    durations("updatelatency", meters.updates.shown());
    let syncs = hub.journal().map(|journal| journal.syncs());
    let us =
        |duration: std::time::Duration| u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
    let syncs = syncs.map_or_else(Latency::default, |syncs| {
        let (total, least, most) = (us(syncs.total), us(syncs.shortest), us(syncs.longest));
        Latency::of(syncs.count, total, least, most)
    });
    durations("fsynctime", syncs);
}

/// The server in a few lines.
pub(super) fn srvr(hub: &Hub, lines: &mut Lines) {
    lines.field(": ", "Zookeeper version", VERSION);
    counts(hub, lines);
}

/// What `srvr` and `stat` say after the version.
pub(super) fn counts(hub: &Hub, lines: &mut Lines) {
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
    lines.field(": ", "Node count", summary.nodes + ROOT_AGAIN);
}

/// How many watches there are.
pub(super) fn wchs(hub: &Hub, lines: &mut Lines) {
    let summary = hub.state().machine.summary();
    let (connections, paths) = (summary.watching_connections, summary.watched_nodes);
    lines.line(format_args!(
        "{connections} connections watching {paths} paths"
    ));
    lines.field(":", "Total watches", summary.watches);
}

fn open_descriptors() -> Option<usize> {
    Some(std::fs::read_dir("/proc/self/fd").ok()?.count())
}

fn directory_size(dir: PathBuf) -> u64 {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    let sizes = entries.filter_map(|entry| entry.metadata().ok());
    sizes.map(|metadata| metadata.len()).sum()
}
