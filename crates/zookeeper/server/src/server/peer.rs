//! A connection, as the hub knows it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::SystemTime;

use super::outbound::Outbound;
use super::stats::Stats;

/// A connection, as other tasks see it.
pub(super) struct Peer {
    pub(super) address: SocketAddr,
    pub(super) secure: bool,
    pub(super) outbound: Arc<Outbound>,
    pub(super) counts: Arc<Stats>,
    pub(super) since: SystemTime,
}
