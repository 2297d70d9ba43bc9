//! What no other backend has: connections, sessions, logins, and people with zkCli.

#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod by_hand;
mod login;
mod logs;
mod presence;
mod restart;
mod sessions;
mod tls;

use std::time::Duration;

use incumbent_backend::{Backend, Expected, Failure, Key, Stored, Swapped, Unread, Version};
use incumbent_backend_zookeeper::ZooKeeperBackend;
use tokio::time::timeout;

/// In which all that is waited for must come.
const IN_TIME: Duration = Duration::from_secs(60);

fn open(address: &str) -> ZooKeeperBackend {
    logs::listen();
    ZooKeeperBackend::open(&address.parse().unwrap()).unwrap()
}

/// A directory that no other test has.
fn base() -> String {
    format!("/it/{:016x}", rand::random::<u64>())
}

fn key(item: &str) -> Key {
    Key::of_item("demo".parse().unwrap(), item).unwrap()
}

/// What is there. A machine that is busy may need several calls.
async fn read(backend: &ZooKeeperBackend, key: &Key) -> Option<Stored> {
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

async fn create(backend: &ZooKeeperBackend, key: &Key, body: &[u8]) -> Version {
    match settled(backend, key, Expected::Absent, body).await {
        Swapped::Committed(version) => version,
        Swapped::Conflict => panic!("{key} is there already"),
    }
}

async fn swap(backend: &ZooKeeperBackend, key: &Key, at: &Version, body: &[u8]) -> Swapped {
    settled(backend, key, Expected::At(at), body).await
}

/// A swap that is made until its outcome is known. Nobody else writes the same body meanwhile.
async fn settled(
    backend: &ZooKeeperBackend,
    key: &Key,
    expected: Expected<'_>,
    body: &[u8],
) -> Swapped {
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
