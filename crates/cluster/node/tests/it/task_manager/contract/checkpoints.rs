//! Checkpoints that go well, and ends of the input.

use futures::StreamExt as _;
use http::StatusCode;
use incumbent_cluster_core::checkpoint::{CheckpointId, StoredFile};
use incumbent_cluster_core::message::ContractOrder;
use serde_json::json;

use super::super::harness::{Cluster, Leader};
use super::client::{Task, aborted, asked_savepoint, committed};

pub(super) fn id(task: &Task, number: u64) -> CheckpointId {
    let task = task.id();
    CheckpointId {
        job: task.job,
        incarnation: task.incarnation,
        attempt: task.attempt,
        number,
        savepoint: None,
    }
}

pub(super) async fn content(
    cluster: &Cluster,
    leader: &Leader,
    id: &CheckpointId,
    file: &StoredFile,
) -> Vec<u8> {
    let blobs = cluster.blobs(leader).await;
    let pieces = blobs.read_checkpoint_file(id, file);
    let pieces: Vec<_> = pieces.map(Result::unwrap).collect().await;
    pieces.concat()
}

#[tokio::test]
async fn ready_is_answered_when_the_gang_is() {
    let (_cluster, leader, _process) = Cluster::running(&[]).await;
    let task = Task::start(&leader).await;
    let first = task.ask(http::Method::POST, "/v1/ready", "");
    let mut first = Box::pin(first);
    let is_ready = task.reported(&leader, "it is ready", |said| said.is_ready);
    tokio::select! {
        _ = is_ready => {}
        answer = &mut first => panic!("nobody said that the gang is ready: {answer:?}"),
    }
    // The client goes away, and asks again.
    drop(first);
    let again = task.ask(http::Method::POST, "/v1/ready", "");
    let (reply, ()) = tokio::join!(again, task.told(&leader, ContractOrder::Begin));
    assert_eq!(reply.status, StatusCode::OK);
    assert_eq!(reply.json(), json!({ "peers": task.deploy.peers }));
    let said = task.reported(&leader, "it was told", |said| said.has_begun);
    assert!(said.await.is_ready);
    let once_more = task.post("/v1/ready", "").await;
    assert_eq!(once_more.status, StatusCode::OK);
}

