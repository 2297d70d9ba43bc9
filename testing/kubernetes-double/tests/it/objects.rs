//! Single objects: created, read, replaced, deleted.

use serde_json::{Value, json};

use crate::api::Api;

crate::claims! {
    a_new_object_has_a_uid_a_version_and_a_time
    an_object_that_is_there_is_not_made_again
    what_is_absent_is_not_found
    a_put_with_the_version_replaces
    a_put_with_an_old_version_conflicts
    a_put_without_a_version_replaces_whatever_is_there
    a_lease_is_never_replaced_without_its_version
    a_put_with_another_uid_conflicts
    a_put_to_nothing_makes_no_config_map
    a_put_to_nothing_makes_a_lease_whatever_its_version
    a_put_that_changes_nothing_leaves_the_version
    versions_grow_across_kinds
    owners_have_uids
    a_read_waits_for_no_version_that_is_far_off
}

fn text<'a>(object: &'a Value, field: &str) -> &'a str {
    object["metadata"][field].as_str().unwrap()
}

async fn a_new_object_has_a_uid_a_version_and_a_time(api: Api) {
    let mut wanted = api.config_map("a", "1");
    wanted["metadata"]["annotations"] = json!({"example.com/note": "any text, even ÄÖÜ"});
    wanted["metadata"]["uid"] = json!("mine");
    wanted["metadata"]["creationTimestamp"] = json!("2001-01-01T00:00:00Z");
    wanted["binaryData"] = json!({"bytes": "AAEC"});
    let made = api.create("configmaps", &wanted).await;
    assert_eq!(
        (&made["kind"], &made["apiVersion"]),
        (&json!("ConfigMap"), &json!("v1"))
    );
    assert_eq!(text(&made, "namespace"), api.namespace);
    assert_eq!(text(&made, "uid").len(), 36);
    assert_eq!(&text(&made, "uid")[14..15], "4");
    assert!(text(&made, "resourceVersion").parse::<u64>().unwrap() > 0);
    assert!(
        text(&made, "creationTimestamp").starts_with("20")
            && !text(&made, "creationTimestamp").starts_with("2001")
    );
    assert!(made["metadata"]["generation"].is_null());
    for field in ["data", "binaryData"] {
        assert_eq!(made[field], wanted[field]);
    }
    assert_eq!(
        made["metadata"]["annotations"],
        wanted["metadata"]["annotations"]
    );
    assert_eq!(
        api.get(&api.one("configmaps", "a")).await.is(200).body,
        made
    );
    // The kind may be left out.
    let lease = api
        .create("leases", &json!({"metadata": api.metadata("a")}))
        .await;
    assert_eq!(
        (&lease["kind"], &lease["spec"]),
        (&json!("Lease"), &json!({}))
    );
}

async fn an_object_that_is_there_is_not_made_again(api: Api) {
    api.create("configmaps", &api.config_map("a", "1")).await;
    let name = api.name("a");
    let again = api
        .post(&api.path("configmaps", ""), &api.config_map("a", "2"))
        .await;
    let again = again.refused(
        409,
        "AlreadyExists",
        format!("configmaps {name:?} already exists"),
    );
    assert_eq!(
        again.body["details"],
        json!({"name": name, "kind": "configmaps"})
    );
    api.create("leases", &json!({"metadata": api.metadata("a")}))
        .await;
    let again = api
        .post(
            &api.path("leases", ""),
            &json!({"metadata": api.metadata("a")}),
        )
        .await;
    let again = again.refused(
        409,
        "AlreadyExists",
        format!("leases.coordination.k8s.io {name:?} already exists"),
    );
    assert_eq!(
        again.body["details"],
        json!({"name": name, "group": "coordination.k8s.io", "kind": "leases"})
    );
}

async fn what_is_absent_is_not_found(api: Api) {
    let name = api.name("none");
    let message = format!("configmaps {name:?} not found");
    let path = api.one("configmaps", "none");
    let got = api.get(&path).await.refused(404, "NotFound", &message);
    assert_eq!(
        got.body["details"],
        json!({"name": name, "kind": "configmaps"})
    );
    assert_eq!(got.body["metadata"], json!({}));
    api.delete(&path, &Value::Null)
        .await
        .refused(404, "NotFound", &message);
    api.delete(&path, &json!({"preconditions": {"uid": "x"}}))
        .await
        .refused(404, "NotFound", &message);
    api.patch(&path, "merge", &json!({"data": {"a": "b"}}))
        .await
        .refused(404, "NotFound", &message);
    // A read with a name in the path stays a read, whatever the query is.
    api.get(&format!("{path}?watch=true"))
        .await
        .refused(404, "NotFound", &message);
}

