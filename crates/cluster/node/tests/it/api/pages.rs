//! The pages, what they ask first, and that logging in opens what it should and nothing else.

use http::Method;
use incumbent_cluster_node::api::{FeatureKind, Features};
use serde_json::json;

use super::harness::{Ask, Cluster, How, Running, id, spec};

const TOKEN: &str = "0123456789abcdef0123456789abcdef";

fn with_token() -> How {
    How {
        token: Some(TOKEN),
        ..How::default()
    }
}

/// Logs in, and returns `name=value` of the cookie.
async fn log_in(node: &Running) -> String {
    let reply = ask_in(node, TOKEN).send().await;
    assert_eq!(reply.status, 200, "{reply:?}");
    let line = reply.headers["set-cookie"].to_str().unwrap();
    for part in ["HttpOnly", "SameSite=Strict", "Path=/", "Max-Age=43200"] {
        assert!(line.contains(part), "{line}");
    }
    assert!(
        !line.contains("Secure"),
        "without TLS nobody would send it back"
    );
    assert!(!line.contains(TOKEN) && !reply.text().contains(TOKEN));
    line.split(';').next().unwrap().to_owned()
}

fn ask_in(node: &Running, token: &str) -> Ask {
    let mut ask = node.ask(Method::POST, "/v1/session");
    ask.body = json!({ "token": token }).to_string().into();
    ask.header("origin", &format!("http://{}", node.address))
}

#[tokio::test]
async fn every_node_serves_the_pages_with_a_strict_policy() {
    let cluster = Cluster::new();
    let node = cluster.node(How::default()).await;
    for (path, kind) in [
        ("/", "text/html"),
        ("/ui/main.js", "text/javascript"),
        ("/ui/base.css", "text/css"),
    ] {
        let reply = node.get(path).send().await;
        assert_eq!(reply.status, 200, "{path}");
        let given = reply.headers["content-type"].to_str().unwrap();
        assert!(given.starts_with(kind), "{path}: {given}");
        let policy = reply.headers["content-security-policy"].to_str().unwrap();
        for part in [
            "default-src 'none'",
            "script-src 'self'",
            "frame-ancestors 'none'",
        ] {
            assert!(policy.contains(part), "{path}: {policy}");
        }
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(reply.headers["x-content-type-options"], "nosniff");
    }
    for (method, path) in [(Method::PUT, "/"), (Method::POST, "/ui/main.js")] {
        assert_eq!(node.ask(method, path).send().await.status, 405);
    }
    assert_eq!(node.get("/ui/no.js").send().await.status, 404);
}

#[tokio::test]
async fn with_a_token_the_pages_open_and_nothing_of_the_cluster_does() {
    let cluster = Cluster::new();
    let node = cluster.node(with_token()).await;
    for path in ["/", "/ui/main.js"] {
        assert_eq!(node.get(path).send().await.status, 200, "{path}");
    }
    let features: Features = node.get("/v1/features").send().await.json();
    assert_eq!(
        (features.kind, features.needs_token, features.is_allowed),
        (FeatureKind::Cluster, true, false)
    );
    for path in [
        "/v1/events",
        "/v1/leadership",
        "/v1/records",
        "/v1/overview",
        "/v1/jobs",
        "/metrics",
    ] {
        assert_eq!(node.get(path).refused().await.0, 401, "{path}");
    }
    // What is open for reading is not open for anything else.
    assert_eq!(node.ask(Method::PUT, "/v1/features").refused().await.0, 401);
}

#[tokio::test]
async fn a_session_of_one_node_is_one_at_all_nodes_and_ends() {
    let cluster = Cluster::new();
    let node = cluster.node(with_token()).await;
    let other = cluster.node(with_token()).await;
    assert_eq!(ask_in(&node, "wrong").refused().await.0, 401);
    assert_eq!(ask_in(&node, "").refused().await.0, 401);
    let cookie = log_in(&node).await;
    for node in [&node, &other] {
        let reply = node
            .get("/v1/records")
            .header("cookie", &cookie)
            .send()
            .await;
        assert_eq!(reply.status, 200, "{reply:?}");
        let features = node.get("/v1/features").header("cookie", &cookie);
        assert!(features.send().await.json::<Features>().is_allowed);
    }
    let altered = format!("{cookie}0");
    assert_eq!(
        node.get("/v1/records")
            .header("cookie", &altered)
            .refused()
            .await
            .0,
        401
    );
    let out = node
        .ask(Method::DELETE, "/v1/session")
        .header("cookie", &cookie);
    let out = out.header("sec-fetch-site", "same-origin").send().await;
    assert_eq!(out.status, 204);
    let line = out.headers["set-cookie"].to_str().unwrap();
    assert!(line.contains("Max-Age=0"), "{line}");
    // The name of the cookie is made of the token: nobody hears it who does not know it.
    for cookie in ["", "incumbent-00000000=x"] {
        let out = node.ask(Method::DELETE, "/v1/session");
        let out = out.header("cookie", cookie).send().await;
        assert_eq!(out.status, 204);
        assert!(!out.headers.contains_key("set-cookie"), "{out:?}");
    }
}

#[tokio::test]
async fn a_session_changes_something_only_from_a_page_of_the_node() {
    let cluster = Cluster::new();
    let node = cluster.node(with_token()).await;
    let cookie = log_in(&node).await;
    let submit = || {
        let path = format!("/v1/jobs/{}", id(1));
        node.put(&path, &spec("x")).header("cookie", &cookie)
    };
    let own = format!("http://{}", node.address);
    for refused in [
        submit(),
        submit().header("origin", "http://evil.example"),
        submit().header("origin", "null"),
        submit().header("sec-fetch-site", "same-site"),
        submit().header("sec-fetch-site", "none"),
    ] {
        assert_eq!(refused.refused().await, (403, "foreign-page".into()));
    }
    // Another site cannot log somebody in, or out.
    let foreign = ask_in(&node, TOKEN).header("origin", "http://evil.example");
    assert_eq!(foreign.refused().await.0, 403);
    let foreign = node
        .ask(Method::DELETE, "/v1/session")
        .header("origin", "null");
    assert_eq!(foreign.refused().await.0, 403);
    assert_eq!(submit().header("origin", &own).send().await.status, 201);
}

#[tokio::test]
async fn a_node_without_a_token_has_nothing_to_log_in_to() {
    let cluster = Cluster::new();
    let node = cluster.node(How::default()).await;
    let features: Features = node.get("/v1/features").send().await.json();
    assert!(!features.needs_token && features.is_allowed);
    assert_eq!(ask_in(&node, TOKEN).refused().await.0, 409);
}
