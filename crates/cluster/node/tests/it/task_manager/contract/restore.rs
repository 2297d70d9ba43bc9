//! What tasks start from.

use std::path::PathBuf;

use http::StatusCode;
use incumbent_cluster_core::Attempt;
use incumbent_cluster_core::checkpoint::{
    CheckpointId, MANIFEST_FORMAT, Manifest, RankPart, RestorePoint,
};
use incumbent_cluster_core::message::EndedHow;
use incumbent_core::Epoch;
use serde_json::json;

use super::super::harness::{Cluster, Leader};
use super::checkpoints::id;
use super::client::{Task, files};

/// A checkpoint 3 with one file of one rank, and an empty one, which had finished.
async fn checkpoint(cluster: &Cluster, leader: &Leader) -> RestorePoint {
    let task = Task::start(leader).await;
    task.asked(leader, 3).await;
    task.store("3", "state", "what was").await;
    assert_eq!(task.ack(3).await.status, StatusCode::OK);
    let said = task.reported(leader, "it is acknowledged", |said| said.acked.is_some());
    let part = said.await.acked.unwrap().part;
    leader.end(&task.deploy, 0).await;
    task.ended(leader).await;
    let from: CheckpointId = id(&task, 3);
    let finished = RankPart {
        is_finished: true,
        files: Vec::new(),
    };
    let manifest = Manifest {
        format: MANIFEST_FORMAT,
        id: from,
        ranks: vec![part, finished],
    };
    let blobs = cluster.blobs(leader).await;
    let manifest = blobs.put_manifest(&manifest, Epoch::new(1)).await.unwrap();
    RestorePoint {
        from,
        tasks: 2,
        manifest,
    }
}

async fn restoring(leader: &Leader, point: &RestorePoint) -> Task {
    let ports = leader.registered().await.ports;
    let start = Task::start_as(leader, |deploy| {
        deploy.task.job = point.from.job;
        deploy.task.incarnation = point.from.incarnation;
        deploy.task.attempt = Attempt(2);
        deploy.port = ports[0];
        deploy.is_checkpointing = true;
        deploy.restore = Some(point.clone());
    });
    start.await
}

fn stored(cluster: &Cluster, name: &str) -> PathBuf {
    let all = files(&cluster.path("blobs").join("jobs"));
    let is_it = |path: &PathBuf| {
        path.file_name()
            .unwrap()
            .to_str()
            .unwrap()
            .starts_with(name)
    };
    all.into_iter().find(is_it).unwrap()
}

fn overwrite(path: &PathBuf, content: &str) {
    std::fs::remove_file(path).unwrap();
    std::fs::write(path, content).unwrap();
}

async fn not_restored(task: &Task, leader: &Leader) -> String {
    match task.ended(leader).await.how {
        EndedHow::NotRestored { why } => why,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_task_reads_the_files_of_all_ranks() {
    let (cluster, leader, _process) = Cluster::running(&[]).await;
    let point = checkpoint(&cluster, &leader).await;
    let task = restoring(&leader, &point).await;
    let environ = std::fs::read_to_string(format!("/proc/{}/environ", task.pid)).unwrap();
    assert!(
        environ
            .split('\0')
            .any(|line| line == "INCUMBENT_RESTORE=3")
    );
    assert_eq!(task.get("/v1/task").await.json()["restore"], 3);
    let listed = task.get("/v1/restore").await.json();
    let sha256 = listed["ranks"][0]["files"][0]["sha256"].clone();
    let expected = json!({ "number": 3, "tasks": 2, "ranks": [
        { "rank": 0, "is_finished": false,
          "files": [{ "name": "state", "size": 8, "sha256": sha256 }] },
        { "rank": 1, "is_finished": true, "files": [] },
    ]});
    assert_eq!(listed, expected);
    let file = task.get("/v1/restore/0/state").await;
    assert_eq!(
        (file.status, &file.body[..]),
        (StatusCode::OK, &b"what was"[..])
    );
    assert_eq!(file.headers["content-length"], "8");
    for path in ["0/other", "1/state", "2/state", "x/state"] {
        let missing = task.get(&format!("/v1/restore/{path}")).await;
        missing.is_problem(404, "not-found");
    }
    assert!(task.is_running(&leader));
}

#[tokio::test]
async fn a_task_that_starts_with_nothing_is_told_so() {
    let (_cluster, leader, _process) = Cluster::running(&[]).await;
    let task = Task::start(&leader).await;
    task.get("/v1/restore")
        .await
        .is_problem(404, "nothing-to-restore");
    let file = task.get("/v1/restore/0/state").await;
    file.is_problem(404, "nothing-to-restore");
    assert_eq!(task.get("/v1/task").await.json()["restore"], json!(null));
}

#[tokio::test]
async fn a_file_that_is_gone_ends_the_task_and_is_named() {
    let (cluster, leader, _process) = Cluster::running(&[]).await;
    let point = checkpoint(&cluster, &leader).await;
    let task = restoring(&leader, &point).await;
    std::fs::remove_file(stored(&cluster, "state")).unwrap();
    let reply = task.get("/v1/restore/0/state").await;
    reply.is_problem(500, "not-restored");
    let why = not_restored(&task, &leader).await;
    assert!(why.contains("file state of checkpoint 3"), "{why}");
    assert!(why.contains("--restore"), "{why}");
}

#[tokio::test]
async fn a_file_that_was_altered_is_not_passed_on_whole_and_ends_the_task() {
    for altered in ["what is!", "what was before"] {
        let (cluster, leader, _process) = Cluster::running(&[]).await;
        let point = checkpoint(&cluster, &leader).await;
        let task = restoring(&leader, &point).await;
        overwrite(&stored(&cluster, "state"), altered);
        let reply = task.get("/v1/restore/0/state").await;
        reply.is_problem(500, "not-restored");
        let why = not_restored(&task, &leader).await;
        assert!(why.contains("damaged"), "{why}");
    }
}

#[tokio::test]
async fn a_manifest_that_is_gone_or_altered_ends_the_task() {
    for is_gone in [true, false] {
        let (cluster, leader, _process) = Cluster::running(&[]).await;
        let point = checkpoint(&cluster, &leader).await;
        let manifest = stored(&cluster, "manifest");
        match is_gone {
            true => std::fs::remove_file(manifest).unwrap(),
            false => overwrite(&manifest, "{}"),
        }
        let task = restoring(&leader, &point).await;
        task.get("/v1/restore")
            .await
            .is_problem(500, "not-restored");
        let why = not_restored(&task, &leader).await;
        assert!(why.contains("manifest of checkpoint 3"), "{why}");
    }
}

#[tokio::test]
async fn an_outage_of_the_blobs_ends_nothing() {
    let (cluster, leader, _process) = Cluster::running(&[]).await;
    let point = checkpoint(&cluster, &leader).await;
    let task = restoring(&leader, &point).await;
    let (blobs, aside) = (cluster.path("blobs"), cluster.path("aside"));
    std::fs::rename(&blobs, &aside).unwrap();
    for path in ["/v1/restore", "/v1/restore/0/state"] {
        let reply = task.get(path).await;
        reply.is_problem(503, "blobs-unavailable");
        assert!(reply.headers.contains_key("retry-after"));
    }
    std::fs::rename(&aside, &blobs).unwrap();
    assert_eq!(task.get("/v1/restore/0/state").await.status, StatusCode::OK);
    assert!(task.is_running(&leader));
}
