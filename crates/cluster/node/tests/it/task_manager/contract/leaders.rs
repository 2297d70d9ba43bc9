//! A change of leader in the middle of a checkpoint.

use http::StatusCode;
use incumbent_cluster_core::message::Refused;

use super::super::harness::Cluster;
use super::client::{Task, aborted, asked, committed, contract};

#[tokio::test]
async fn the_next_leader_learns_what_was_acknowledged_and_decides() {
    let (cluster, first, _process) = Cluster::running(&[]).await;
    let task = Task::start(&first).await;
    let mut events = task.events().await;
    task.asked(&first, 1).await;
    task.store("1", "state", "one").await;
    assert_eq!(task.ack(1).await.status, StatusCode::OK);
    task.told(&first, committed(1)).await;
    task.asked(&first, 2).await;
    task.store("2", "state", "two").await;
    assert_eq!(task.ack(2).await.status, StatusCode::OK);
    let (old_seal, old_order) = (first.seal, contract(task.id(), asked(3)));
    drop(first);

    let second = cluster.leader().await;
    second.registered().await;
    let said = task.reported(&second, "all is reported", |said| said.acked.is_some());
    let said = said.await;
    assert_eq!(
        (said.committed, said.seen, said.acked.unwrap().number),
        (1, 2, 2)
    );
    // It drops what is pending, and says the last commit again.
    task.told(&second, committed(1)).await;
    task.told(&second, aborted(2)).await;
    let late = second.order_as(old_seal, old_order).await;
    assert!(matches!(late, Some(Refused::Older { .. })), "{late:?}");
    task.asked(&second, 3).await;
    let mut told = vec![events.next().await];
    while told.last().unwrap() != r#"{"event":"checkpoint","number":3}"# {
        told.push(events.next().await);
    }
    let of_two = r#"{"event":"aborted","number":2}"#.to_owned();
    assert!(told.contains(&of_two), "{told:?}");
    let again = told.iter().filter(|line| line.contains("committed"));
    assert_eq!(again.count(), 1, "{told:?}");
    task.ack(2).await.is_problem(409, "aborted");
    assert_eq!(task.ack(3).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_commit_that_only_the_next_leader_says_is_told() {
    let (cluster, first, _process) = Cluster::running(&[]).await;
    let task = Task::start(&first).await;
    task.asked(&first, 1).await;
    assert_eq!(task.ack(1).await.status, StatusCode::OK);
    drop(first);
    let second = cluster.leader().await;
    second.registered().await;
    task.told(&second, committed(1)).await;
    let mut events = task.events().await;
    assert_eq!(events.next().await, r#"{"event":"committed","number":1}"#);
    let said = task.reported(&second, "it was told", |said| said.committed == 1);
    assert_eq!(said.await.acked, None);
    assert_eq!(task.ack(1).await.status, StatusCode::OK, "said again");
}
