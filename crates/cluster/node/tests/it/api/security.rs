//! Each rule of `security/`, with its attack.

use axum::Router;
use axum::routing::post;
use http::Method;
use incumbent_cluster_node::wire::{Form, ORDERS, prove};
use serde_json::json;

use super::harness::{Cluster, How, Running, id, spec};

const TOKEN: &str = "0123456789abcdef0123456789abcdef";

fn with_token() -> How {
    How {
        token: Some(TOKEN),
        ..How::default()
    }
}

async fn is_submitted(node: &Running) -> bool {
    !node
        .node
        .group()
        .records()
        .await
        .unwrap()
        .iter()
        .all(|name| name.as_str() == "cluster")
}

#[tokio::test]
async fn a_name_that_was_rebound_to_this_machine_is_refused() {
    let cluster = Cluster::new();
    let node = cluster.node(How::default()).await;
    let path = format!("/v1/jobs/{}", id(1));
    for host in [
        "evil.example",
        "evil.example:8081",
        "127.0.0.1.evil.example",
    ] {
        for ask in [
            node.get("/v1/jobs"),
            node.get("/metrics"),
            node.get("/healthz"),
            node.put(&path, &spec("x")),
        ] {
            let refused = ask.header("host", host).refused().await;
            assert_eq!(refused, (403, "foreign-host".into()), "{host}");
        }
    }
    for host in ["localhost", "127.0.0.1", "[::1]:1"] {
        let answered = node
            .get("/v1/openapi.json")
            .header("host", host)
            .send()
            .await;
        assert_eq!(answered.status, 200);
    }
    assert!(!is_submitted(&node).await);
}

#[tokio::test]
async fn a_foreign_page_changes_nothing() {
    let cluster = Cluster::new();
    let node = cluster.node(How::default()).await;
    let path = format!("/v1/jobs/{}", id(1));
    let other_port = format!("http://127.0.0.1:{}", node.address.port() ^ 1);
    for (field, value) in [
        ("origin", "http://evil.example"),
        ("origin", "null"),
        ("origin", &other_port),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
    ] {
        for ask in [
            node.put(&path, &spec("x")),
            node.put(&format!("{path}/desired"), &json!({ "state": "canceled" })),
            node.ask(Method::DELETE, &path),
            node.ask(Method::POST, &format!("{path}/tasks/0/http/")),
        ] {
            let refused = ask.header(field, value).refused().await;
            assert_eq!(refused, (403, "foreign-page".into()), "{field}: {value}");
        }
    }
    assert!(!is_submitted(&node).await);
    let own = format!("http://{}", node.address);
    let ask = node
        .put(&path, &spec("x"))
        .header("origin", &own)
        .header("sec-fetch-site", "same-origin");
    assert_eq!(ask.send().await.status, 201);
}

#[tokio::test]
async fn no_page_is_told_that_it_may_read() {
    let cluster = Cluster::new();
    let node = cluster.node(How::default()).await;
    let preflight = node
        .ask(Method::OPTIONS, "/v1/jobs")
        .header("origin", "http://evil.example")
        .header("access-control-request-method", "PUT")
        .send()
        .await;
    assert_eq!(preflight.status, 403);
    let read = node
        .get("/v1/openapi.json")
        .header("origin", "http://evil.example")
        .send()
        .await;
    for reply in [preflight, read] {
        let is_cors = |name: &http::HeaderName| name.as_str().starts_with("access-control-");
        assert!(!reply.headers.keys().any(is_cors), "{reply:?}");
        assert_eq!(reply.headers["x-content-type-options"], "nosniff");
        assert_eq!(reply.headers["cross-origin-resource-policy"], "same-origin");
    }
}

#[tokio::test]
async fn a_node_that_others_reach_does_not_start_without_a_token() {
    let cluster = Cluster::new();
    let refused = cluster
        .listening("0.0.0.0:0", How::default())
        .await
        .err()
        .unwrap();
    let text = refused.to_string();
    assert!(
        text.contains("--token-file") && text.contains("INCUMBENT_TOKEN_FILE"),
        "{text}"
    );
    assert!(cluster.listening("0.0.0.0:0", with_token()).await.is_ok());
}

