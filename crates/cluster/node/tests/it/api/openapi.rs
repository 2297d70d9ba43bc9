//! The document says what there is.

use http::Method;
use serde_json::Value;

use super::harness::{Cluster, FakeLeader, How, id, view};

/// All `$ref`s in a document.
fn references<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
    match value {
        Value::Object(fields) => {
            found.extend(fields.get("$ref").and_then(Value::as_str));
            fields.values().for_each(|value| references(value, found));
        }
        Value::Array(values) => values.iter().for_each(|value| references(value, found)),
        _ => {}
    }
}

#[tokio::test]
async fn every_operation_of_the_document_is_answered_and_every_reference_resolves() {
    let cluster = Cluster::new();
    let fake = FakeLeader::default();
    fake.add(view(id(1), "job"));
    let how = How {
        leader: Some(fake.into()),
        ..How::default()
    };
    let node = cluster.node(how).await;
    let leadership = node.lead().await;
    let document: Value = node.get("/v1/openapi.json").send().await.json();
    let mut found = Vec::new();
    references(&document, &mut found);
    assert!(found.len() > 20);
    for reference in found {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{reference}");
    }
    let mut names = std::collections::BTreeSet::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let name = operation["operationId"].as_str().unwrap();
            assert!(names.insert(name.to_owned()), "{name} is there twice");
            let (job, digest) = (id(1).to_string(), "0".repeat(64));
            let path = path
                .replace("{job}", &job)
                .replace("{digest}", &digest)
                .replace("{savepoint}", &"a".repeat(32))
                .replace("{state}", "totals")
                .replace("{key}", "alice")
                .replace("{rank}", "0")
                .replace("{node}", "tm")
                .replace("{name}", "cluster")
                .replace("{path}", "x");
            let method: Method = method.to_uppercase().parse().unwrap();
            if path == "/v1/events" {
                // It goes on for ever.
                assert_eq!(node.get(&path).open().await.status(), 200);
                continue;
            }
            let reply = node.ask(method.clone(), &path).send().await;
            let is_routed = reply.status != 405 && !reply.text().contains("This node has no path");
            assert!(is_routed, "{method} {path}: {reply:?}");
        }
    }
    // The contract of tasks has a document of its own, which is a whole one, too.
    let contract: Value = node.get("/v1/task-openapi.json").send().await.json();
    assert!(contract["paths"]["/v1/ready"]["post"].is_object());
    let mut found = Vec::new();
    references(&contract, &mut found);
    for reference in found {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(contract.pointer(pointer).is_some(), "{reference}");
    }
    // What the document does not have is not there.
    for path in ["/v1", "/v1/", "/v1/job", "/v2/jobs", "/ui", "/ui/"] {
        let reply = node.get(path).send().await;
        assert_eq!(
            (reply.status.as_u16(), reply.problem().name()),
            (404, "not-found"),
            "{path}"
        );
    }
    for (method, path) in [
        (Method::POST, "/v1/jobs"),
        (Method::DELETE, "/v1/cluster"),
        (Method::PATCH, "/v1/nodes"),
    ] {
        assert_eq!(node.ask(method, path).refused().await.0, 405);
    }
    drop(leadership);
}
