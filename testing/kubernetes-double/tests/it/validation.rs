//! Objects that break the rules.

use serde_json::{Value, json};

use crate::api::Api;

crate::claims! {
    a_name_is_a_dns_subdomain
    labels_and_annotations_have_their_syntax
    annotations_have_a_total_size
    a_config_map_has_a_total_size
    a_key_has_its_syntax
    an_immutable_config_map_stays_as_it_is
    a_lease_has_its_types_and_bounds
    times_have_six_digits
}

async fn refused_names(api: &Api, names: &[String]) {
    for name in names {
        let object = json!({"metadata": {"name": name}});
        let refused = api
            .post(&api.path("configmaps", ""), &object)
            .await
            .because(&["FieldValueInvalid metadata.name"]);
        assert_eq!(refused.body["details"]["name"], **name);
        assert_eq!(refused.body["details"]["kind"], "ConfigMap");
    }
}

async fn a_name_is_a_dns_subdomain(api: Api) {
    let wrong = ["Upper", "under_score", "-a", "a-", "a..b", ".a", "a b", "ä"].map(str::to_owned);
    refused_names(&api, &wrong).await;
    refused_names(&api, &["a".repeat(254)]).await;
    let none = api
        .post(&api.path("configmaps", ""), &json!({"metadata": {}}))
        .await;
    none.because(&["FieldValueRequired metadata.name"]);
    let long = format!("{}.{}", api.run, "a".repeat(252 - api.run.len()));
    assert_eq!(long.len(), 253);
    let mut object = api.config_map("a", "1");
    object["metadata"]["name"] = json!(long);
    api.create("configmaps", &object).await;
}

async fn labels_and_annotations_have_their_syntax(api: Api) {
    let with = |field: &str, key: &str, value: &str| {
        let mut object = api.config_map("a", "1");
        object["metadata"][field] = json!({});
        object["metadata"][field][key] = json!(value);
        object
    };
    let path = api.path("configmaps", "");
    let long = "a".repeat(64);
    let wrong = [
        ("a b", "1"),
        ("-a", "1"),
        ("/a", "1"),
        ("x_y/a", "1"),
        (&long, "1"),
        ("a", "a b"),
        ("a", "a-"),
        ("a", &long),
    ];
    for (key, value) in wrong {
        api.post(&path, &with("labels", key, value))
            .await
            .because(&["FieldValueInvalid metadata.labels"]);
    }
    for key in ["a b", "/a", &long] {
        api.post(&path, &with("annotations", key, "any text"))
            .await
            .because(&["FieldValueInvalid metadata.annotations"]);
    }
    let mut good = api.config_map("a", "1");
    good["metadata"]["labels"]["example.com/A_b.c"] = json!("");
    good["metadata"]["labels"][&"a".repeat(63)] = json!("b".repeat(63));
    good["metadata"]["annotations"] = json!({"Example.com/x": "any text"});
    assert_eq!(
        api.create("configmaps", &good).await["metadata"]["labels"],
        good["metadata"]["labels"]
    );
}

async fn annotations_have_a_total_size(api: Api) {
    let mut object = api.config_map("a", "1");
    object["metadata"]["annotations"] = json!({"a": "x".repeat(256 * 1024 - 1), "b": ""});
    let refused = api
        .post(&api.path("configmaps", ""), &object)
        .await
        .because(&["FieldValueTooLong metadata.annotations"]);
    assert_eq!(
        refused.body["details"]["causes"][0]["message"],
        "Too long: may not be more than 262144 bytes"
    );
    object["metadata"]["annotations"] = json!({"a": "x".repeat(256 * 1024 - 1)});
    api.create("configmaps", &object).await;
}