#[tokio::test]
async fn with_a_token_nothing_is_answered_without_it() {
    let cluster = Cluster::new();
    let node = cluster.node(with_token()).await;
    let bearer = format!("Bearer {TOKEN}");
    let path = format!("/v1/jobs/{}", id(1));
    for wrong in [
        None,
        Some("Bearer wrong"),
        Some("Basic 0123456789abcdef0123456789abcdef"),
        Some(""),
    ] {
        for ask in [
            node.get("/v1/jobs"),
            node.get("/v1/openapi.json"),
            node.get("/metrics"),
            node.get("/no/such/path"),
            node.put(&path, &spec("x")),
        ] {
            let ask = match wrong {
                Some(wrong) => ask.header("authorization", wrong),
                None => ask,
            };
            assert_eq!(
                ask.refused().await,
                (401, "unauthorized".into()),
                "{wrong:?}"
            );
        }
    }
    assert!(!is_submitted(&node).await);
    assert_eq!(node.get("/healthz").send().await.status, 200);
    // Any name will do: without the token it gives nothing away.
    let ask = node
        .put(&path, &spec("x"))
        .header("host", "cluster.example");
    assert_eq!(
        ask.header("authorization", &bearer).send().await.status,
        201
    );
    let foreign = node
        .put(&path, &spec("x"))
        .header("authorization", &bearer)
        .header("origin", "null");
    assert_eq!(foreign.refused().await, (403, "foreign-page".into()));
}

/// What a gateway says to a leader, anybody can say.
#[tokio::test]
async fn no_header_says_that_another_node_has_checked() {
    let cluster = Cluster::new();
    let node = cluster.node(with_token()).await;
    let open = cluster.node(How::default()).await;
    let leadership = open.lead().await;
    let epoch = leadership.epoch().to_string();
    let forged = |ask: super::harness::Ask| {
        ask.header("incumbent-epoch", &epoch)
            .header("via", "1.1 incumbent-0123456789abcdef")
            .header("forwarded", "for=127.0.0.1;host=\"localhost\"")
            .header("x-forwarded-host", "localhost")
            .header("x-forwarded-for", "127.0.0.1")
    };
    assert_eq!(forged(node.get("/v1/jobs")).refused().await.0, 401);
    let rebound = forged(open.get("/v1/jobs")).header("host", "evil.example");
    assert_eq!(rebound.refused().await, (403, "foreign-host".into()));
}

/// The second node sees what the first one saw.
#[tokio::test]
async fn a_request_that_is_passed_on_passes_the_same_checks_again() {
    let cluster = Cluster::new();
    let leader = How {
        leader: Some(Default::default()),
        ..with_token()
    };
    let (leader, front) = (cluster.node(leader).await, cluster.node(with_token()).await);
    let leadership = leader.lead().await;
    front.follows().await;
    let bearer = format!("Bearer {TOKEN}");
    let ask = front.get("/v1/jobs").header("host", "cluster.example");
    assert_eq!(
        ask.header("authorization", &bearer).send().await.status,
        200
    );
    let ask = front.put(
        &format!("/v1/jobs/{}/desired", id(1)),
        &json!({ "state": "canceled" }),
    );
    let ask = ask
        .header("authorization", &bearer)
        .header("origin", "http://cluster.example");
    // Of the same origin at the first node, and at the second.
    assert_eq!(ask.header("host", "cluster.example").refused().await.0, 404);
    drop(leadership);
}

#[tokio::test]
async fn a_users_token_orders_no_task_manager_and_a_nodes_proof_is_no_token() {
    let cluster = Cluster::new();
    let reached = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let orders = {
        let reached = std::sync::Arc::clone(&reached);
        Router::new().route(
            ORDERS,
            post(async move || reached.store(true, std::sync::atomic::Ordering::SeqCst)),
        )
    };
    // The secret is known only once there is a cluster.
    let first = cluster.node(with_token()).await;
    let how = How {
        node: prove(orders, &first.node.cluster().secret, Form::Whole),
        ..with_token()
    };
    let node = cluster.node(how).await;
    let ask = || {
        node.ask(Method::POST, ORDERS)
            .header("authorization", &format!("Bearer {TOKEN}"))
    };
    assert_eq!(ask().send().await.status, 401);
    let forged = ask().header("incumbent-proof", "1 00 00");
    assert!(matches!(forged.send().await.status.as_u16(), 401 | 403));
    assert_eq!(
        node.get("/node/v1/metrics")
            .header("authorization", &format!("Bearer {TOKEN}"))
            .send()
            .await
            .status,
        401
    );
    assert!(!reached.load(std::sync::atomic::Ordering::SeqCst));
    // A node that proves itself is let in there, and needs a token elsewhere all the same.
    let client = first.node.client();
    let to = node.address.to_string();
    let empty = bytes::Bytes::new();
    let ordered = client.whole(
        Method::POST,
        &to,
        ORDERS,
        empty.clone(),
        super::harness::PATIENCE,
    );
    assert!(ordered.await.is_ok());
    let asked = client.whole(
        Method::GET,
        &to,
        "/v1/jobs",
        empty,
        super::harness::PATIENCE,
    );
    assert!(asked.await.unwrap_err().to_string().contains("401"));
}
