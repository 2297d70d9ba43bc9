//! Requests that are refused.

use serde_json::json;

use crate::api::Api;

crate::claims! {
    a_body_that_is_no_object_is_refused
    a_field_that_is_unknown_is_dropped_or_refused
    a_body_of_another_format_is_refused
    a_body_that_is_too_large_is_refused
    a_path_that_leads_nowhere_is_refused
    a_method_that_does_not_fit_is_refused
    a_name_must_agree_with_the_path
    a_namespace_must_exist
    a_new_object_brings_no_version
    health_and_discovery_are_answered
}

async fn a_body_that_is_no_object_is_refused(api: Api) {
    let path = api.path("configmaps", "");
    let name = api.name("a");
    for body in [
        "{\"metadata\":".to_owned(),
        "[]".to_owned(),
        format!("{{\"kind\":\"Pod\",\"apiVersion\":\"v1\",\"metadata\":{{\"name\":{name:?}}}}}"),
        format!(
            "{{\"kind\":\"ConfigMap\",\"apiVersion\":\"v2\",\"metadata\":{{\"name\":{name:?}}}}}"
        ),
        format!("{{\"metadata\":{{\"name\":{name:?}}},\"data\":{{\"a\":1}}}}"),
        format!("{{\"metadata\":{{\"name\":{name:?}}},\"binaryData\":{{\"a\":\"?\"}}}}"),
        format!("{{\"metadata\":{{\"name\":{name:?},\"labels\":[]}}}}"),
    ] {
        api.send("POST", &path, &[], body.as_bytes())
            .await
            .refused_for(400, "BadRequest");
    }
}

async fn a_field_that_is_unknown_is_dropped_or_refused(api: Api) {
    let mut object = api.config_map("a", "1");
    object["dota"] = json!({"a": "b"});
    let refused = api
        .post(&api.path("configmaps", "?fieldValidation=Strict"), &object)
        .await
        .refused_for(400, "BadRequest");
    assert!(
        refused.body["message"]
            .as_str()
            .unwrap()
            .ends_with("strict decoding error: unknown field \"dota\"")
    );
    assert!(api.create("configmaps", &object).await["dota"].is_null());
    let strict = api.path("configmaps", "?fieldValidation=Strict");
    api.post(&strict, &api.config_map("b", "1")).await.is(201);
}

async fn a_body_of_another_format_is_refused(api: Api) {
    let body = api.config_map("a", "1").to_string();
    let refused = api
        .send(
            "POST",
            &api.path("configmaps", ""),
            &[("content-type", "text/plain")],
            body.as_bytes(),
        )
        .await;
    let refused = refused.refused_for(415, "UnsupportedMediaType");
    assert!(
        refused.body["message"]
            .as_str()
            .unwrap()
            .starts_with("the body of the request was in an unknown format")
    );
}

async fn a_body_that_is_too_large_is_refused(api: Api) {
    let object = api.config_map("a", &"x".repeat(3 << 20));
    let refused = api.post(&api.path("configmaps", ""), &object).await;
    refused.refused(
        413,
        "RequestEntityTooLarge",
        "Request entity too large: limit is 3145728",
    );
}

async fn a_path_that_leads_nowhere_is_refused(api: Api) {
    let message = "the server could not find the requested resource";
    let refused = api
        .get(&api.path("configmapz", ""))
        .await
        .refused(404, "NotFound", message);
    assert_eq!(refused.body["details"], json!({}));
    api.get("/api/v1/configmaps/x")
        .await
        .refused(404, "NotFound", message);
    let nothing = api
        .get("/apis/none.example.com/v1/namespaces/default/things")
        .await
        .is(404);
    assert_eq!(nothing.text, "404 page not found\n");
}

async fn a_method_that_does_not_fit_is_refused(api: Api) {
    let message = "the server does not allow this method on the requested resource";
    let object = api.config_map("a", "1");
    api.post(&api.one("configmaps", "a"), &object)
        .await
        .refused(405, "MethodNotAllowed", message);
    api.put(&api.path("configmaps", ""), &object)
        .await
        .refused(405, "MethodNotAllowed", message);
    api.post("/api/v1/configmaps", &object)
        .await
        .refused(405, "MethodNotAllowed", message);
}

async fn a_name_must_agree_with_the_path(api: Api) {
    api.create("configmaps", &api.config_map("a", "1")).await;
    let (path, name) = (api.one("configmaps", "a"), api.name("a"));
    let other = json!({"metadata": {"name": "other"}});
    let message =
        format!("the name of the object (other) does not match the name on the URL ({name})");
    api.put(&path, &other)
        .await
        .refused(400, "BadRequest", message);
    let message = format!(
        "the name of the object ({name} based on URL) was undeterminable: name must be provided"
    );
    api.put(&path, &json!({"metadata": {}}))
        .await
        .refused(400, "BadRequest", message);
    let message =
        "the namespace of the provided object does not match the namespace sent on the request";
    let mut elsewhere = api.config_map("b", "1");
    elsewhere["metadata"]["namespace"] = json!("elsewhere");
    api.post(&api.path("configmaps", ""), &elsewhere)
        .await
        .refused(400, "BadRequest", message);
}

async fn a_namespace_must_exist(mut api: Api) {
    api.namespace = format!("{}-none", api.run);
    let message = format!("namespaces {:?} not found", api.namespace);
    let refused = api
        .post(&api.path("configmaps", ""), &api.config_map("a", "1"))
        .await
        .refused(404, "NotFound", message);
    assert_eq!(
        refused.body["details"],
        json!({"name": api.namespace, "kind": "namespaces"})
    );
    api.get(&api.one("configmaps", "a"))
        .await
        .refused_for(404, "NotFound");
    // It is empty, which is no error.
    assert_eq!(
        api.get(&api.path("configmaps", "")).await.is(200).body["items"],
        json!([])
    );
    api.get("/api/v1/namespaces/default").await.is(200);
}

async fn a_new_object_brings_no_version(api: Api) {
    let mut object = api.config_map("a", "1");
    object["metadata"]["resourceVersion"] = json!("5");
    let refused = api.post(&api.path("configmaps", ""), &object).await;
    refused.refused(
        500,
        "",
        "resourceVersion should not be set on objects to be created",
    );
}

async fn health_and_discovery_are_answered(api: Api) {
    for path in ["/readyz", "/healthz", "/livez"] {
        assert_eq!(api.get(path).await.is(200).text, "ok");
    }
    assert_eq!(api.get("/version").await.is(200).body["major"], "1");
    assert_eq!(
        api.get("/api").await.is(200).body["versions"],
        json!(["v1"])
    );
    let kinds = [
        ("/api/v1", "configmaps", "ConfigMap"),
        ("/apis/coordination.k8s.io/v1", "leases", "Lease"),
    ];
    for (path, resource, kind) in kinds {
        let list = api.get(path).await.is(200).body;
        let found = list["resources"]
            .as_array()
            .unwrap()
            .iter()
            .find(|it| it["name"] == resource)
            .unwrap();
        assert_eq!(
            (&found["kind"], &found["namespaced"]),
            (&json!(kind), &json!(true))
        );
    }
    let groups = api.get("/apis").await.is(200).body;
    let named = |name: &str| {
        groups["groups"]
            .as_array()
            .unwrap()
            .iter()
            .any(|it| it["name"] == name)
    };
    assert!(named("apps") && named("coordination.k8s.io") && named("rbac.authorization.k8s.io"));
}
