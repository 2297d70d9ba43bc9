//! Blobs that are away, and tasks that end in the middle.

use http::{Method, StatusCode};

use super::super::harness::Cluster;
use super::client::{Task, files_become};

#[tokio::test]
async fn an_upload_while_the_blobs_are_away_may_be_sent_again() {
    let (cluster, leader, _process) = Cluster::running(&[]).await;
    let task = Task::start(&leader).await;
    task.asked(&leader, 1).await;
    let (blobs, aside) = (cluster.path("blobs"), cluster.path("aside"));
    std::fs::rename(&blobs, &aside).unwrap();
    let reply = task.put("/v1/checkpoints/1/state", "hello").await;
    reply.is_problem(503, "blobs-unavailable");
    assert!(reply.headers.contains_key("retry-after"), "{reply:?}");
    let away = leader.told("the blobs are away", |known| !known.has_blobs);
    away.await;
    std::fs::rename(&aside, &blobs).unwrap();
    let back = leader.told("the blobs are back", |known| known.has_blobs);
    back.await;
    task.store("1", "state", "hello").await;
    assert_eq!(task.ack(1).await.status, StatusCode::OK);
}

#[tokio::test]
async fn blobs_that_go_away_during_an_upload_leave_no_file_that_counts() {
    let (cluster, leader, _process) = Cluster::running(&[]).await;
    let task = Task::start(&leader).await;
    task.asked(&leader, 1).await;
    let (blobs, aside) = (cluster.path("blobs"), cluster.path("aside"));
    let (slowly, body) = Task::slowly();
    let upload = task.ask(Method::PUT, "/v1/checkpoints/1/state", body);
    let meanwhile = async {
        slowly.send(vec![b'x'; 1_500_000]).await;
        // Some of it is on the disk.
        files_become(blobs.join("jobs"), |files| !files.is_empty()).await;
        std::fs::rename(&blobs, &aside).unwrap();
        slowly.send(vec![b'x'; 1_500_000]).await;
        drop(slowly);
    };
    let (reply, ()) = tokio::join!(upload, meanwhile);
    reply.is_problem(503, "blobs-unavailable");
    std::fs::rename(&aside, &blobs).unwrap();
    let ack = task.post("/v1/checkpoints/1/ack", r#"{"files":["state"]}"#);
    ack.await.is_problem(409, "no-such-file");
    task.store("1", "state", "hello").await;
}

#[tokio::test]
async fn a_task_that_ends_while_it_stores_leaves_nothing_and_stops_nobody() {
    let (cluster, leader, _process) = Cluster::running(&[]).await;
    let task = Task::start(&leader).await;
    task.asked(&leader, 1).await;
    let (slowly, body) = Task::slowly();
    let upload = task.try_ask(Method::PUT, "/v1/checkpoints/1/state", body);
    let meanwhile = async {
        slowly.send(vec![b'x'; 1_500_000]).await;
        files_become(cluster.path("blobs").join("jobs"), |files| {
            !files.is_empty()
        })
        .await;
        leader.end(&task.deploy, 0).await;
        task.ended(&leader).await;
        slowly
    };
    let (reply, _slowly) = tokio::join!(upload, meanwhile);
    assert!(reply.is_err(), "its socket is gone: {reply:?}");
    files_become(cluster.path("blobs").join("jobs"), |files| {
        files
            .iter()
            .all(|file| !file.to_string_lossy().contains("checkpoints"))
    })
    .await;
    let next = Task::start(&leader).await;
    next.asked(&leader, 1).await;
    next.store("1", "state", "x").await;
}