async fn a_config_map_has_a_total_size(api: Api) {
    const LIMIT: usize = 1024 * 1024;
    // Four characters of base64 are three bytes.
    let binary = "AAAA".repeat(LIMIT / 6);
    let mut object = api.config_map("a", "1");
    object["data"] = json!({"text": "x".repeat(LIMIT - LIMIT / 6 * 3 + 1)});
    object["binaryData"] = json!({"bytes": binary});
    let refused = api
        .post(&api.path("configmaps", ""), &object)
        .await
        .because(&["FieldValueTooLong []"]);
    let name = api.name("a");
    assert_eq!(
        refused.body["message"],
        format!("ConfigMap {name:?} is invalid: []: Too long: may not be more than 1048576 bytes")
    );
    object["data"] = json!({"text": "x".repeat(LIMIT - LIMIT / 6 * 3)});
    api.create("configmaps", &object).await;
    object["data"]["more"] = json!("1");
    api.put(&api.one("configmaps", "a"), &object)
        .await
        .because(&["FieldValueTooLong []"]);
}

async fn a_key_has_its_syntax(api: Api) {
    let path = api.path("configmaps", "");
    for key in ["a/b", "a b", "ä", "..", "..a", "."] {
        let mut object = api.config_map("a", "1");
        object["data"] = json!({});
        object["data"][key] = json!("1");
        api.post(&path, &object)
            .await
            .because(&[&format!("FieldValueInvalid data[{key}]")]);
    }
    let mut object = api.config_map("a", "1");
    object["binaryData"] = json!({"key": "AAAA"});
    api.post(&path, &object)
        .await
        .because(&["FieldValueInvalid data[key]"]);
    object["binaryData"] = json!({"-._aZ9": "AAAA"});
    api.create("configmaps", &object).await;
}

async fn an_immutable_config_map_stays_as_it_is(api: Api) {
    let mut object = api.config_map("a", "1");
    object["immutable"] = json!(true);
    api.create("configmaps", &object).await;
    let path = api.one("configmaps", "a");
    object["data"]["key"] = json!("2");
    api.put(&path, &object)
        .await
        .because(&["FieldValueForbidden data"]);
    object["immutable"] = Value::Null;
    api.put(&path, &object)
        .await
        .because(&["FieldValueForbidden immutable", "FieldValueForbidden data"]);
    api.patch(
        &path,
        "merge",
        &json!({"metadata": {"labels": {"more": "x"}}}),
    )
    .await
    .is(200);
    api.delete(&path, &Value::Null).await.is(200);
}

async fn a_lease_has_its_types_and_bounds(api: Api) {
    let path = api.path("leases", "");
    let with = |spec: Value| json!({"metadata": api.metadata("a"), "spec": spec});
    let wrong = with(json!({"leaseDurationSeconds": 0, "leaseTransitions": -1}));
    let causes = [
        "FieldValueInvalid spec.leaseDurationSeconds",
        "FieldValueInvalid spec.leaseTransitions",
    ];
    let refused = api.post(&path, &wrong).await.because(&causes);
    assert_eq!(refused.body["details"]["kind"], "Lease");
    assert_eq!(refused.body["details"]["group"], "coordination.k8s.io");
    for spec in [
        json!({"leaseDurationSeconds": "1"}),
        json!({"leaseDurationSeconds": 1_i64 << 31}),
        json!({"holderIdentity": 1}),
        json!({"renewTime": "yesterday"}),
    ] {
        api.post(&path, &with(spec))
            .await
            .refused_for(400, "BadRequest");
    }
    let spec = json!({"holderIdentity": "", "leaseDurationSeconds": 1, "leaseTransitions": 0});
    assert_eq!(
        api.create("leases", &with(spec.clone())).await["spec"],
        spec
    );
}

async fn times_have_six_digits(api: Api) {
    let path = api.path("leases", "");
    let with = |time: &str| json!({"metadata": api.metadata("a"), "spec": {"renewTime": time, "acquireTime": time}});
    for time in [
        "2026-01-02T03:04:05Z",
        "2026-01-02T03:04:05.123Z",
        "2026-01-02T03:04:05.123456789Z",
    ] {
        api.post(&path, &with(time))
            .await
            .refused_for(400, "BadRequest");
    }
    let made = api
        .create("leases", &with("2026-01-02T03:04:05.000006Z"))
        .await;
    assert_eq!(made["spec"]["renewTime"], "2026-01-02T03:04:05.000006Z");
}
