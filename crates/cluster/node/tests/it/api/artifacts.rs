//! Files of jobs, through any node.

use http::Method;
use incumbent_cluster_blobs::Digest;
use incumbent_cluster_node::api::ArtifactView;

use super::harness::{Ask, Cluster, How, Running};

fn upload(node: &Running, digest: Digest, content: &'static [u8]) -> Ask {
    let mut ask = node.ask(Method::PUT, &format!("/v1/artifacts/{digest}"));
    ask.body = content.into();
    ask
}

#[tokio::test]
async fn a_file_that_one_node_took_every_node_has() {
    let cluster = Cluster::new();
    let (one, other) = (
        cluster.node(How::default()).await,
        cluster.node(How::default()).await,
    );
    let content = b"#!/bin/sh\necho hello\n";
    let digest = Digest::of(content);
    let path = format!("/v1/artifacts/{digest}");
    assert_eq!(one.ask(Method::HEAD, &path).send().await.status, 404);
    let reply = upload(&one, digest, content).send().await;
    assert_eq!(reply.status, 201);
    assert_eq!(reply.json::<ArtifactView>().size, content.len() as u64);
    assert_eq!(upload(&other, digest, content).send().await.status, 200);
    let head = other.ask(Method::HEAD, &path).send().await;
    assert_eq!(
        head.headers["content-length"],
        content.len().to_string().as_str()
    );
    let reply = other.get(&path).send().await;
    assert_eq!(&reply.body[..], content);
    assert_eq!(reply.headers["content-disposition"], "attachment");
    assert_eq!(reply.headers["content-type"], "application/octet-stream");
}

#[tokio::test]
async fn a_file_that_was_altered_on_the_way_is_not_kept() {
    let cluster = Cluster::new();
    let node = cluster.node(How::default()).await;
    let digest = Digest::of(b"good");
    let refused = upload(&node, digest, b"evil").refused().await;
    assert_eq!(refused, (422, "other-content".into()));
    assert_eq!(
        node.get(&format!("/v1/artifacts/{digest}")).refused().await,
        (404, "not-found".into())
    );
    let evil = Digest::of(b"evil");
    assert_eq!(
        node.get(&format!("/v1/artifacts/{evil}")).refused().await.0,
        404
    );
    for bad in ["x", "../../etc/passwd", &"A".repeat(64)] {
        let path = format!("/v1/artifacts/{}", bad.replace('/', "%2F"));
        assert_eq!(node.get(&path).refused().await.0, 400, "{bad}");
    }
}

#[tokio::test]
async fn a_file_that_is_too_large_is_refused_before_it_is_sent() {
    let cluster = Cluster::new();
    let node = cluster.node(How::default()).await;
    let digest = Digest::of(b"");
    let head = format!(
        "PUT /v1/artifacts/{digest} HTTP/1.1\r\nhost: {}\r\ncontent-length: {}\r\n\r\n",
        node.address,
        incumbent_cluster_blobs::MAX_ARTIFACT + 1
    );
    let answer = super::serving::raw(node.address, head.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
}

#[tokio::test]
async fn blobs_that_are_gone_are_said_to_be() {
    let cluster = Cluster::new();
    let node = cluster.node(How::default()).await;
    std::fs::remove_dir_all(cluster.blobs()).unwrap();
    let digest = Digest::of(b"x");
    for ask in [
        upload(&node, digest, b"x"),
        node.get(&format!("/v1/artifacts/{digest}")),
    ] {
        assert_eq!(ask.refused().await, (503, "blobs-unavailable".into()));
    }
}
