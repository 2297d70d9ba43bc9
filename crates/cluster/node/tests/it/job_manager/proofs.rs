//! Who is let in under `/node/v1`.

use axum::body::Body;
use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client as Http;
use hyper_util::rt::TokioExecutor;
use incumbent_cluster_core::JobId;
use incumbent_cluster_node::NodeSecret;
use incumbent_cluster_node::wire::{Client, PROOF, REPORTS, WireError, hint};
use serde_json::json;

use super::harness::{PATIENCE, Place};

/// What a client gets that knows nothing of proofs, or has this one.
async fn plain(address: &str, fields: &[(http::HeaderName, &str)]) -> (StatusCode, String) {
    let http: Http<_, Full<Bytes>> = Http::builder(TokioExecutor::new()).build_http();
    let uri = format!("http://{address}{REPORTS}");
    let mut request = Request::post(uri);
    for (name, value) in fields {
        request = request.header(name, *value);
    }
    let answer = http.request(request.body(Full::from("{}")).unwrap());
    let answer = answer.await.unwrap();
    let (head, body) = answer.into_parts();
    assert!(!head.headers.contains_key(PROOF));
    let body = body.collect().await.unwrap().to_bytes();
    (head.status, String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test]
async fn without_a_proof_nobody_is_let_in_and_a_users_token_is_none() {
    let place = Place::memory();
    let manager = place.manager("jm-1").await;
    let (status, body) = plain(manager.node.address(), &[]).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    assert!(body.contains("for nodes of the cluster"), "{body}");
    let token = [(AUTHORIZATION, "Bearer a-users-token")];
    let (status, _) = plain(manager.node.address(), &token).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    let nonsense = [(PROOF, "1 whole 00 00 00")];
    let (status, _) = plain(manager.node.address(), &nonsense).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn the_secret_of_another_cluster_is_refused_on_both_sides() {
    let place = Place::memory();
    let manager = place.manager("jm-1").await;
    manager.leads().await;
    let to = manager.node.address();
    let path = hint(JobId::new(1));
    let ask = async |client: &Client| {
        let asked = client.whole(Method::POST, to, &path, Bytes::new(), PATIENCE);
        asked.await
    };
    assert!(ask(manager.node.client()).await.is_ok());
    let other = Client::new(NodeSecret::new([7; 32]), None).unwrap();
    let error = ask(&other).await.unwrap_err();
    assert!(matches!(error, WireError::Unproven { .. }), "{error}");
    let text = error.to_string();
    assert!(text.contains("same store"), "{text}");
    assert!(!text.contains("0707"), "{text}");
}

/// A process that listens at the address of a node and does not know the secret.
#[tokio::test]
async fn an_answer_without_a_proof_is_not_believed() {
    let place = Place::memory();
    let manager = place.manager("jm-1").await;
    let (listener, bound) = super::harness::listen().await;
    let router = axum::Router::new().fallback(async || Body::from("null"));
    let serving = tokio::spawn(super::harness::serve(listener, router, None));
    let (client, to) = (manager.node.client(), bound.to_string());
    let body = json!({});
    let answer = client.post::<serde_json::Value>(&to, REPORTS, &body, PATIENCE);
    let error = answer.await.unwrap_err();
    assert!(matches!(error, WireError::Unproven { .. }), "{error}");
    serving.abort();
}

#[tokio::test]
async fn a_body_that_was_altered_on_the_way_is_refused() {
    use std::sync::{Arc, Mutex};
    let place = Place::memory();
    let manager = place.manager("jm-1").await;
    // What a node sends is caught in between.
    let caught = Arc::new(Mutex::new(None));
    let (listener, bound) = super::harness::listen().await;
    let keep = Arc::clone(&caught);
    let router = axum::Router::new().fallback(async move |request: Request<Body>| {
        let proof = request.headers().get(PROOF).cloned();
        *keep.lock().unwrap() = proof;
    });
    let serving = tokio::spawn(super::harness::serve(listener, router, None));
    let (client, to) = (manager.node.client(), bound.to_string());
    let body = json!({"a": 1});
    let sent = client.post::<()>(&to, REPORTS, &body, PATIENCE);
    assert!(sent.await.is_err());
    let proof = caught.lock().unwrap().clone().expect("it was caught");
    let fields = [(PROOF, proof.to_str().unwrap())];
    let (status, _) = plain(manager.node.address(), &fields).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    serving.abort();
}

#[tokio::test]
async fn a_secret_is_in_no_debug_text() {
    let place = Place::memory();
    let manager = place.manager("jm-1").await;
    let text = format!("{:?}", manager.node.cluster());
    assert!(text.contains("NodeSecret(…)"), "{text}");
    assert!(!text.contains("secret: \""), "{text}");
}

#[tokio::test]
async fn all_nodes_of_a_store_are_of_one_cluster() {
    let place = Place::directory();
    let nodes = ["a", "b", "c"].map(|name| place.node(name, "127.0.0.1:1".parse().unwrap()));
    let nodes = futures::future::join_all(nodes).await;
    for node in &nodes {
        assert_eq!(node.cluster(), nodes[0].cluster());
    }
}
