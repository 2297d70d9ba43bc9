//! Tests for what is special to ZooKeeper: connections, sessions, logins, and people with zkCli.

#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod by_hand;
mod login;
mod presence;
mod restart;
mod sessions;
mod tls;

use incumbent_backend_zookeeper::ZooKeeperBackend;
use incumbent_conformance::calls::{IN_TIME, create, key, read, swap};
use incumbent_conformance::log;

fn open(address: &str) -> ZooKeeperBackend {
    log::listen();
    ZooKeeperBackend::open(&address.parse().unwrap()).unwrap()
}

/// A directory that no other test uses.
fn base() -> String {
    format!("/it/{:016x}", rand::random::<u64>())
}