async fn a_put_with_the_version_replaces(api: Api) {
    let made = api.create("configmaps", &api.config_map("a", "1")).await;
    let mut next = made.clone();
    next["data"] = json!({"other": "2"});
    next["metadata"]["labels"]["more"] = json!("label");
    next["metadata"]["creationTimestamp"] = json!("2001-01-01T00:00:00Z");
    let put = api
        .put(&api.one("configmaps", "a"), &next)
        .await
        .is(200)
        .body;
    assert_eq!(put["data"], json!({"other": "2"}));
    assert_eq!(put["metadata"]["labels"]["more"], "label");
    for field in ["uid", "creationTimestamp"] {
        assert_eq!(text(&put, field), text(&made, field));
    }
    let version = |object: &Value| text(object, "resourceVersion").parse::<u64>().unwrap();
    assert!(version(&put) > version(&made));
    assert_eq!(api.get(&api.one("configmaps", "a")).await.is(200).body, put);
}

async fn a_put_with_an_old_version_conflicts(api: Api) {
    let first = api.create("configmaps", &api.config_map("a", "1")).await;
    let mut next = first.clone();
    next["data"]["key"] = json!("2");
    let path = api.one("configmaps", "a");
    let second = api.put(&path, &next).await.is(200).body;
    next["data"]["key"] = json!("3");
    let name = api.name("a");
    let refused = api.put(&path, &next).await.refused(
        409,
        "Conflict",
        format!(
            "Operation cannot be fulfilled on configmaps {name:?}: the object has been modified; please apply your changes to \
             the latest version and try again"
        ),
    );
    assert_eq!(
        refused.body["details"],
        json!({"name": name, "kind": "configmaps"})
    );
    // Even a write that changes nothing is refused.
    next["data"]["key"] = json!("2");
    api.put(&path, &next).await.refused_for(409, "Conflict");
    assert_eq!(api.get(&path).await.is(200).body, second);
    next["metadata"]["resourceVersion"] = json!("x");
    api.put(&path, &next).await.refused_for(500, "");
}

async fn a_put_without_a_version_replaces_whatever_is_there(api: Api) {
    let made = api.create("configmaps", &api.config_map("a", "1")).await;
    let put = api
        .put(&api.one("configmaps", "a"), &api.config_map("a", "2"))
        .await
        .is(200)
        .body;
    assert_eq!(put["data"]["key"], "2");
    assert_eq!(text(&put, "uid"), text(&made, "uid"));
}

async fn a_lease_is_never_replaced_without_its_version(api: Api) {
    let mut lease = json!({"metadata": api.metadata("a"), "spec": {"holderIdentity": "x"}});
    let made = api.create("leases", &lease).await;
    lease["spec"]["holderIdentity"] = json!("y");
    let refused = api
        .put(&api.one("leases", "a"), &lease)
        .await
        .because(&["FieldValueInvalid metadata.resourceVersion"]);
    assert_eq!(refused.body["details"]["kind"], "leases");
    lease["metadata"]["resourceVersion"] = made["metadata"]["resourceVersion"].clone();
    let put = api.put(&api.one("leases", "a"), &lease).await.is(200).body;
    assert_eq!(put["spec"]["holderIdentity"], "y");
}

async fn a_put_with_another_uid_conflicts(api: Api) {
    let made = api.create("configmaps", &api.config_map("a", "1")).await;
    let mut next = api.config_map("a", "2");
    next["metadata"]["uid"] = json!("another");
    let path = api.one("configmaps", "a");
    let refused = api.put(&path, &next).await.refused_for(409, "Conflict");
    let uid = text(&made, "uid");
    let end =
        format!("Precondition failed: UID in precondition: another, UID in object meta: {uid}");
    assert!(
        refused.body["message"].as_str().unwrap().ends_with(&end),
        "{}",
        refused.text
    );
    // An object that was deleted and created again under the same name is another one.
    api.delete(&path, &Value::Null).await.is(200);
    api.create("configmaps", &api.config_map("a", "1")).await;
    next["metadata"]["uid"] = json!(uid);
    api.put(&path, &next).await.refused_for(409, "Conflict");
}

async fn a_put_to_nothing_makes_no_config_map(api: Api) {
    let name = api.name("a");
    let message = format!("configmaps {name:?} not found");
    let path = api.one("configmaps", "a");
    let mut object = api.config_map("a", "1");
    api.put(&path, &object)
        .await
        .refused(404, "NotFound", &message);
    object["metadata"]["resourceVersion"] = json!("5");
    object["metadata"]["uid"] = json!("some");
    api.put(&path, &object)
        .await
        .refused(404, "NotFound", &message);
}

