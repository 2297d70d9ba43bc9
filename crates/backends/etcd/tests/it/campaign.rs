//! The whole of `incumbent` on etcd: who leads, who takes over, and whose writes are refused.

use std::time::Duration;

use incumbent::{
    Error, Group, Liveness, LostBecause, Options, RecordName, Store, Timing, TimingOptions,
};
use incumbent_servers::etcd::{Cluster, Etcd, Options as Server};
use tokio::time::timeout;

use crate::{IN_TIME, base, open};
use incumbent_servers::{Mode, Proxy};

fn node(address: &str, name: &str, lease: Duration) -> Group {
    let options = Options {
        holder: Some(name.parse().unwrap()),
        timing: Timing::new(TimingOptions::for_lease(lease)).unwrap(),
        liveness: Liveness::Off,
        ..Options::default()
    };
    let store = Store::on(open(address));
    store.group_with("demo", options).unwrap()
}

#[tokio::test]
async fn who_waits_takes_over_at_once_from_who_resigns() {
    let Some(server) = Etcd::shared() else { return };
    let address = format!("etcd://{}{}", server.address(), base());
    // Longer than anything is waited for.
    let lease = Duration::from_secs(120);
    let (a, b) = (node(&address, "a", lease), node(&address, "b", lease));
    let (first, second) = (a.candidate().unwrap(), b.candidate().unwrap());
    let leadership = timeout(IN_TIME, first.campaign()).await.unwrap();
    leadership
        .publish(&"web".parse().unwrap(), "http://a")
        .await
        .unwrap();
    leadership.activate().await.unwrap();
    let mut observer = b.observe();
    let seen = observer.wait_for(|view| view.active().is_some());
    let view = timeout(IN_TIME, seen).await.unwrap();
    assert_eq!(view.active().unwrap().holder.as_str(), "a");
    let both = async { tokio::join!(leadership.resign(None), second.campaign()) };
    let (ended, next) = timeout(IN_TIME, both).await.expect("not by the lease");
    assert_eq!(ended, LostBecause::Resigned);
    assert_eq!(next.epoch().get(), 2);
}

/// A leader that is cut off from etcd cannot write. When it is connected again, it is too late.
#[tokio::test]
async fn a_leader_that_is_cut_off_is_replaced_and_its_late_writes_are_refused() {
    let Some(server) = Etcd::shared() else { return };
    let (proxy, base) = (Proxy::to(server.socket()).await, base());
    let lease = Duration::from_secs(3);
    let far = node(&format!("etcd://{}{base}", proxy.address()), "far", lease);
    let near = node(&format!("etcd://{}{base}", server.address()), "near", lease);
    let name: RecordName = "count".parse().unwrap();
    let old = timeout(IN_TIME, far.candidate().unwrap().campaign())
        .await
        .unwrap();
    old.activate().await.unwrap();
    let mut late = old.open::<u64>(&name).await.unwrap();
    late.commit(1).await.unwrap();
    proxy.set(Mode::Stalled);
    let new = timeout(IN_TIME, near.candidate().unwrap().campaign())
        .await
        .unwrap();
    assert_eq!(new.epoch().get(), old.epoch().get() + 1);
    let mut record = new.open::<u64>(&name).await.unwrap();
    assert_eq!(record.data(), Some(&1));
    record.commit(2).await.unwrap();
    proxy.set(Mode::Open);
    let written = timeout(IN_TIME, late.commit(100)).await.unwrap();
    assert!(matches!(written, Err(Error::Fenced { .. })), "{written:?}");
    record.reopen().await.unwrap();
    assert_eq!(record.data(), Some(&2));
}

/// Losing one server must not cost the leader its leadership.
#[tokio::test]
async fn a_leader_goes_on_when_one_of_three_servers_is_killed_or_stopped() {
    let Some(servers) = Cluster::start(3, Server::default()) else {
        return;
    };
    let address = format!("etcd://{}", servers.addresses());
    let group = node(&address, "a", Duration::from_secs(15));
    let leadership = timeout(IN_TIME, group.candidate().unwrap().campaign())
        .await
        .unwrap();
    leadership.activate().await.unwrap();
    let name: RecordName = "count".parse().unwrap();
    let mut record = leadership.open::<u64>(&name).await.unwrap();
    for n in 1..=2 {
        // The server that the backend is connected to.
        match n {
            1 => servers[0].kill(),
            _ => {
                servers[0].restart();
                servers[1].pause();
            }
        }
        let committed = async {
            loop {
                match record.commit(n).await {
                    Ok(()) => return,
                    Err(Error::Unknown { .. } | Error::Conflict { .. }) => {
                        if record.reopen().await.is_ok() && record.data() == Some(&n) {
                            return;
                        }
                    }
                    Err(Error::Unavailable(_)) => {}
                    Err(error) => panic!("{error}"),
                }
            }
        };
        timeout(IN_TIME, committed).await.expect("it goes on");
    }
    // With no server at all, the renew deadline would end the leadership within this time.
    let lost = timeout(Duration::from_secs(12), leadership.lost()).await;
    assert!(lost.is_err(), "{lost:?}");
    servers[1].resume();
}
