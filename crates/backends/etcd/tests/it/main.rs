//! Tests for what is special to etcd: connections, several servers, logins, quotas, and people with
//! etcdctl.

#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod by_hand;
mod campaign;
mod certificates;
mod connections;
mod groups;
mod login;
mod restart;
mod room;
mod several;
mod tls;
mod watch;

use incumbent_backend_etcd::EtcdBackend;
use incumbent_conformance::calls::{IN_TIME, create, key, leads_to, read, swap};
use incumbent_conformance::log;

fn open(address: &str) -> EtcdBackend {
    log::listen();
    EtcdBackend::open(&address.parse().unwrap()).unwrap()
}

/// A prefix that no other test uses.
fn base() -> String {
    format!("/it/{:016x}", rand::random::<u64>())
}