async fn a_put_to_nothing_makes_a_lease_whatever_its_version(api: Api) {
    let mut lease = json!({"metadata": api.metadata("a"), "spec": {"holderIdentity": "x"}});
    let path = api.one("leases", "a");
    let first = api.put(&path, &lease).await.is(201).body;
    api.delete(&path, &Value::Null).await.is(200);
    lease["metadata"]["resourceVersion"] = first["metadata"]["resourceVersion"].clone();
    let second = api.put(&path, &lease).await.is(201).body;
    assert_ne!(text(&first, "uid"), text(&second, "uid"));
    api.delete(&path, &Value::Null).await.is(200);
    // With the uid, it is safe.
    lease["metadata"]["uid"] = first["metadata"]["uid"].clone();
    api.put(&path, &lease).await.refused_for(409, "Conflict");
}

async fn a_put_that_changes_nothing_leaves_the_version(api: Api) {
    let made = api.create("configmaps", &api.config_map("a", "1")).await;
    let path = api.one("configmaps", "a");
    assert_eq!(api.put(&path, &made).await.is(200).body, made);
    let put = api.put(&path, &api.config_map("a", "1")).await.is(200).body;
    assert_eq!(
        text(&put, "resourceVersion"),
        text(&made, "resourceVersion")
    );
    let patched = api
        .patch(&path, "merge", &json!({"data": {"key": "1"}}))
        .await
        .is(200)
        .body;
    assert_eq!(
        text(&patched, "resourceVersion"),
        text(&made, "resourceVersion")
    );
}

async fn versions_grow_across_kinds(api: Api) {
    let mut last = 0;
    for name in ["a", "b", "c"] {
        for made in [
            api.create("configmaps", &api.config_map(name, "1")).await,
            api.create("leases", &json!({"metadata": api.metadata(name)}))
                .await,
        ] {
            let version = text(&made, "resourceVersion").parse::<u64>().unwrap();
            assert!(version > last);
            last = version;
        }
    }
}

async fn owners_have_uids(api: Api) {
    let template = json!({
        "metadata": {"labels": {"claim": api.run}}, "spec": {"containers": [{"name": "main", "image": "none.invalid/none"}]},
    });
    let spec = json!({
        "replicas": 0, "serviceName": "none", "selector": {"matchLabels": {"claim": api.run}}, "template": template,
    });
    let mut uids = Vec::new();
    for (resource, kind) in [
        ("deployments", "Deployment"),
        ("statefulsets", "StatefulSet"),
    ] {
        let mut spec = spec.clone();
        if kind == "Deployment" {
            spec.as_object_mut().unwrap().remove("serviceName");
        }
        let owner = api
            .create(
                resource,
                &json!({"metadata": api.metadata("owner"), "spec": spec}),
            )
            .await;
        assert_eq!(owner["metadata"]["generation"], 1);
        uids.push(text(&owner, "uid").to_owned());
        let mut owned = api.config_map(resource, "1");
        let reference = json!({"apiVersion": "apps/v1", "kind": kind, "name": api.name("owner"), "uid": uids.last().unwrap()});
        owned["metadata"]["ownerReferences"] = json!([reference]);
        let owned = api.create("configmaps", &owned).await;
        assert_eq!(owned["metadata"]["ownerReferences"], json!([reference]));
    }
    let mut owned = api.config_map("lost", "1");
    owned["metadata"]["ownerReferences"] =
        json!([{"apiVersion": "apps/v1", "kind": "Deployment", "name": "x", "uid": ""}]);
    let refused = api
        .post(&api.path("configmaps", ""), &owned)
        .await
        .refused_for(422, "Invalid");
    // Only some releases say which one.
    let field = refused.body["details"]["causes"][0]["field"]
        .as_str()
        .unwrap();
    assert!(
        field.starts_with("metadata.ownerReferences") && field.ends_with(".uid"),
        "{field}"
    );
}

async fn a_read_waits_for_no_version_that_is_far_off(api: Api) {
    let made = api.create("configmaps", &api.config_map("a", "1")).await;
    let path = api.one("configmaps", "a");
    for version in ["0", text(&made, "resourceVersion")] {
        api.get(&format!("{path}?resourceVersion={version}"))
            .await
            .is(200);
    }
    let far = text(&made, "resourceVersion").parse::<u64>().unwrap() + 1_000_000_000;
    for path in [path, api.path("configmaps", "")] {
        let sign = format!("{path}?resourceVersion={far}");
        let refused = api.get(&sign).await.refused_for(504, "Timeout");
        assert_eq!(
            refused.body["details"]["causes"][0]["reason"],
            "ResourceVersionTooLarge"
        );
        assert!(
            refused.body["message"]
                .as_str()
                .unwrap()
                .starts_with("Timeout: Too large resource version: ")
        );
    }
    api.get(&api.path("configmaps", "?resourceVersion=x"))
        .await
        .refused_for(400, "BadRequest");
}
