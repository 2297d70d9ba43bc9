//! What only the double does on demand: go down, drop history, revoke tokens, show its objects.

use std::time::Duration;

use incumbent_kubernetes_double::{Double, How, Options, Rule, Verb};
use kube::config::Kubeconfig;
use serde_json::{Value, json};

use crate::api::Api;
use crate::faults::{once, post};

#[tokio::test]
async fn it_goes_down_and_comes_back_with_all_it_had() {
    let (double, api) = Api::of_double().await;
    assert_eq!(post(&api, "a").await.unwrap(), 201);
    let mut watch = api.watch("configmaps", "").await;
    assert_eq!(
        watch.kind_and_name().await,
        format!("ADDED {}", api.name("a"))
    );
    double.go_down();
    double.go_down();
    watch.next_or_fail().await.unwrap_err();
    post(&api, "b").await.unwrap_err();
    double.come_back();
    double.come_back();
    assert_eq!(post(&api, "b").await.unwrap(), 201);
    assert_eq!(double.count("configmaps", ""), 2);
}

#[tokio::test]
async fn what_is_forgotten_is_expired() {
    let (double, api) = Api::of_double().await;
    for name in ["a", "b", "c"] {
        post(&api, name).await.unwrap();
    }
    let first = api
        .get(&api.path("configmaps", "?limit=1"))
        .await
        .is(200)
        .body;
    assert_eq!(first["metadata"]["remainingItemCount"], 2);
    let (version, token) = (
        &first["metadata"]["resourceVersion"],
        &first["metadata"]["continue"],
    );
    let version = version.as_str().unwrap();
    let mut running = api
        .watch("configmaps", &format!("resourceVersion={version}"))
        .await;
    double.compact();
    // A watch that has missed nothing continues.
    post(&api, "d").await.unwrap();
    assert_eq!(
        running.kind_and_name().await,
        format!("ADDED {}", api.name("d"))
    );
    let mut watch = api
        .watch("configmaps", &format!("resourceVersion={version}"))
        .await;
    let (kind, status) = watch.next().await.unwrap();
    assert_eq!(
        (kind.as_str(), &status["code"], &status["reason"]),
        ("ERROR", &json!(410), &json!("Expired"))
    );
    assert_eq!(watch.next().await, None);
    let rest = |token: &Value| {
        api.path(
            "configmaps",
            &format!("?limit=5&continue={}", token.as_str().unwrap()),
        )
    };
    let refused = api.get(&rest(token)).await.refused_for(410, "Expired");
    // A client may continue with the present state.
    let inconsistent = api
        .get(&rest(&refused.body["metadata"]["continue"]))
        .await
        .is(200)
        .body;
    assert_eq!(inconsistent["items"].as_array().unwrap().len(), 3);
    let exact = api.path(
        "configmaps",
        &format!("?resourceVersion={version}&resourceVersionMatch=Exact"),
    );
    api.get(&exact).await.refused_for(410, "Expired");
    // A watch from the newest version works.
    let mut watch = api
        .watch(
            "configmaps",
            &format!("resourceVersion={}", double.revision()),
        )
        .await;
    post(&api, "e").await.unwrap();
    assert_eq!(
        watch.kind_and_name().await,
        format!("ADDED {}", api.name("e"))
    );
}

#[tokio::test]
async fn watches_can_be_cut() {
    let (double, api) = Api::of_double().await;
    let mut watch = api.watch("configmaps", "").await;
    double.cut_watches();
    watch.next_or_fail().await.unwrap_err();
    double.inject(once(Verb::Watch, How::CutInAnswer));
    post(&api, "a").await.unwrap();
    api.watch("configmaps", "")
        .await
        .next_or_fail()
        .await
        .unwrap_err();
}

#[tokio::test]
async fn a_quiet_watch_gets_bookmarks_too() {
    let options = Options {
        bookmark_every: Duration::from_millis(30),
        ..Options::default()
    };
    let double = Double::start(options).await;
    let api = Api::of(Kubeconfig::from_yaml(&double.kubeconfig(None)).unwrap()).await;
    let query = format!(
        "allowWatchBookmarks=true&resourceVersion={}",
        double.revision()
    );
    let mut watch = api.watch("configmaps", &query).await;
    for _ in 0..3 {
        assert_eq!(watch.next_of_any_kind().await.unwrap().0, "BOOKMARK");
    }
    // Bookmarks advance with changes of other objects.
    api.create("leases", &json!({"metadata": api.metadata("a")}))
        .await;
    let newest = double.revision().to_string();
    while watch.next_of_any_kind().await.unwrap().1["metadata"]["resourceVersion"]
        != newest.as_str()
    {}
}

