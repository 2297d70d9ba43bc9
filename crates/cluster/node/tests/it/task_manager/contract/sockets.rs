//! The sockets themselves.

use std::os::unix::fs::PermissionsExt as _;

use http::StatusCode;
use incumbent_cluster_core::Rank;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::super::harness::Cluster;
use super::client::Task;

#[tokio::test]
async fn each_task_has_a_socket_of_its_own_and_is_asked_by_it() {
    let (_cluster, leader, _process) = Cluster::running(&[]).await;
    let port = leader.known().ports[1];
    let one = Task::start(&leader).await;
    let two = Task::start_as(&leader, |deploy| {
        deploy.task = one.id();
        deploy.task.rank = Rank(1);
        (deploy.slot, deploy.port) = (1, port);
        deploy.is_checkpointing = true;
    });
    let two = two.await;
    assert_ne!(one.socket, two.socket);
    for (task, rank) in [(&one, 0), (&two, 1)] {
        let mode = std::fs::metadata(&task.socket)
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(task.get("/v1/task").await.json()["rank"], rank);
    }
    // One order for all ranks of the attempt here; each answers for itself.
    one.asked(&leader, 1).await;
    one.store("1", "state", "one").await;
    assert_eq!(one.ack(1).await.status, StatusCode::OK);
    let ack = two.post("/v1/checkpoints/1/ack", r#"{"files":["state"]}"#);
    ack.await.is_problem(409, "no-such-file");
    two.store("1", "state", "two").await;
    assert_eq!(two.ack(1).await.status, StatusCode::OK);
    leader.end(&one.deploy, 0).await;
    one.ended(&leader).await;
    assert!(!one.socket.exists());
    assert_eq!(two.get("/v1/task").await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_directory_with_a_long_name_has_sockets_as_well() {
    let cluster = Cluster::new();
    let leader = cluster.leader().await;
    let dir = cluster.path(&"long".repeat(40));
    let _process = cluster.task_manager_in(&dir, &[]);
    leader.registered().await;
    let task = Task::start(&leader).await;
    assert!(task.socket.as_os_str().len() <= 107, "{:?}", task.socket);
    assert_eq!(task.get("/v1/task").await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_request_that_is_no_http_is_closed() {
    let (_cluster, leader, _process) = Cluster::running(&[]).await;
    let task = Task::start(&leader).await;
    for text in ["nonsense\r\n\r\n", "GET /v1/task HTTP/1.1\r\n"] {
        let mut stream = task.raw(text).await;
        stream.shutdown().await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        assert!(!answer.starts_with(b"HTTP/1.1 200"));
    }
    let long = format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(20_000));
    let mut stream = task.raw(&long).await;
    let mut answer = Vec::new();
    // It may be cut before all was sent.
    let _ = stream.read_to_end(&mut answer).await;
    assert!(!answer.starts_with(b"HTTP/1.1 200"));
    assert_eq!(task.get("/v1/task").await.status, StatusCode::OK);
}

#[tokio::test]
async fn more_connections_than_there_may_be_wait() {
    let (_cluster, leader, _process) = Cluster::running(&[]).await;
    let task = Task::start(&leader).await;
    let mut held = Vec::new();
    for _ in 0..incumbent_cluster_node::task_manager::MOST_CONNECTIONS {
        held.push(task.events().await);
    }
    let more = task.get("/v1/task");
    let free = async { drop(held.pop()) };
    let (reply, ()) = tokio::join!(more, free);
    assert_eq!(reply.status, StatusCode::OK);
}
