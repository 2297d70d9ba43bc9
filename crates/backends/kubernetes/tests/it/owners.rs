//! The owner of our objects.

use incumbent::backend::{Backend, Expected, Failure};
use incumbent_kubernetes_double::Verb;
use serde_json::{Value, json};

use crate::{Server, create, key, replace};

fn deployment() -> Value {
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "spec": {
            "selector": { "matchLabels": { "app": "jm" } },
            "template": {
                "metadata": { "labels": { "app": "jm" } },
                "spec": { "containers": [{ "name": "jm", "image": "jm" }] },
            },
        },
    })
}

fn owners(server: &Server, resource: &str, name: &str) -> Value {
    server.double.object(resource, "default", name).unwrap()["metadata"]["ownerReferences"].clone()
}

#[tokio::test]
async fn without_an_owner_nothing_deletes_our_objects() {
    let server = Server::start().await;
    create(&server.open(""), &key("a"), b"").await;
    assert_eq!(owners(&server, "configmaps", "demo.g.a"), Value::Null);
}

#[tokio::test]
async fn an_owner_is_looked_up_once_and_on_all_objects() {
    let server = Server::start().await;
    let owner = server
        .double
        .put_by_hand("deployments", "default", "jm", deployment());
    let backend = server.open("owner=deployment/jm&root=lease");
    let expected = json!([{
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "name": "jm",
        "uid": owner["metadata"]["uid"],
    }]);
    let first = create(&backend, &key("a"), b"1").await;
    replace(&backend, &key("a"), &first, b"2").await;
    create(&backend, &key("@floor"), b"").await;
    assert_eq!(server.seen(&[Verb::Get]).len(), 1);
    create(&backend, &key("@root"), b"").await;
    for (resource, name) in [
        ("configmaps", "demo.g.a"),
        ("configmaps", "demo.g--floor"),
        ("leases", "demo.g--root"),
    ] {
        assert_eq!(owners(&server, resource, name), expected, "{name}");
    }
}

#[tokio::test]
async fn an_owner_that_does_not_exist_is_an_error() {
    let server = Server::start().await;
    let backend = server.open("owner=statefulset/jm");
    match backend.swap(&key("a"), Expected::Absent, b"").await {
        Err(Failure::NotApplied(cause)) => {
            let text = cause.to_string();
            assert!(
                text.contains("find the owner statefulsets/jm") && text.contains("does not exist"),
                "{text}"
            );
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(server.writes().len(), 0);
}

#[tokio::test]
async fn an_owner_made_again_is_looked_up_for_the_next_root() {
    let server = Server::start().await;
    server
        .double
        .put_by_hand("deployments", "default", "jm", deployment());
    let backend = server.open("owner=deployment/jm");
    create(&backend, &key("@root"), b"").await;
    server.double.delete_by_hand("deployments", "default", "jm");
    // As the garbage collector does.
    server
        .double
        .delete_by_hand("configmaps", "default", "demo.g--root");
    let owner = server
        .double
        .put_by_hand("deployments", "default", "jm", deployment());
    create(&backend, &key("@root"), b"").await;
    assert_eq!(
        owners(&server, "configmaps", "demo.g--root")[0]["uid"],
        owner["metadata"]["uid"]
    );
}
