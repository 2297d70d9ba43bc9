//! One watch for all groups, and its recovery when the servers compact.

use std::time::Duration;

use futures::{StreamExt, stream};
use incumbent_backend::{Backend, Erased, Key, Swapped, Version, WatchStream};
use incumbent_backend_etcd::EtcdBackend;
use incumbent_servers::etcd::{Etcd, Options};
use tokio::time::timeout;

use crate::{IN_TIME, create, key, leads_to, open, read, swap};
use incumbent_conformance::log::Log;
use incumbent_servers::{Mode, Proxy};

#[tokio::test]
async fn one_watch_serves_all_groups_and_clones_and_ends_with_the_last_listener() {
    let Some(server) = Etcd::start(Options::default()) else {
        return;
    };
    let backend = open(&format!("etcd://{}", server.address()));
    let watchers = || server.metric("etcd_debugging_mvcc_watcher_total");
    let keys: Vec<_> = (0..20)
        .map(|n| Key::root(format!("group{n}").parse().unwrap()))
        .collect();
    let mut listeners = Vec::new();
    for key in &keys {
        let backend = backend.clone();
        create(&backend, key, b"1").await;
        let mut hints = backend.watch(key.group());
        // A listener that joins a running watch receives only later changes.
        let version = read(&backend, key).await.unwrap().version;
        let Swapped::Committed(_) = swap(&backend, key, &version, b"2").await else {
            panic!("nobody else writes");
        };
        leads_to(&mut hints, &backend, key, b"2").await;
        listeners.push(hints);
    }
    assert_eq!(watchers(), Some(1.0));
    drop(listeners);
    let ended = async {
        while watchers() != Some(0.0) {
            tokio::task::yield_now().await;
        }
    };
    timeout(IN_TIME, ended).await.expect("it ends");
    let mut hints = backend.watch(keys[0].group());
    leads_to(&mut hints, &backend, &keys[0], b"2").await;
}

#[tokio::test]
async fn hints_name_what_was_written_and_what_was_removed() {
    let Some(server) = Etcd::start(Options::default()) else {
        return;
    };
    let backend = open(&format!("etcd://{}", server.address()));
    let key = key("jobs/17");
    let mut hints = backend.watch(key.group());
    let mut next = async || {
        timeout(IN_TIME, hints.next())
            .await
            .expect("it comes")
            .unwrap()
    };
    assert_eq!(
        next().await.key,
        None,
        "the first one says that all may have changed"
    );
    let version = create(&backend, &key, b"1").await;
    let hint = next().await;
    assert_eq!(
        (hint.key, hint.version),
        (Some(key.clone()), Some(version.clone()))
    );
    assert_eq!(backend.erase(&key, &version).await.unwrap(), Erased::Gone);
    let hint = next().await;
    assert_eq!((hint.key, hint.version), (Some(key), None));
}

/// Servers before 3.4.31 and 3.5.13 do not always report that they compacted events away, and
/// continue with later ones (etcd issue 17529). Then nothing hints at the missing events until the
/// next write.
const ROUNDS: u64 = 10;

/// When the watch is far behind, the server has no room left for the unsent events, and then
/// compaction removes them.
#[tokio::test]
async fn a_watch_whose_past_is_compacted_begins_again() {
    let Some(server) = Etcd::start(Options::default()) else {
        return;
    };
    let (log, _guard) = Log::begin_at(tracing::Level::DEBUG, "incumbent_backend_etcd");
    let proxy = Proxy::to(server.socket()).await;
    let near = open(&format!("etcd://{}", server.address()));
    let far = open(&format!("etcd://{}", proxy.address()));
    let key = key("a");
    let mut version = create(&near, &key, b"0").await;
    let mut hints = far.watch(key.group());
    leads_to(&mut hints, &far, &key, b"0").await;
    for round in 1..=ROUNDS {
        proxy.set(Mode::Stalled);
        fall_behind(&server, &near, round).await;
        let revision = |version: &Version| version.as_str().split_once(':').unwrap().1.to_owned();
        version = replace(&near, &key, &version).await;
        let compacted = server.ctl(&["compaction", &revision(&version)]);
        compacted.unwrap();
        proxy.set(Mode::Open);
        let told = async {
            loop {
                version = replace(&near, &key, &version).await;
                if leads_past(&mut hints, &version).await {
                    return;
                }
            }
        };
        timeout(IN_TIME, told).await.expect("it goes on");
        let forgotten = |line: &String| line.contains("has forgotten what was before");
        if log.lines().iter().any(forgotten) {
            return;
        }
    }
    panic!("the server never said so: {:#?}", log.lines());
}

/// Whether a hint of this write, or of a new watch, comes soon.
async fn leads_past(hints: &mut WatchStream, version: &Version) -> bool {
    let told = async {
        loop {
            let hint = hints.next().await.expect("it never ends");
            if hint.key.is_none() || hint.version.as_ref() == Some(version) {
                return;
            }
        }
    };
    timeout(Duration::from_secs(2), told).await.is_ok()
}

/// Writes more than a connection holds, and then more than the server keeps for a slow watch.
async fn fall_behind(server: &Etcd, near: &EtcdBackend, round: u64) {
    let large = vec![b'x'; near.limits().largest_body];
    for n in 0..6 {
        create(near, &key(&format!("large/{round}/{n}")), &large).await;
    }
    let mut small = 0..;
    while server.metric("etcd_debugging_mvcc_slow_watcher_total") < Some(1.0) {
        stream::iter(small.by_ref().take(500))
            .for_each_concurrent(64, |n| async move {
                create(near, &key(&format!("small/{round}/{n}")), b"").await;
            })
            .await;
    }
}

async fn replace(backend: &EtcdBackend, key: &Key, version: &Version) -> Version {
    match swap(backend, key, version, b"1").await {
        Swapped::Committed(version) => version,
        Swapped::Conflict => panic!("nobody else writes"),
    }
}
