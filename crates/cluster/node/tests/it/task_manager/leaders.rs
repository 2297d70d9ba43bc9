//! Terms: who may order, and that a change of leader costs a task nothing (R7, R10).

use incumbent::{Epoch, Nonce};
use incumbent_cluster_core::Seal;
use incumbent_cluster_core::message::{Command, Refused};

use super::harness::{Cluster, runs};

#[tokio::test]
async fn an_order_of_an_older_term_is_refused() {
    let (_cluster, leader, _process) = Cluster::running(&[]).await;
    let deploy = leader.deploy(&["sleep", "1000"]);
    let older = Seal {
        epoch: Epoch::new(leader.seal.epoch.get() - 1),
        nonce: Nonce::new(1),
    };
    let refused = leader
        .order_as(older, Command::Deploy(Box::new(deploy.clone())))
        .await;
    assert_eq!(
        refused,
        Some(Refused::Older {
            newest: leader.seal
        })
    );
    assert!(!leader.known().tasks.contains_key(&deploy.task));
}

#[tokio::test]
async fn the_next_leader_that_asks_finds_the_same_process() {
    let (cluster, first, _process) = Cluster::running(&[]).await;
    let deploy = first.shell("while :; do echo x; sleep 0.01; done");
    let pid = first.run(&deploy).await;
    let reports = first.known().full_reports;
    first
        .order(Command::Report {
            leader: first.node.url(),
        })
        .await;
    first
        .told("a full report", |known| known.full_reports > reports)
        .await;
    assert_eq!(first.running(&deploy).await, pid);

    // The first one dies, as far as the election is concerned.
    drop(first);
    let second = cluster.leader().await;
    second.registered().await;
    assert_eq!(second.running(&deploy).await, pid);
    assert!(runs(pid));
}
