//! What tasks do wrong: each is refused with what to do, and nothing else changes.

use axum::body::Body;
use http::{Method, StatusCode};
use incumbent_cluster_core::checkpoint::MOST_FILES;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::super::harness::Cluster;
use super::client::{Task, aborted, committed, files, files_become};

#[tokio::test]
async fn acknowledgements_of_other_numbers_are_refused_and_say_why() {
    let (_cluster, leader, _process) = Cluster::running(&[]).await;
    let task = Task::start(&leader).await;
    task.ack(1).await.is_problem(409, "never-asked");
    task.asked(&leader, 1).await;
    task.ack(2).await.is_problem(409, "never-asked");
    task.told(&leader, aborted(1)).await;
    task.ack(1).await.is_problem(409, "aborted");
    task.asked(&leader, 3).await;
    assert_eq!(task.ack(3).await.status, StatusCode::OK);
    task.told(&leader, committed(3)).await;
    assert_eq!(task.ack(3).await.status, StatusCode::OK, "said again");
    task.ack(2).await.is_problem(409, "aborted");
    let said = task.reported(&leader, "it is committed", |said| said.committed == 3);
    assert_eq!(said.await.acked, None);
}

#[tokio::test]
async fn an_acknowledgement_that_comes_twice_counts_once_and_with_its_files() {
    let (_cluster, leader, _process) = Cluster::running(&[]).await;
    let task = Task::start(&leader).await;
    task.asked(&leader, 1).await;
    task.store("1", "a", "a").await;
    task.store("1", "b", "b").await;
    let path = "/v1/checkpoints/1/ack";
    for body in [r#"{"files":["a"]}"#, r#"{"files":["a"]}"#, ""] {
        assert_eq!(task.post(path, body).await.status, StatusCode::OK);
    }
    let other = task.post(path, r#"{"files":["a","b"]}"#).await;
    other.is_problem(409, "acknowledged");
    let late = task.put("/v1/checkpoints/1/c", "c").await;
    late.is_problem(409, "acknowledged");
    let said = task.reported(&leader, "it is acknowledged", |said| said.acked.is_some());
    assert_eq!(said.await.acked.unwrap().part.files.len(), 1);
}

#[tokio::test]
async fn an_acknowledgement_before_its_file_or_while_it_comes_is_refused() {
    let (_cluster, leader, _process) = Cluster::running(&[]).await;
    let task = Task::start(&leader).await;
    task.asked(&leader, 1).await;
    let ack = || task.post("/v1/checkpoints/1/ack", r#"{"files":["state"]}"#);
    ack().await.is_problem(409, "no-such-file");
    let (slowly, body) = Task::slowly();
    let upload = task.ask(Method::PUT, "/v1/checkpoints/1/state", body);
    let meanwhile = async {
        slowly.send("half").await;
        slowly.taken().await;
        // The request is there when its body is read.
        while ack().await.problem().1 != "being-stored" {
            tokio::task::yield_now().await;
        }
        task.ack(1).await.is_problem(409, "being-stored");
        let again = task.put("/v1/checkpoints/1/state", "other").await;
        again.is_problem(409, "being-stored");
        slowly.send(" and half").await;
        drop(slowly);
    };
    let (reply, ()) = tokio::join!(upload, meanwhile);
    assert_eq!(reply.status, StatusCode::CREATED);
    assert_eq!(ack().await.status, StatusCode::OK);
}

#[tokio::test]
async fn files_outside_of_the_number_are_refused() {
    let (cluster, leader, _process) = Cluster::running(&[]).await;
    let task = Task::start(&leader).await;
    let put = async |number: &str| task.put(&format!("/v1/checkpoints/{number}/f"), "x").await;
    put("1").await.is_problem(409, "never-asked");
    task.asked(&leader, 5).await;
    put("6").await.is_problem(409, "never-asked");
    put("4").await.is_problem(409, "aborted");
    for number in ["x", "-1", "5.0", "18446744073709551616", "Final"] {
        put(number).await.is_problem(400, "bad-request");
    }
    task.told(&leader, committed(5)).await;
    put("5").await.is_problem(409, "aborted");
    assert!(files(&cluster.path("blobs").join("jobs")).is_empty());
}

#[tokio::test]
async fn bad_names_are_refused() {
    let (cluster, leader, _process) = Cluster::running(&[]).await;
    let task = Task::start(&leader).await;
    task.asked(&leader, 1).await;
    let long = "x".repeat(129);
    for name in [
        "..",
        ".hidden",
        "%2e%2e",
        "%2E%2E%2Fx",
        "a%2Fb",
        "a%20b",
        "a%00",
        "%C3%A4",
        &long,
    ] {
        let reply = task.put(&format!("/v1/checkpoints/1/{name}"), "x").await;
        reply.is_problem(400, "bad-name");
    }
    for path in [
        "/v1/checkpoints/1/a/b",
        "/v1/checkpoints/1",
        "/v1/checkpoints/../x/y",
    ] {
        let reply = task.put(path, "x").await;
        assert!(reply.status.is_client_error(), "{path}: {reply:?}");
        reply.problem();
    }
    assert!(files(&cluster.path("blobs").join("jobs")).is_empty());
    task.store("1", &"x".repeat(128), "x").await;
}

#[tokio::test]
async fn a_file_that_is_too_large_is_refused_before_it_comes() {
    let (_cluster, leader, _process) = Cluster::running(&[]).await;
    let task = Task::start(&leader).await;
    task.asked(&leader, 1).await;
    let head = "PUT /v1/checkpoints/1/f HTTP/1.1\r\nhost: task\r\n\
                content-length: 17179869185\r\n\r\n";
    let mut stream = task.raw(head).await;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    assert!(
        answer.contains("urn:incumbent:problem:too-large"),
        "{answer}"
    );
    assert_eq!(task.ack(1).await.status, StatusCode::OK);
}

#[tokio::test]
async fn half_a_file_is_none() {
    let (cluster, leader, _process) = Cluster::running(&[]).await;
    let task = Task::start(&leader).await;
    task.asked(&leader, 1).await;
    task.store("1", "state", "whole").await;
    // More than one part, so that some of it is on the disk.
    let head = "PUT /v1/checkpoints/1/state HTTP/1.1\r\nhost: task\r\n\
                content-length: 4000000\r\n\r\n";
    let mut stream = task.raw(head).await;
    stream.write_all(&vec![b'x'; 2_500_000]).await.unwrap();
    drop(stream);
    // It is given up when the connection is seen to be closed.
    let mut ack = task.ack(1).await;
    while ack.status != StatusCode::OK {
        ack.is_problem(409, "being-stored");
        tokio::task::yield_now().await;
        ack = task.ack(1).await;
    }
    let said = task.reported(&leader, "it is acknowledged", |said| said.acked.is_some());
    let stored = said.await.acked.unwrap().part.files;
    assert_eq!(
        (stored.len(), stored[0].size),
        (1, 5),
        "the one before stays"
    );
    files_become(cluster.path("blobs").join("jobs"), |files| files.len() == 1).await;
}

#[tokio::test]
async fn an_upload_of_an_aborted_checkpoint_ends_at_once() {
    let (cluster, leader, _process) = Cluster::running(&[]).await;
    let task = Task::start(&leader).await;
    task.asked(&leader, 1).await;
    let (slowly, body) = Task::slowly();
    let upload = task.ask(Method::PUT, "/v1/checkpoints/1/state", body);
    let meanwhile = async {
        slowly.send("half").await;
        slowly.taken().await;
        task.told(&leader, aborted(1)).await;
        slowly
    };
    let (reply, _slowly) = tokio::join!(upload, meanwhile);
    reply.is_problem(409, "aborted");
    files_become(cluster.path("blobs").join("jobs"), <[_]>::is_empty).await;
}

#[tokio::test]
async fn a_part_has_a_limit_of_files() {
    let (_cluster, leader, _process) = Cluster::running(&[]).await;
    let task = Task::start(&leader).await;
    task.asked(&leader, 1).await;
    let stores = (0..MOST_FILES).map(async |file| {
        let path = format!("/v1/checkpoints/1/{file}");
        let reply = task.ask(Method::PUT, &path, "x").await;
        assert_eq!(reply.status, StatusCode::CREATED, "{reply:?}");
    });
    use futures::StreamExt as _;
    let stores = futures::stream::iter(stores).buffer_unordered(16);
    stores.collect::<()>().await;
    let more = task.put("/v1/checkpoints/1/more", "x").await;
    more.is_problem(413, "too-many-files");
    assert_eq!(task.ack(1).await.status, StatusCode::OK);
    let said = task.reported(&leader, "it is acknowledged", |said| said.acked.is_some());
    assert_eq!(said.await.acked.unwrap().part.files.len(), MOST_FILES);
}

#[tokio::test]
async fn bodies_that_cannot_be_read_are_refused() {
    let (_cluster, leader, _process) = Cluster::running(&[]).await;
    let task = Task::start(&leader).await;
    task.asked(&leader, 1).await;
    for body in ["{", "[]", r#"{"files":"a"}"#, r#"{"fils":[]}"#] {
        let reply = task.post("/v1/checkpoints/1/ack", body).await;
        reply.is_problem(400, "bad-request");
    }
    let ack = task.post("/v1/checkpoints/final/ack", "").await;
    ack.is_problem(400, "bad-request");
    let large = task
        .ask(Method::POST, "/v1/finish", vec![b' '; 300_000])
        .await;
    large.is_problem(413, "too-large");
    let get = task.get("/v1/finish").await;
    assert_eq!(get.problem().0, 405);
    task.get("/v1/nothing").await.is_problem(404, "not-found");
    let reply = task.ask(Method::DELETE, "/v1/checkpoints/1/f", Body::empty());
    assert_eq!(reply.await.problem().0, 405);
}

#[tokio::test]
async fn a_task_of_a_job_without_checkpoints_is_told_so() {
    let (_cluster, leader, _process) = Cluster::running(&[]).await;
    let task = Task::start_as(&leader, |_| {}).await;
    assert_eq!(task.get("/v1/task").await.json()["is_checkpointing"], false);
    for path in ["/v1/ready", "/v1/checkpoints/1/ack", "/v1/finish"] {
        task.post(path, "")
            .await
            .is_problem(409, "not-checkpointing");
    }
    task.get("/v1/events")
        .await
        .is_problem(409, "not-checkpointing");
    let put = task.put("/v1/checkpoints/1/f", "x").await;
    put.is_problem(409, "not-checkpointing");
    task.get("/v1/restore")
        .await
        .is_problem(404, "nothing-to-restore");
    assert_eq!(
        task.put("/v1/progress", "half").await.status,
        StatusCode::OK
    );
}
