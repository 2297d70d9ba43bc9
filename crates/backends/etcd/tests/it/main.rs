//! What no other backend has: connections, several servers, logins, quotas, and people with
//! etcdctl.

#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod by_hand;
mod campaign;
mod certificates;
mod connections;
mod groups;
mod login;
mod logs;
mod restart;
mod room;
mod several;
mod tls;
mod watch;

use std::time::Duration;

use futures::StreamExt;
use incumbent_backend::{
    Backend, Expected, Failure, Key, Stored, Swapped, Unread, Version, WatchStream,
};
use incumbent_backend_etcd::EtcdBackend;
use tokio::time::timeout;

/// In which all that is waited for must come.
const IN_TIME: Duration = Duration::from_secs(60);

fn open(address: &str) -> EtcdBackend {
    logs::listen();
    EtcdBackend::open(&address.parse().unwrap()).unwrap()
}

/// A prefix that no other test has.
fn base() -> String {
    format!("/it/{:016x}", rand::random::<u64>())
}

fn key(item: &str) -> Key {
    Key::of_item("demo".parse().unwrap(), item).unwrap()
}

/// What is there. A machine that is busy may need several calls.
async fn read(backend: &EtcdBackend, key: &Key) -> Option<Stored> {
    let found = async {
        loop {
            match backend.read(key).await {
                Ok(found) => return found,
                Err(Unread::Unavailable(_)) => {}
                Err(error) => panic!("{error}"),
            }
        }
    };
    timeout(IN_TIME, found).await.expect("it is read")
}

async fn create(backend: &EtcdBackend, key: &Key, body: &[u8]) -> Version {
    match settled(backend, key, Expected::Absent, body).await {
        Swapped::Committed(version) => version,
        Swapped::Conflict => panic!("{key} is there already"),
    }
}

async fn swap(backend: &EtcdBackend, key: &Key, at: &Version, body: &[u8]) -> Swapped {
    settled(backend, key, Expected::At(at), body).await
}

/// A swap that is made until its outcome is known. Nobody else writes the same body meanwhile.
async fn settled(backend: &EtcdBackend, key: &Key, expected: Expected<'_>, body: &[u8]) -> Swapped {
    let mut doubt = false;
    let swapped = async {
        loop {
            match backend.swap(key, expected, body).await {
                Ok(Swapped::Conflict) if doubt => match read(backend, key).await {
                    Some(found) if found.body == body => return Swapped::Committed(found.version),
                    _ => return Swapped::Conflict,
                },
                Ok(swapped) => return swapped,
                Err(Failure::NotApplied(_)) => {}
                Err(Failure::Unknown(_)) => doubt = true,
                Err(error) => panic!("{error}"),
            }
        }
    };
    timeout(IN_TIME, swapped).await.expect("it is settled")
}

/// Takes hints until one of them leads to this body.
async fn leads_to(hints: &mut WatchStream, backend: &EtcdBackend, key: &Key, body: &[u8]) {
    let led = async {
        loop {
            hints.next().await.expect("it never ends");
            let found = backend.read(key).await;
            if found.is_ok_and(|found| found.is_some_and(|found| found.body == body)) {
                return;
            }
        }
    };
    timeout(IN_TIME, led).await.expect("a hint leads to it");
}

/// An error and its causes, as a log shows them.
fn words(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
