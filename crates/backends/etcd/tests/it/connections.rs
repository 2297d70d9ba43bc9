//! Connections that are silent, lost, or answer too late.

use std::time::Duration;

use incumbent_backend::{Backend, Expected, Failure, Swapped};
use incumbent_backend_etcd::EtcdBackend;
use incumbent_servers::etcd::Etcd;
use tokio::time::timeout;

use crate::{IN_TIME, base, create, key, leads_to, open, read, swap};
use incumbent_conformance::outages::{a_flapping_server_is_left_alone, a_lost_answer_is_unknown};
use incumbent_servers::{Mode, Proxy};

fn through(proxy: &Proxy, base: &str, options: &str) -> EtcdBackend {
    open(&format!("etcd://{}{base}?{options}", proxy.address()))
}

#[tokio::test]
async fn an_answer_that_is_lost_is_unknown_and_the_write_may_have_happened() {
    let Some(server) = Etcd::shared() else { return };
    let proxy = Proxy::to(server.socket()).await;
    for silent in [true, false] {
        let backend = through(&proxy, &base(), "timeout=2s");
        let cut = (!silent).then_some(|| proxy.cut());
        let (mute, open) = (|| proxy.set(Mode::Mute), || proxy.set(Mode::Open));
        a_lost_answer_is_unknown(&backend, mute, cut, open).await;
    }
}

#[tokio::test]
async fn a_connection_that_is_cut_costs_nothing_that_was_asked_later() {
    let Some(server) = Etcd::shared() else { return };
    let proxy = Proxy::to(server.socket()).await;
    let backend = through(&proxy, &base(), "");
    let key = key("a");
    let mut version = create(&backend, &key, b"").await;
    for _ in 0..20 {
        proxy.cut();
        let swapped = backend.swap(&key, Expected::At(&version), b"").await;
        version = match swapped {
            Ok(Swapped::Committed(version)) => version,
            Err(Failure::Unknown(_)) => read(&backend, &key).await.unwrap().version,
            other => panic!("{other:?}"),
        };
    }
}

#[tokio::test]
async fn a_watch_goes_on_over_connections_that_are_cut_or_silent() {
    let Some(server) = Etcd::shared() else { return };
    let proxy = Proxy::to(server.socket()).await;
    let base = base();
    let near = open(&format!("etcd://{}{base}", server.address()));
    let far = through(&proxy, &base, "timeout=1s");
    let key = key("a");
    let mut version = create(&near, &key, b"0").await;
    let mut hints = far.watch(key.group());
    leads_to(&mut hints, &far, &key, b"0").await;
    for (n, silent) in [false, true, false, true].into_iter().enumerate() {
        match silent {
            // Without a call, only the keepalive ping would reveal the loss.
            true => {
                proxy.set(Mode::Stalled);
                assert!(far.read(&key).await.is_err());
                proxy.set(Mode::Open);
            }
            false => proxy.cut(),
        }
        let body = n.to_string() + " later";
        let Swapped::Committed(next) = swap(&near, &key, &version, body.as_bytes()).await else {
            panic!("nobody else writes");
        };
        version = next;
        leads_to(&mut hints, &far, &key, body.as_bytes()).await;
    }
}

/// No call is running, and no packet shows that the other end is gone.
#[tokio::test]
async fn a_silent_connection_is_noticed_by_the_watch_alone() {
    let Some(server) = Etcd::shared() else { return };
    let proxy = Proxy::to(server.socket()).await;
    let base = base();
    let near = open(&format!("etcd://{}{base}", server.address()));
    let far = through(&proxy, &base, "");
    let key = key("a");
    let version = create(&near, &key, b"1").await;
    let mut hints = far.watch(key.group());
    leads_to(&mut hints, &far, &key, b"1").await;
    // This connection stays silent; later ones work.
    proxy.set(Mode::Stalled);
    let Swapped::Committed(_) = swap(&near, &key, &version, b"2").await else {
        panic!("nobody else writes");
    };
    let opened = async {
        tokio::time::sleep(Duration::from_secs(5)).await;
        proxy.set(Mode::Frozen);
    };
    tokio::join!(opened, leads_to(&mut hints, &far, &key, b"2"));
}

/// `ha` gives up a call in the same way when its own time limit is over.
#[tokio::test]
async fn a_call_that_is_given_up_gives_up_a_silent_connection() {
    let Some(server) = Etcd::shared() else { return };
    let proxy = Proxy::to(server.socket()).await;
    let backend = through(&proxy, &base(), "timeout=600s");
    let key = key("a");
    create(&backend, &key, b"1").await;
    proxy.set(Mode::Stalled);
    let given_up = timeout(Duration::from_millis(500), backend.read(&key)).await;
    assert!(given_up.is_err());
    proxy.set(Mode::Frozen);
    let found = timeout(IN_TIME, backend.read(&key)).await;
    let found = found.expect("not over the silent connection");
    assert_eq!(found.unwrap().unwrap().body, b"1");
}

/// Each caller has less time than one silent server is given.
#[tokio::test]
async fn callers_that_give_up_soon_get_past_a_silent_server_together() {
    let Some(server) = Etcd::shared() else { return };
    let proxy = Proxy::to(server.socket()).await;
    proxy.set(Mode::Stalled);
    let hosts = format!("{},{}", proxy.address(), server.address());
    let backend = open(&format!("etcd://{hosts}{}?timeout=600s", base()));
    let key = key("a");
    let found = async {
        while timeout(Duration::from_secs(1), backend.read(&key))
            .await
            .is_err()
        {}
    };
    timeout(IN_TIME, found).await.expect("by the other server");
}

#[tokio::test]
async fn a_server_that_drops_each_connection_is_not_asked_without_a_pause() {
    let Some(server) = Etcd::shared() else { return };
    let proxy = Proxy::to(server.socket()).await;
    let backend = through(&proxy, &base(), "");
    let hints = backend.watch(key("a").group());
    a_flapping_server_is_left_alone(hints, || proxy.cut()).await;
}
