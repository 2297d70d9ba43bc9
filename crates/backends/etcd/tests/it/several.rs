//! Three servers, one of which is lost.

use std::sync::Arc;

use futures::StreamExt;
use incumbent_backend::{Backend, Expected, Failure, Swapped};
use incumbent_servers::etcd::{Cluster, Etcd, Options};
use tokio::time::timeout;

use crate::{IN_TIME, create, key, leads_to, open, read, swap};
use incumbent_conformance::log::Log;

/// The server that a backend with this address tries first, and the address.
fn first(servers: &Cluster) -> (&Etcd, String) {
    let address = format!("etcd://{}/it?timeout=3s", servers.addresses());
    (&servers[0], address)
}

#[tokio::test]
async fn a_server_that_is_killed_is_left_for_another_one_and_the_watch_goes_on() {
    let Some(servers) = Cluster::start(3, Options::default()) else {
        return;
    };
    let (server, address) = first(&servers);
    let backend = open(&address);
    let key = key("a");
    let first = create(&backend, &key, b"1").await;
    let mut hints = backend.watch(key.group());
    leads_to(&mut hints, &backend, &key, b"1").await;
    server.kill();
    let Swapped::Committed(second) = swap(&backend, &key, &first, b"2").await else {
        panic!("nobody else writes");
    };
    assert_ne!(first, second);
    leads_to(&mut hints, &backend, &key, b"2").await;
    assert_eq!(read(&backend, &key).await.unwrap().version, second);
}

#[tokio::test]
async fn a_server_that_is_stopped_is_left_for_another_one() {
    let Some(servers) = Cluster::start(3, Options::default()) else {
        return;
    };
    let (server, address) = first(&servers);
    let backend = open(&address);
    let key = key("a");
    let first = create(&backend, &key, b"1").await;
    server.pause();
    let swapped = backend.swap(&key, Expected::At(&first), b"2").await;
    assert!(matches!(swapped, Err(Failure::Unknown(_))), "{swapped:?}");
    // The others may have to elect a leader.
    let found = read(&backend, &key).await.unwrap();
    assert!(found.body == b"1" || found.body == b"2");
    server.resume();
}

/// Without a majority of the servers nothing can be written. A request that was already sent may
/// take effect when they come back.
#[tokio::test]
async fn without_most_servers_a_write_is_unknown_or_not_applied_and_never_committed() {
    let Some(servers) = Cluster::start(3, Options::default()) else {
        return;
    };
    let (_, address) = first(&servers);
    let (log, _guard) = Log::begin("incumbent_backend_etcd");
    let backend = open(&address);
    let mut hints = backend.watch(key("a").group());
    let key = key("a");
    let version = create(&backend, &key, b"1").await;
    servers[1].kill();
    servers[2].kill();
    for _ in 0..3 {
        let swapped = timeout(IN_TIME, backend.swap(&key, Expected::At(&version), b"2")).await;
        let swapped = swapped.expect("it ends");
        assert!(
            matches!(swapped, Err(Failure::Unknown(_) | Failure::NotApplied(_))),
            "{swapped:?}"
        );
        // Reads are linearizable: the remaining server must not answer from its own memory.
        assert!(backend.read(&key).await.is_err());
    }
    // The remaining server still accepts connections, which must not be logged as a recovery.
    let lines = log.lines();
    assert_eq!(lines.len(), 2, "{lines:#?}");
    servers[1].restart();
    read(&backend, &key).await.expect("it was created");
    let hint = timeout(IN_TIME, async {
        loop {
            let hint = hints.next().await.expect("it never ends");
            if hint.key.is_none() && log.lines().len() == 3 {
                return hint;
            }
        }
    });
    hint.await.expect("the watch is there again");
}

/// With no call running, the watch alone finds that its server is cut off from the others, and
/// moves to another one.
#[tokio::test]
async fn a_watch_leaves_a_server_that_has_no_leader() {
    let Some(servers) = Cluster::start(3, Options::default()) else {
        return;
    };
    let servers = Arc::new(servers);
    let addresses: Vec<_> = servers.iter().map(Etcd::address).collect();
    // The first address is of the server that stays and loses the others.
    let backend = open(&format!("etcd://{}/it", addresses.join(",")));
    let key = key("a");
    create(&backend, &key, b"1").await;
    let mut hints = backend.watch(key.group());
    leads_to(&mut hints, &backend, &key, b"1").await;
    servers[1].kill();
    servers[2].kill();
    // The server reports that it has no leader, and the watch ends. When it has a leader again, a
    // new watch begins with a hint.
    let restarted = tokio::task::spawn_blocking({
        let servers = Arc::clone(&servers);
        move || {
            // Longer than the servers take to notice that their leader is gone.
            std::thread::park_timeout(std::time::Duration::from_secs(3));
            std::thread::scope(|scope| {
                scope.spawn(|| servers[1].restart());
                scope.spawn(|| servers[2].restart());
            });
        }
    });
    let hint = timeout(IN_TIME, hints.next()).await.expect("it comes");
    assert_eq!(hint.unwrap().key, None);
    restarted.await.unwrap();
}
