//! What tasks show to people: metrics and progress. The document of the socket.

use bytes::Bytes;
use http::{Method, StatusCode};
use incumbent_cluster_node::task_manager::task_document;
use incumbent_cluster_node::wire::METRICS;
use serde_json::Value;

use super::super::harness::{Cluster, Leader, PATIENCE};
use super::client::Task;

async fn scraped(leader: &Leader) -> String {
    let (client, to) = (leader.node.client(), leader.address());
    let asked = client.whole(Method::GET, &to, METRICS, Bytes::new(), PATIENCE);
    String::from_utf8(asked.await.unwrap().into()).unwrap()
}

#[tokio::test]
async fn metrics_of_tasks_are_among_those_of_their_task_manager_until_they_end() {
    let (_cluster, leader, _process) = Cluster::running(&[]).await;
    let task = Task::start(&leader).await;
    let text = "# TYPE records counter\nrecords_total 3\n# EOF\n";
    assert_eq!(task.put("/v1/metrics", text).await.status, StatusCode::OK);
    let shown = scraped(&leader).await;
    assert!(
        shown.contains("records_total{job=\"test\",rank=\"0\"} 3\n"),
        "{shown}"
    );
    // What it takes is there without a word of its own.
    for name in ["cpu_seconds_total", "memory_bytes"] {
        let sample = format!("incumbent_cluster_task_{name}{{job=\"test\",rank=\"0\"}} ");
        assert!(shown.contains(&sample), "{shown}");
    }
    let bad = task.put("/v1/metrics", "records\n").await;
    bad.is_problem(400, "bad-request");
    let large = task
        .ask(Method::PUT, "/v1/metrics", vec![b'#'; 70_000])
        .await;
    large.is_problem(413, "too-large");
    leader.end(&task.deploy, 0).await;
    task.ended(&leader).await;
    assert!(!scraped(&leader).await.contains("records_total"));
}

#[tokio::test]
async fn progress_is_reported_with_a_heartbeat() {
    let (_cluster, leader, _process) = Cluster::running(&[]).await;
    let task = Task::start_as(&leader, |_| {}).await;
    for line in ["one", "two\n", "thrée"] {
        assert_eq!(task.put("/v1/progress", line).await.status, StatusCode::OK);
    }
    let id = task.id();
    let is_told = |known: &super::super::harness::Known| {
        known.progress.get(&id).is_some_and(|line| line == "thrée")
    };
    leader.told("the last line", is_told).await;
    task.put("/v1/progress", "a\nb")
        .await
        .is_problem(400, "bad-request");
    for bytes in [201, 202, 4096] {
        let long = "x".repeat(bytes);
        let refused = task.ask(Method::PUT, "/v1/progress", long).await;
        assert!(
            refused.json()["detail"]
                .as_str()
                .unwrap()
                .contains("more than 200 bytes")
        );
        refused.is_problem(413, "too-large");
    }
    assert_eq!(
        task.ask(Method::PUT, "/v1/progress", "x".repeat(200))
            .await
            .status,
        StatusCode::OK
    );
}

#[tokio::test]
async fn the_document_says_what_there_is() {
    let (_cluster, leader, _process) = Cluster::running(&[]).await;
    let task = Task::start_as(&leader, |_| {}).await;
    let document = task.get("/v1/openapi.json").await.json();
    let same: Value = serde_json::from_str(task_document()).unwrap();
    assert_eq!(document, same);
    let mut operations = 0;
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            operations += 1;
            assert!(operation["operationId"].is_string());
            // It is a stream, also of a job that does not checkpoint: its own tests read it.
            if (path.as_str(), method.as_str()) == ("/v1/queries", "get") {
                continue;
            }
            let path = path
                .replace("{n}", "1")
                .replace("{file}", "f")
                .replace("{rank}", "0")
                .replace("{id}", "1");
            let method: Method = method.to_uppercase().parse().unwrap();
            let reply = task.ask(method.clone(), &path, "").await;
            let text = String::from_utf8_lossy(&reply.body).into_owned();
            let is_routed =
                reply.status != StatusCode::METHOD_NOT_ALLOWED && !text.contains("has no path");
            assert!(is_routed, "{method} {path}: {reply:?}");
        }
    }
    assert_eq!(operations, 13);
    let text = document.to_string();
    for reference in text.split("\"$ref\":\"#").skip(1) {
        let pointer = reference.split('"').next().unwrap();
        assert!(document.pointer(pointer).is_some(), "{pointer}");
    }
}