#[tokio::test]
async fn a_checkpoint_goes_from_its_trigger_to_its_commit() {
    let (cluster, leader, _process) = Cluster::running(&[]).await;
    let task = Task::start(&leader).await;
    let mut events = task.events().await;
    task.asked(&leader, 7).await;
    assert_eq!(events.next().await, r#"{"event":"checkpoint","number":7}"#);
    let reply = task.put("/v1/checkpoints/7/state", "hello").await;
    assert_eq!(reply.status, StatusCode::CREATED);
    let sha256 = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
    let view = json!({ "name": "state", "size": 5, "sha256": sha256 });
    assert_eq!(reply.json(), view);
    task.store("7", "empty", "").await;
    let ack = task.post("/v1/checkpoints/7/ack", r#"{"files":["state","empty"]}"#);
    assert_eq!(ack.await.status, StatusCode::OK);
    let said = task.reported(&leader, "it is acknowledged", |said| said.acked.is_some());
    let acked = said.await.acked.unwrap();
    let names: Vec<_> = acked
        .part
        .files
        .iter()
        .map(|file| file.name.as_str())
        .collect();
    assert_eq!((acked.number, names), (7, vec!["empty", "state"]));
    let state = &acked.part.files[1];
    assert_eq!(
        content(&cluster, &leader, &id(&task, 7), state).await,
        b"hello"
    );
    task.told(&leader, committed(7)).await;
    assert_eq!(events.next().await, r#"{"event":"committed","number":7}"#);
    let said = task.reported(&leader, "it was told", |said| said.committed == 7);
    assert_eq!(said.await.acked, None);
    task.told(&leader, ContractOrder::Stop).await;
    assert_eq!(events.next().await, r#"{"event":"stop"}"#);
    let stopped = task.reported(&leader, "it was told", |said| said.was_stopped);
    stopped.await;
}

#[tokio::test]
async fn a_file_that_is_stored_again_is_replaced() {
    let (cluster, leader, _process) = Cluster::running(&[]).await;
    let task = Task::start(&leader).await;
    task.asked(&leader, 1).await;
    task.store("1", "state", "first").await;
    task.store("1", "state", "second").await;
    assert_eq!(task.ack(1).await.status, StatusCode::OK);
    let said = task.reported(&leader, "it is acknowledged", |said| said.acked.is_some());
    let files = said.await.acked.unwrap().part.files;
    assert_eq!(files.len(), 1);
    let second = content(&cluster, &leader, &id(&task, 1), &files[0]).await;
    assert_eq!(second, b"second");
}

#[tokio::test]
async fn a_large_file_comes_in_a_stream_beside_others() {
    let (cluster, leader, _process) = Cluster::running(&[]).await;
    let task = Task::start(&leader).await;
    task.asked(&leader, 1).await;
    let piece = bytes::Bytes::from(vec![b'x'; 300_000]);
    let (slowly, body) = Task::slowly();
    let large = task.ask(http::Method::PUT, "/v1/checkpoints/1/large", body);
    let sending = async {
        for _ in 0..5 {
            slowly.send(piece.clone()).await;
        }
        task.store("1", "small", "small").await;
        for _ in 0..5 {
            slowly.send(piece.clone()).await;
        }
        drop(slowly);
    };
    let (reply, ()) = tokio::join!(large, sending);
    assert_eq!(reply.json()["size"], 3_000_000, "{reply:?}");
    assert_eq!(task.ack(1).await.status, StatusCode::OK);
    let said = task.reported(&leader, "it is acknowledged", |said| said.acked.is_some());
    let files = said.await.acked.unwrap().part.files;
    let large = content(&cluster, &leader, &id(&task, 1), &files[0]).await;
    assert!(large.len() == 3_000_000 && large.iter().all(|&byte| byte == b'x'));
}

#[tokio::test]
async fn a_task_that_never_acknowledges_is_asked_again() {
    let (_cluster, leader, _process) = Cluster::running(&[]).await;
    let task = Task::start(&leader).await;
    let mut events = task.events().await;
    task.asked(&leader, 1).await;
    task.told(&leader, aborted(1)).await;
    task.asked(&leader, 2).await;
    loop {
        let event = events.next().await;
        if event == r#"{"event":"checkpoint","number":2}"# {
            break;
        }
        assert!(event.contains(r#""number":1}"#), "{event}");
    }
    let said = task.reported(&leader, "it has seen it", |said| said.seen == 2);
    assert_eq!(said.await.acked, None);
    assert_eq!(task.ack(2).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_finished_rank_is_not_asked_and_its_last_files_count() {
    let (cluster, leader, _process) = Cluster::running(&[]).await;
    let task = Task::start(&leader).await;
    let mut events = task.events().await;
    task.store("final", "end", "the end").await;
    let finish = task.post("/v1/finish", r#"{"files":["end"]}"#).await;
    assert_eq!(finish.status, StatusCode::OK, "{finish:?}");
    let finished = task.reported(&leader, "it has finished", |said| said.has_finished);
    finished.await;
    task.asked(&leader, 1).await;
    let said = task.reported(&leader, "it is acknowledged", |said| said.acked.is_some());
    let acked = said.await.acked.unwrap();
    assert!(acked.part.is_finished);
    let end = content(&cluster, &leader, &id(&task, 1), &acked.part.files[0]).await;
    assert_eq!(end, b"the end");
    task.told(&leader, committed(1)).await;
    assert_eq!(events.next().await, r#"{"event":"committed","number":1}"#);
    // It may say so again, and nothing else.
    let again = task.post("/v1/finish", "").await;
    assert_eq!(again.status, StatusCode::OK);
    let more = task.put("/v1/checkpoints/final/more", "x").await;
    more.is_problem(409, "finished");
}

#[tokio::test]
async fn a_savepoint_of_a_finished_rank_has_files_of_its_own() {
    let (cluster, leader, _process) = Cluster::running(&[]).await;
    let task = Task::start(&leader).await;
    task.store("final", "end", "the end").await;
    assert_eq!(task.post("/v1/finish", "").await.status, StatusCode::OK);
    task.told(&leader, asked_savepoint(4, 9)).await;
    let said = task.reported(&leader, "it is acknowledged", |said| said.acked.is_some());
    let acked = said.await.acked.unwrap();
    assert!(acked.part.is_finished && acked.number == 4);
    let savepoint = CheckpointId {
        savepoint: Some(incumbent_cluster_core::SavepointId::new(9)),
        ..id(&task, 4)
    };
    let end = content(&cluster, &leader, &savepoint, &acked.part.files[0]).await;
    assert_eq!(end, b"the end");
}

#[tokio::test]
async fn a_savepoint_is_asked_for_as_one_and_stored_apart() {
    let (cluster, leader, _process) = Cluster::running(&[]).await;
    let task = Task::start(&leader).await;
    let mut events = task.events().await;
    task.told(&leader, asked_savepoint(1, 5)).await;
    let event = events.next().await;
    assert_eq!(
        event,
        r#"{"event":"checkpoint","number":1,"savepoint":true}"#
    );
    task.store("1", "state", "saved").await;
    assert_eq!(task.ack(1).await.status, StatusCode::OK);
    let said = task.reported(&leader, "it is acknowledged", |said| said.acked.is_some());
    let files = said.await.acked.unwrap().part.files;
    let savepoint = CheckpointId {
        savepoint: Some(incumbent_cluster_core::SavepointId::new(5)),
        ..id(&task, 1)
    };
    assert_eq!(
        content(&cluster, &leader, &savepoint, &files[0]).await,
        b"saved"
    );
}