#[tokio::test]
async fn every_request_is_seen() {
    let (double, api) = Api::of_double().await;
    let body = api.config_map("a", "1").to_string();
    let agent = [("user-agent", "it/1"), ("content-type", "application/json")];
    api.send("POST", &api.path("configmaps", ""), &agent, body.as_bytes())
        .await
        .is(201);
    api.get("/version").await.is(200);
    let text = api.get(&api.one("leases", "b")).await.is(404).text;
    let seen = double.seen();
    assert_eq!(seen.len(), 2);
    let (first, second) = (&seen[0], &seen[1]);
    assert_eq!(
        (first.verb, first.resource.as_str(), first.status),
        (Verb::Create, "configmaps", 201)
    );
    assert_eq!(
        (first.name.as_str(), first.namespace.as_str()),
        (api.name("a").as_str(), "default")
    );
    assert_eq!(
        (first.user_agent.as_str(), first.bytes_in),
        ("it/1", body.len() as u64)
    );
    assert_eq!(
        (second.verb, second.status, second.bytes_out),
        (Verb::Get, 404, text.len() as u64)
    );
    assert!(first.at <= second.at);
    double.forget_seen();
    assert!(double.seen().is_empty());
}

#[tokio::test]
async fn a_token_is_a_user() {
    let (double, api) = Api::of_double().await;
    double.allow(
        "t1",
        "someone",
        vec![Rule::new("", &["configmaps"], &["get", "create"]).within("default")],
    );
    let me = Api::of(Kubeconfig::from_yaml(&double.kubeconfig(Some("t1"))).unwrap()).await;
    assert_eq!(post(&me, "a").await.unwrap(), 201);
    me.get(&me.one("configmaps", "a")).await.is(200);
    let got = me
        .delete(&me.one("configmaps", "a"), &Value::Null)
        .await
        .refused_for(403, "Forbidden");
    assert!(
        got.body["message"]
            .as_str()
            .unwrap()
            .contains("User \"someone\" cannot delete resource \"configmaps\"")
    );
    let other = [("impersonate-user", "system:admin")];
    me.send("GET", &me.one("configmaps", "a"), &other, b"")
        .await
        .refused_for(403, "Forbidden");
    let stranger = Api::of(Kubeconfig::from_yaml(&double.kubeconfig(Some("t2"))).unwrap()).await;
    stranger
        .get(&api.one("configmaps", "a"))
        .await
        .refused(401, "Unauthorized", "Unauthorized");
    stranger
        .get("/version")
        .await
        .refused_for(401, "Unauthorized");
    double.allow(
        "t1",
        "someone",
        vec![Rule::new("", &["*"], &["*"]).named(&["x"])],
    );
    me.get(&me.one("configmaps", "a"))
        .await
        .refused_for(403, "Forbidden");
}

#[tokio::test]
async fn a_hand_may_write_and_remove() {
    let (double, api) = Api::of_double().await;
    let mut watch = api.watch("leases", "").await;
    let written = double.put_by_hand(
        "leases",
        "default",
        "x",
        json!({"spec": {"holderIdentity": "me"}}),
    );
    assert_eq!(
        api.get(&api.path("leases", "/x")).await.is(200).body,
        written
    );
    let again = double.put_by_hand(
        "leases",
        "default",
        "x",
        json!({"spec": {"holderIdentity": "you"}}),
    );
    assert_eq!(again["metadata"]["uid"], written["metadata"]["uid"]);
    for expected in ["ADDED x", "MODIFIED x"] {
        assert_eq!(watch.kind_and_name().await, expected);
    }
    assert_eq!(double.delete_by_hand("leases", "default", "x"), Some(again));
    assert_eq!(watch.kind_and_name().await, "DELETED x");
    assert_eq!(double.delete_by_hand("leases", "default", "x"), None);
}

#[tokio::test]
async fn a_dry_run_is_refused() {
    let (_double, api) = Api::of_double().await;
    let made = api
        .post(
            &api.path("configmaps", "?dryRun=All"),
            &api.config_map("a", "1"),
        )
        .await;
    made.refused_for(400, "BadRequest");
    api.get(&api.one("configmaps", "a")).await.is(404);
}
