//! Readers of events.

use super::super::harness::Cluster;
use super::client::{Task, aborted, asked, committed};
use incumbent_cluster_core::message::ContractOrder;

#[tokio::test]
async fn two_readers_are_told_the_same() {
    let (_cluster, leader, _process) = Cluster::running(&[]).await;
    let task = Task::start(&leader).await;
    let mut readers = [task.events().await, task.events().await];
    for (order, line) in [
        (asked(1), r#"{"event":"checkpoint","number":1}"#),
        (committed(1), r#"{"event":"committed","number":1}"#),
        (asked(2), r#"{"event":"checkpoint","number":2}"#),
        (aborted(2), r#"{"event":"aborted","number":2}"#),
        (ContractOrder::Stop, r#"{"event":"stop"}"#),
    ] {
        task.told(&leader, order).await;
        for reader in &mut readers {
            assert_eq!(reader.next().await, line);
        }
    }
    for reader in &mut readers {
        assert_eq!(reader.try_next().await, None, "nothing comes after stop");
    }
}

#[tokio::test]
async fn a_new_reader_is_told_what_stands() {
    let (_cluster, leader, _process) = Cluster::running(&[]).await;
    let task = Task::start(&leader).await;
    drop(task.events().await);
    for order in [
        asked(1),
        committed(1),
        asked(2),
        aborted(2),
        asked(3),
        ContractOrder::Stop,
    ] {
        task.told(&leader, order).await;
    }
    let mut events = task.events().await;
    for line in [
        r#"{"event":"committed","number":1}"#,
        r#"{"event":"aborted","number":2}"#,
        r#"{"event":"checkpoint","number":3}"#,
        r#"{"event":"stop"}"#,
    ] {
        assert_eq!(events.next().await, line);
    }
    assert!(task.ack(3).await.status.is_success());
    let mut events = task.events().await;
    assert_eq!(events.next().await, r#"{"event":"committed","number":1}"#);
    assert_eq!(events.next().await, r#"{"event":"aborted","number":2}"#);
    assert_eq!(events.next().await, r#"{"event":"stop"}"#);
}

#[tokio::test]
async fn a_reader_that_does_not_read_holds_up_nothing_and_learns_what_stands() {
    let (_cluster, leader, _process) = Cluster::running(&[]).await;
    let task = Task::start(&leader).await;
    let mut slow = task.events().await;
    for number in 1..300 {
        task.asked(&leader, number).await;
        task.told(&leader, aborted(number)).await;
    }
    task.told(&leader, committed(300)).await;
    while slow.next().await != r#"{"event":"committed","number":300}"# {}
}

#[tokio::test]
async fn events_end_with_the_task() {
    let (_cluster, leader, _process) = Cluster::running(&[]).await;
    let task = Task::start(&leader).await;
    let mut events = task.events().await;
    leader.end(&task.deploy, 0).await;
    assert_eq!(events.try_next().await, None);
    task.ended(&leader).await;
}
