//! Watches.

use serde_json::{Value, json};

use crate::api::Api;

crate::claims! {
    a_watch_tells_every_change_after_a_version
    a_watch_from_nothing_begins_with_what_is_there
    a_watch_tells_what_comes_to_be_chosen_and_ceases_to_be
    a_watch_can_be_for_one_name
    a_watch_ends_in_time
    a_watch_gets_a_bookmark_before_its_end
    initial_events_can_be_asked_for
    a_watch_can_be_for_metadata_alone
    a_write_that_changes_nothing_gives_no_event
    a_pod_that_goes_is_marked_first
}

fn version(object: &Value) -> u64 {
    object["metadata"]["resourceVersion"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap()
}

/// The selector of this claim's objects, as the end of a query.
fn mine(api: &Api) -> String {
    api.mine().replace('?', "&")
}

async fn a_watch_tells_every_change_after_a_version(api: Api) {
    let first = api.create("configmaps", &api.config_map("a", "1")).await;
    let mut watch = api
        .watch(
            "configmaps",
            &format!("resourceVersion={}{}", version(&first), mine(&api)),
        )
        .await;
    let second = api
        .put(&api.one("configmaps", "a"), &api.config_map("a", "2"))
        .await
        .is(200)
        .body;
    assert_eq!(
        watch.next().await.unwrap(),
        ("MODIFIED".to_owned(), second.clone())
    );
    let other = api.create("configmaps", &api.config_map("b", "1")).await;
    assert_eq!(
        watch.next().await.unwrap(),
        ("ADDED".to_owned(), other.clone())
    );
    api.delete(&api.one("configmaps", "a"), &Value::Null)
        .await
        .is(200);
    let (kind, gone) = watch.next().await.unwrap();
    assert_eq!((kind.as_str(), &gone["data"]), ("DELETED", &second["data"]));
    // Its last state, at the version of its deletion.
    assert!(version(&gone) > version(&other));
    // Again from the same version, and from one between.
    let mut again = api
        .watch(
            "configmaps",
            &format!("resourceVersion={}{}", version(&first), mine(&api)),
        )
        .await;
    let (a, b) = (api.name("a"), api.name("b"));
    for expected in [
        format!("MODIFIED {a}"),
        format!("ADDED {b}"),
        format!("DELETED {a}"),
    ] {
        assert_eq!(again.kind_and_name().await, expected);
    }
    let mut later = api
        .watch(
            "configmaps",
            &format!("resourceVersion={}{}", version(&other), mine(&api)),
        )
        .await;
    assert_eq!(later.kind_and_name().await, format!("DELETED {a}"));
}

async fn a_watch_from_nothing_begins_with_what_is_there(api: Api) {
    api.create("configmaps", &api.config_map("b", "1")).await;
    let last = api.create("configmaps", &api.config_map("a", "1")).await;
    for from in ["", "resourceVersion=0"] {
        // Version 0 may be answered by a cache that lags. A read of the last version waits until it
        // has caught up.
        api.get(&api.path(
            "configmaps",
            &format!("{}&resourceVersion={}", api.mine(), version(&last)),
        ))
        .await
        .is(200);
        let mut watch = api
            .watch("configmaps", &format!("{from}{}", mine(&api)))
            .await;
        let mut told = [watch.kind_and_name().await, watch.kind_and_name().await];
        told.sort();
        assert_eq!(
            told,
            [
                format!("ADDED {}", api.name("a")),
                format!("ADDED {}", api.name("b"))
            ]
        );
        let name = if from.is_empty() { "c" } else { "d" };
        let made = api
            .create("leases", &json!({"metadata": api.metadata(name)}))
            .await;
        assert_eq!(made["kind"], "Lease");
        api.create("configmaps", &api.config_map(name, "1")).await;
        assert_eq!(
            watch.kind_and_name().await,
            format!("ADDED {}", api.name(name))
        );
        api.delete(&api.one("configmaps", name), &Value::Null)
            .await
            .is(200);
    }
}

async fn a_watch_tells_what_comes_to_be_chosen_and_ceases_to_be(api: Api) {
    let made = api.create("configmaps", &api.config_map("a", "1")).await;
    let query = format!(
        "resourceVersion={}{},state%3Don",
        version(&made),
        mine(&api)
    );
    let mut watch = api.watch("configmaps", &query).await;
    let path = api.one("configmaps", "a");
    let label = |value: Value| json!({"metadata": {"labels": {"state": value}}});
    api.patch(&path, "merge", &json!({"data": {"unseen": "1"}}))
        .await
        .is(200);
    let on = api
        .patch(&path, "merge", &label(json!("on")))
        .await
        .is(200)
        .body;
    assert_eq!(watch.next().await.unwrap(), ("ADDED".to_owned(), on));
    let changed = api
        .patch(&path, "merge", &json!({"data": {"seen": "1"}}))
        .await
        .is(200)
        .body;
    assert_eq!(
        watch.next().await.unwrap(),
        ("MODIFIED".to_owned(), changed)
    );
    let off = api
        .patch(&path, "merge", &label(json!("off")))
        .await
        .is(200)
        .body;
    let (kind, gone) = watch.next().await.unwrap();
    // Its last selected state, at the version at which it was no longer selected.
    assert_eq!(
        (kind.as_str(), &gone["metadata"]["labels"]["state"]),
        ("DELETED", &json!("on"))
    );
    assert_eq!(version(&gone), version(&off));
    api.patch(&path, "merge", &label(json!("on"))).await.is(200);
    assert_eq!(
        watch.kind_and_name().await,
        format!("ADDED {}", api.name("a"))
    );
    api.delete(&path, &Value::Null).await.is(200);
    assert_eq!(
        watch.kind_and_name().await,
        format!("DELETED {}", api.name("a"))
    );
}

async fn a_watch_can_be_for_one_name(api: Api) {
    let from = api.version("configmaps").await;
    let name = api.name("b");
    let query = format!("resourceVersion={from}&fieldSelector=metadata.name%3D{name}");
    let mut watch = api.watch("configmaps", &query).await;
    for other in ["a", "b", "c"] {
        api.create("configmaps", &api.config_map(other, "1")).await;
    }
    assert_eq!(watch.kind_and_name().await, format!("ADDED {name}"));
    for other in ["a", "c", "b"] {
        api.delete(&api.one("configmaps", other), &Value::Null)
            .await
            .is(200);
    }
    assert_eq!(watch.kind_and_name().await, format!("DELETED {name}"));
}

async fn a_watch_ends_in_time(api: Api) {
    let from = api.version("configmaps").await;
    let mut watch = api
        .watch(
            "configmaps",
            &format!("resourceVersion={from}&timeoutSeconds=1{}", mine(&api)),
        )
        .await;
    assert_eq!(watch.next().await, None);
}

async fn a_watch_gets_a_bookmark_before_its_end(api: Api) {
    let from = api.version("configmaps").await;
    let query = format!(
        "resourceVersion={from}&timeoutSeconds=8&allowWatchBookmarks=true{}",
        mine(&api)
    );
    let mut watch = api.watch("configmaps", &query).await;
    let made = api.create("configmaps", &api.config_map("a", "1")).await;
    let mut last = Value::Null;
    while let Some((kind, object)) = watch.next_of_any_kind().await {
        last = json!({"kind": kind, "object": object});
    }
    assert_eq!(last["kind"], "BOOKMARK");
    assert_eq!(
        (&last["object"]["kind"], &last["object"]["apiVersion"]),
        (&json!("ConfigMap"), &json!("v1"))
    );
    assert!(version(&last["object"]) >= version(&made));
}

async fn initial_events_can_be_asked_for(api: Api) {
    let made = api.create("configmaps", &api.config_map("a", "1")).await;
    let query = "sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true";
    let mut watch = api
        .watch("configmaps", &format!("{query}{}", mine(&api)))
        .await;
    assert_eq!(
        watch.next_of_any_kind().await.unwrap(),
        ("ADDED".to_owned(), made.clone())
    );
    let (kind, mark) = watch.next_of_any_kind().await.unwrap();
    assert_eq!(
        (kind.as_str(), &mark["metadata"]["annotations"]),
        ("BOOKMARK", &json!({"k8s.io/initial-events-end": "true"}))
    );
    assert!(version(&mark) >= version(&made));
    api.delete(&api.one("configmaps", "a"), &Value::Null)
        .await
        .is(200);
    assert_eq!(
        watch.kind_and_name().await,
        format!("DELETED {}", api.name("a"))
    );
}

async fn a_watch_can_be_for_metadata_alone(api: Api) {
    let from = api.version("configmaps").await;
    let accept = [(
        "accept",
        "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1",
    )];
    let mut watch = api
        .watch_as(
            "configmaps",
            &format!("resourceVersion={from}{}", mine(&api)),
            &accept,
        )
        .await;
    let made = api.create("configmaps", &api.config_map("a", "1")).await;
    let partial = json!({"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": made["metadata"]});
    assert_eq!(watch.next().await.unwrap(), ("ADDED".to_owned(), partial));
}

async fn a_write_that_changes_nothing_gives_no_event(api: Api) {
    let made = api.create("configmaps", &api.config_map("a", "1")).await;
    let mut watch = api
        .watch(
            "configmaps",
            &format!("resourceVersion={}{}", version(&made), mine(&api)),
        )
        .await;
    api.put(&api.one("configmaps", "a"), &api.config_map("a", "1"))
        .await
        .is(200);
    api.create("configmaps", &api.config_map("b", "1")).await;
    assert_eq!(
        watch.kind_and_name().await,
        format!("ADDED {}", api.name("b"))
    );
}

async fn a_pod_that_goes_is_marked_first(api: Api) {
    let spec = json!({
        "schedulerName": "none.invalid", "automountServiceAccountToken": false,
        "containers": [{"name": "main", "image": "none.invalid/none"}],
    });
    let made = api
        .create(
            "pods",
            &json!({"metadata": api.metadata("a"), "spec": spec}),
        )
        .await;
    let mut watch = api
        .watch(
            "pods",
            &format!("resourceVersion={}{}", version(&made), mine(&api)),
        )
        .await;
    api.delete(&api.one("pods", "a"), &Value::Null)
        .await
        .is(200);
    let (kind, marked) = watch.next().await.unwrap();
    assert_eq!(
        (
            kind.as_str(),
            &marked["metadata"]["deletionGracePeriodSeconds"]
        ),
        ("MODIFIED", &json!(0))
    );
    assert_eq!(
        watch.kind_and_name().await,
        format!("DELETED {}", api.name("a"))
    );
}
