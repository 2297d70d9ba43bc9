//! A task's own HTTP: neither side learns what is not its own.

use axum::extract::Request;
use axum::response::IntoResponse;
use axum::routing::any;
use axum::{Json, Router};
use http::Method;
use incumbent_cluster_node::wire::{Form, prove};
use serde_json::{Value, json};

use super::harness::{Cluster, How, Running, id, record};

/// A TaskManager whose task says what it was asked, and tries what it may not do.
async fn task_manager(cluster: &Cluster) -> Running {
    let first = cluster.node(How::default()).await;
    let task = any(async |request: Request| {
        let fields: Vec<String> = request
            .headers()
            .keys()
            .map(|name| name.to_string())
            .collect();
        let asked = json!({
            "method": request.method().as_str(),
            "path": request.uri().to_string(),
            "fields": fields,
        });
        let said = [
            ("set-cookie", "mine=1"),
            (
                "content-security-policy",
                "sandbox allow-same-origin allow-scripts",
            ),
            ("access-control-allow-origin", "*"),
            ("x-own", "kept"),
        ];
        (said, Json(asked)).into_response()
    });
    let routes = Router::new().route("/node/v1/tasks/{*path}", task);
    let node = prove(routes, &first.node.cluster().secret, Form::Streams);
    cluster
        .node(How {
            node,
            ..How::default()
        })
        .await
}

#[tokio::test]
async fn a_task_sees_no_cookie_and_sets_none_and_its_page_is_in_a_sandbox() {
    let cluster = Cluster::new();
    let there = task_manager(&cluster).await;
    let node = cluster.node(How::default()).await;
    node.write(&record(id(1), 2, there.address)).await;
    let path = format!("/v1/jobs/{}/tasks/1/http", id(1));
    let reply = node
        .get(&format!("{path}/a%2Fb/c?d=e"))
        .header("cookie", "session=secret")
        .header("authorization", "Bearer secret")
        .header("x-mine", "1")
        .send()
        .await;
    assert_eq!(reply.status, 200, "{reply:?}");
    let asked: Value = reply.json();
    let expected = format!(
        "/node/v1/tasks/{}/0000000000000007/1/1/http/http/a%2Fb/c?d=e",
        id(1)
    );
    assert!(
        asked["path"].as_str().unwrap().ends_with(&expected),
        "{asked}"
    );
    let fields = asked["fields"].as_array().unwrap();
    assert!(fields.contains(&json!("x-mine")));
    for secret in ["cookie", "authorization"] {
        assert!(!fields.contains(&json!(secret)), "{asked}");
    }
    assert_eq!(reply.headers["content-security-policy"], "sandbox");
    assert_eq!(reply.headers["x-content-type-options"], "nosniff");
    assert_eq!(reply.headers["x-own"], "kept");
    // What all other answers say would keep the page from its own pictures.
    for gone in [
        "set-cookie",
        "access-control-allow-origin",
        "incumbent-proof",
        "cross-origin-resource-policy",
        "x-frame-options",
        "cache-control",
    ] {
        assert!(!reply.headers.contains_key(gone), "{gone}");
    }
    // What a page in a sandbox sends says so, and is refused.
    let attack = node.put(&format!("/v1/jobs/{}", id(2)), &super::harness::spec("x"));
    assert_eq!(
        attack.header("origin", "null").refused().await,
        (403, "foreign-page".into())
    );
    for (path, rest) in [
        (format!("{path}/"), "/http/http/"),
        (format!("{path}/?q"), "/http/http/?q"),
    ] {
        let asked: Value = node.ask(Method::POST, &path).send().await.json();
        assert!(asked["path"].as_str().unwrap().ends_with(rest), "{asked}");
        assert_eq!(asked["method"], "POST");
    }
    assert_eq!(node.get(&path).send().await.headers["location"], "http/");
}

#[tokio::test]
async fn a_task_that_cannot_be_asked_is_said_to_be() {
    let cluster = Cluster::new();
    let node = cluster.node(How::default()).await;
    let mut waiting = record(id(2), 1, node.address);
    waiting.placements.clear();
    node.write(&record(id(1), 1, "127.0.0.1:1".parse().unwrap()))
        .await;
    node.write(&waiting).await;
    for (job, rank, expected) in [
        (id(1), 0, (502, "node-unreached")),
        (id(1), 1, (404, "not-found")),
        (id(2), 0, (409, "conflict")),
        (id(3), 0, (404, "not-found")),
    ] {
        let refused = node
            .get(&format!("/v1/jobs/{job}/tasks/{rank}/http/"))
            .refused()
            .await;
        assert_eq!(refused, (expected.0, expected.1.into()), "{job} {rank}");
    }
}
