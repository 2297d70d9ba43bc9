//! When a TaskManager that is cut off ends its tasks (R8).

use std::time::Duration;

use incumbent_cluster_core::Isolation;
use incumbent_cluster_core::message::EndedHow;
use rustix::process::Signal;

use super::harness::{Cluster, eventually, runs};

fn exclusive(timeout_ms: u64) -> Isolation {
    Isolation::Exclusive {
        timeout_ms: Some(timeout_ms),
    }
}

#[tokio::test]
async fn a_stopped_task_manager_loses_its_exclusive_tasks_at_the_timeout_and_no_fenced_one() {
    let (_cluster, leader, process) = Cluster::running(&[]).await;
    let mut alone = leader.deploy(&["sleep", "1000"]);
    alone.isolation = exclusive(4000);
    let mut never = leader.deploy(&["sleep", "1000"]);
    never.isolation = Isolation::Exclusive { timeout_ms: None };
    (never.slot, never.port) = (1, leader.known().ports[1]);
    let mut fenced = leader.deploy(&["sleep", "1000"]);
    (fenced.slot, fenced.port) = (2, leader.known().ports[2]);
    let alone_pid = leader.run(&alone).await;
    let never_pid = leader.run(&never).await;
    let fenced_pid = leader.run(&fenced).await;
    // Longer than the timeout: heartbeats keep it.
    let reports = leader.known().reports;
    leader
        .told("heartbeats", |known| known.reports > reports + 90)
        .await;
    assert!(runs(alone_pid));

    process.signal(Signal::STOP);
    eventually("the exclusive one is gone", || !runs(alone_pid)).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(runs(fenced_pid), "its effects are fenced");
    assert!(runs(never_pid), "only a person says that it is gone");

    process.signal(Signal::CONT);
    assert_eq!(leader.ended(&alone).await.how, EndedHow::Isolated);
    assert_eq!(leader.running(&fenced).await, fenced_pid);
    assert_eq!(leader.running(&never).await, never_pid);
}

#[tokio::test]
async fn a_leader_that_acknowledges_nothing_ends_exclusive_tasks_and_no_fenced_ones() {
    let (_cluster, leader, _process) = Cluster::running(&[]).await;
    let mut alone = leader.deploy(&["sleep", "1000"]);
    alone.isolation = exclusive(4000);
    let mut fenced = leader.deploy(&["sleep", "1000"]);
    (fenced.slot, fenced.port) = (1, leader.known().ports[1]);
    let alone_pid = leader.run(&alone).await;
    let fenced_pid = leader.run(&fenced).await;
    leader.mute(true);
    eventually("the exclusive one is gone", || !runs(alone_pid)).await;
    assert!(runs(fenced_pid));
    leader.mute(false);
    assert_eq!(leader.ended(&alone).await.how, EndedHow::Isolated);
    assert_eq!(leader.running(&fenced).await, fenced_pid);
}
