//! Connections that are silent, lost, or come back too late.

use std::time::Duration;

use futures::StreamExt;
use incumbent_backend::{Backend, Expected, Failure, Swapped, WatchStream};
use incumbent_backend_zookeeper::ZooKeeperBackend;
use incumbent_servers::zookeeper::{Options, ZooKeeper};
use tokio::time::timeout;

use crate::{IN_TIME, base, create, key, open, read, swap};
use incumbent_conformance::outages::{a_flapping_server_is_left_alone, a_lost_answer_is_unknown};
use incumbent_servers::{Mode, Proxy};

/// A server that checks often for expired sessions, and a proxy in front of it.
async fn far_server() -> Option<(ZooKeeper, Proxy)> {
    let server = ZooKeeper::start(Options::default().config("tickTime=100"))?;
    let proxy = Proxy::to(server.socket()).await;
    Some((server, proxy))
}

fn through(proxy: &Proxy, base: &str, options: &str) -> ZooKeeperBackend {
    open(&format!("zookeeper://{}{base}?{options}", proxy.address()))
}

/// Takes hints until one of them leads to this body.
async fn leads_to(hints: &mut WatchStream, backend: &ZooKeeperBackend, body: &[u8]) {
    let led = async {
        loop {
            hints.next().await.expect("it never ends");
            let found = backend.read(&key("a")).await;
            if found.is_ok_and(|found| found.is_some_and(|found| found.body == body)) {
                return;
            }
        }
    };
    timeout(IN_TIME, led).await.expect("a hint leads to it");
}

#[tokio::test]
async fn an_expired_session_is_replaced_and_its_watches_too() {
    for watch in ["any", "nodes"] {
        let Some((server, proxy)) = far_server().await else {
            return;
        };
        let base = base();
        let near = open(&format!("zookeeper://{}{base}", server.address()));
        let far = through(
            &proxy,
            &base,
            &format!("session-timeout=600ms&watch={watch}"),
        );
        let first = create(&near, &key("a"), b"1").await;
        let mut hints = far.watch(key("a").group());
        leads_to(&mut hints, &far, b"1").await;
        let before = sessions(&server);
        proxy.set(Mode::Stalled);
        timeout(IN_TIME, async {
            // The near session stays: its heartbeats are far more frequent.
            while sessions(&server).len() > 1 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        })
        .await
        .expect("the session expires");
        let Swapped::Committed(_) = swap(&near, &key("a"), &first, b"2").await else {
            panic!("nobody else writes");
        };
        proxy.set(Mode::Open);
        leads_to(&mut hints, &far, b"2").await;
        let after = sessions(&server);
        assert_eq!(after.iter().filter(|id| before.contains(id)).count(), 1);
        let second = read(&near, &key("a")).await.unwrap().version;
        let Swapped::Committed(_) = swap(&far, &key("a"), &second, b"3").await else {
            panic!("nobody else writes");
        };
        leads_to(&mut hints, &far, b"3").await;
    }
}

/// The IDs of the server's sessions, without the one that asks.
fn sessions(server: &ZooKeeper) -> Vec<String> {
    let dump = server.ask("dump").unwrap();
    let ids = dump
        .lines()
        .filter_map(|line| line.trim().strip_prefix("0x"));
    // The sessions with ephemeral nodes are listed a second time below.
    ids.map(|id| id.trim_end_matches(':').to_owned()).collect()
}

#[tokio::test]
async fn an_answer_that_is_lost_is_unknown_and_the_write_may_have_happened() {
    let Some((_server, proxy)) = far_server().await else {
        return;
    };
    for silent in [true, false] {
        let backend = through(&proxy, &base(), "session-timeout=4s");
        let cut = (!silent).then_some(|| proxy.cut());
        let (mute, open) = (|| proxy.set(Mode::Mute), || proxy.set(Mode::Open));
        a_lost_answer_is_unknown(&backend, mute, cut, open).await;
    }
}

#[tokio::test]
async fn a_connection_that_is_cut_costs_nothing_that_was_asked_later() {
    let Some((_server, proxy)) = far_server().await else {
        return;
    };
    let backend = through(&proxy, &base(), "");
    let mut version = create(&backend, &key("a"), b"").await;
    for _ in 0..20 {
        proxy.cut();
        let swapped = backend.swap(&key("a"), Expected::At(&version), b"").await;
        version = match swapped {
            Ok(Swapped::Committed(version)) => version,
            Err(Failure::Unknown(_)) => read_soon(&backend).await,
            other => panic!("{other:?}"),
        };
    }
}

/// Reads until it succeeds, since the loss may not have been noticed yet.
async fn read_soon(backend: &ZooKeeperBackend) -> incumbent_backend::Version {
    let found = async {
        loop {
            if let Ok(found) = backend.read(&key("a")).await {
                return found.expect("it was created").version;
            }
        }
    };
    timeout(IN_TIME, found).await.expect("it is there")
}

#[tokio::test]
async fn a_server_that_drops_each_connection_is_not_asked_without_a_pause() {
    let Some((_server, proxy)) = far_server().await else {
        return;
    };
    let backend = through(&proxy, &base(), "");
    let hints = backend.watch(key("a").group());
    a_flapping_server_is_left_alone(hints, || proxy.cut()).await;
}
