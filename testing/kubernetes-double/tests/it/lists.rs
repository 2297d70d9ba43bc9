//! Lists.

use serde_json::{Value, json};

use crate::api::Api;

crate::claims! {
    a_list_has_a_version_no_older_than_its_objects
    a_list_is_chosen_by_labels
    a_list_is_chosen_by_name
    a_list_comes_in_chunks_of_one_moment
    a_list_at_an_exact_version_shows_what_was
    a_list_at_a_forgotten_version_is_gone
    metadata_alone_can_be_asked_for
    what_does_not_fit_is_refused
}

fn names(list: &Value) -> Vec<&str> {
    list["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["metadata"]["name"].as_str().unwrap())
        .collect()
}

fn version(object: &Value) -> u64 {
    object["metadata"]["resourceVersion"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap()
}

async fn make(api: &Api, all: &[&str]) {
    for name in all {
        let mut object = api.config_map(name, "1");
        object["metadata"]["labels"]["name"] = json!(name);
        api.create("configmaps", &object).await;
    }
}

async fn a_list_has_a_version_no_older_than_its_objects(api: Api) {
    make(&api, &["b", "a", "c"]).await;
    let list = api
        .get(&api.path("configmaps", &api.mine()))
        .await
        .is(200)
        .body;
    assert_eq!(
        (&list["kind"], &list["apiVersion"]),
        (&json!("ConfigMapList"), &json!("v1"))
    );
    assert_eq!(names(&list), [api.name("a"), api.name("b"), api.name("c")]);
    for item in list["items"].as_array().unwrap() {
        assert!(item["kind"].is_null() && item["apiVersion"].is_null());
        assert!(version(item) <= version(&list));
    }
    let nothing = api.get(&api.path("leases", &api.mine())).await.is(200).body;
    assert_eq!(nothing["items"], json!([]));
    assert!(version(&nothing) >= version(&list));
    // Also in all namespaces at once.
    let everywhere = api
        .get(&format!("/api/v1/configmaps{}", api.mine()))
        .await
        .is(200)
        .body;
    assert_eq!(names(&everywhere), names(&list));
}

async fn a_list_is_chosen_by_labels(api: Api) {
    make(&api, &["a", "b", "c"]).await;
    let cases: [(&str, &[&str]); 9] = [
        ("name=a", &["a"]),
        ("name==b", &["b"]),
        ("name!=a", &["b", "c"]),
        ("name in (a, c)", &["a", "c"]),
        ("name notin (a,b)", &["c"]),
        ("name", &["a", "b", "c"]),
        ("!name", &[]),
        ("!other,name in (a)", &["a"]),
        ("other=x", &[]),
    ];
    for (selector, expected) in cases {
        let selector: String = format!("claim={},{selector}", api.run)
            .bytes()
            .map(|byte| format!("%{byte:02X}"))
            .collect();
        let list = api
            .get(&api.path("configmaps", &format!("?labelSelector={selector}")))
            .await
            .is(200)
            .body;
        let expected: Vec<String> = expected.iter().map(|name| api.name(name)).collect();
        assert_eq!(names(&list), expected, "{selector}");
    }
    api.get(&api.path("configmaps", "?labelSelector=a%20b"))
        .await
        .refused_for(400, "BadRequest");
}

async fn a_list_is_chosen_by_name(api: Api) {
    make(&api, &["a", "b"]).await;
    let name = api.name("a");
    let one = api
        .get(&api.path(
            "configmaps",
            &format!("?fieldSelector=metadata.name%3D{name}"),
        ))
        .await
        .is(200)
        .body;
    assert_eq!(names(&one), [name.as_str()]);
    let rest = format!("{}&fieldSelector=metadata.name%21%3D{name}", api.mine());
    let rest = api.get(&api.path("configmaps", &rest)).await.is(200).body;
    assert_eq!(names(&rest), [api.name("b")]);
    let refused = api
        .get(&api.path("configmaps", "?fieldSelector=data.key%3D1"))
        .await;
    let message = "\"data.key\" is not a known field selector: only \"metadata.name\", \"metadata.namespace\"";
    refused.refused(400, "BadRequest", message);
}

async fn a_list_comes_in_chunks_of_one_moment(api: Api) {
    make(&api, &["a", "b", "c", "d", "e"]).await;
    let query = format!("{}&limit=2", api.mine());
    let first = api.get(&api.path("configmaps", &query)).await.is(200).body;
    assert_eq!(names(&first), [api.name("a"), api.name("b")]);
    // With a selector, the answer does not say how many remain.
    assert!(first["metadata"]["remainingItemCount"].is_null());
    make(&api, &["cc"]).await;
    api.delete(&api.one("configmaps", "d"), &Value::Null)
        .await
        .is(200);
    let next = |list: &Value| {
        format!(
            "{query}&continue={}",
            list["metadata"]["continue"].as_str().unwrap()
        )
    };
    let second = api
        .get(&api.path("configmaps", &next(&first)))
        .await
        .is(200)
        .body;
    assert_eq!(names(&second), [api.name("c"), api.name("d")]);
    let third = api
        .get(&api.path("configmaps", &next(&second)))
        .await
        .is(200)
        .body;
    assert_eq!(names(&third), [api.name("e")]);
    assert!(third["metadata"]["continue"].is_null());
    assert_eq!(version(&first), version(&third));
    api.get(&api.path("configmaps", "?continue=xyz"))
        .await
        .refused_for(400, "BadRequest");
}

async fn a_list_at_an_exact_version_shows_what_was(api: Api) {
    make(&api, &["a"]).await;
    let then = api
        .get(&api.path("configmaps", &api.mine()))
        .await
        .is(200)
        .body;
    make(&api, &["b"]).await;
    api.delete(&api.one("configmaps", "a"), &Value::Null)
        .await
        .is(200);
    let query = format!(
        "{}&resourceVersion={}&resourceVersionMatch=Exact",
        api.mine(),
        version(&then)
    );
    let again = api.get(&api.path("configmaps", &query)).await.is(200).body;
    assert_eq!(again["items"], then["items"]);
    assert_eq!(version(&again), version(&then));
    let query = format!(
        "{}&resourceVersion={}&resourceVersionMatch=NotOlderThan",
        api.mine(),
        version(&then)
    );
    let newer = api.get(&api.path("configmaps", &query)).await.is(200).body;
    assert!(version(&newer) >= version(&then));
}

async fn a_list_at_a_forgotten_version_is_gone(api: Api) {
    let query = "?limit=1&resourceVersion=1&resourceVersionMatch=Exact";
    let refused = api.get(&api.path("configmaps", query)).await;
    refused.refused(
        410,
        "Expired",
        "The resourceVersion for the provided list is too old.",
    );
}

async fn metadata_alone_can_be_asked_for(api: Api) {
    make(&api, &["a"]).await;
    let whole = api.get(&api.one("configmaps", "a")).await.is(200).body;
    let partial = json!({"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": whole["metadata"]});
    let one = [(
        "accept",
        "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1",
    )];
    let many = [(
        "accept",
        "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1",
    )];
    assert_eq!(
        api.send("GET", &api.one("configmaps", "a"), &one, b"")
            .await
            .is(200)
            .body,
        partial
    );
    let mine = api.path("configmaps", &api.mine());
    let list = api.send("GET", &mine, &many, b"").await.is(200).body;
    assert_eq!(
        (&list["kind"], &list["apiVersion"]),
        (
            &json!("PartialObjectMetadataList"),
            &json!("meta.k8s.io/v1")
        )
    );
    assert_eq!(list["items"], json!([partial]));
    assert!(version(&list) >= version(&whole));
    api.send("GET", &mine, &one, b"")
        .await
        .refused_for(406, "NotAcceptable");
    api.send("GET", &api.one("configmaps", "a"), &many, b"")
        .await
        .refused_for(406, "NotAcceptable");
    api.send("GET", &mine, &[("accept", "text/html")], b"")
        .await
        .refused_for(406, "NotAcceptable");
    let any = [(
        "accept",
        "text/html, application/vnd.kubernetes.protobuf;q=0, application/json",
    )];
    api.send("GET", &mine, &any[..], b"").await.is(200);
    // The answer to a write has this form too.
    let patch = [one[0], ("content-type", "application/merge-patch+json")];
    let patched = api
        .send(
            "PATCH",
            &api.one("configmaps", "a"),
            &patch,
            b"{\"data\":{\"a\":\"b\"}}",
        )
        .await
        .is(200)
        .body;
    assert_eq!(patched["kind"], "PartialObjectMetadata");
    assert!(patched["data"].is_null());
}

async fn what_does_not_fit_is_refused(api: Api) {
    let cases = [
        "?resourceVersionMatch=Exact",
        "?resourceVersion=0&resourceVersionMatch=Exact",
        "?sendInitialEvents=true",
        "?watch=true&resourceVersionMatch=NotOlderThan",
        "?watch=true&sendInitialEvents=true",
    ];
    for query in cases {
        let refused = api
            .get(&api.path("configmaps", query))
            .await
            .refused_for(422, "Invalid");
        assert_eq!(refused.body["details"]["kind"], "ListOptions", "{query}");
    }
    api.get(&api.path("configmaps", "?limit=x"))
        .await
        .refused_for(400, "BadRequest");
}
