//! Deletions.

use serde_json::{Value, json};

use crate::api::Api;

crate::claims! {
    a_deletion_tells_the_uid_and_is_done_once
    a_deletion_heeds_its_preconditions
    an_object_with_a_finalizer_waits_for_it
    a_collection_is_deleted_by_selector
}

fn text<'a>(object: &'a Value, field: &str) -> &'a str {
    object["metadata"][field].as_str().unwrap()
}

async fn a_deletion_tells_the_uid_and_is_done_once(api: Api) {
    let made = api.create("configmaps", &api.config_map("a", "1")).await;
    let name = api.name("a");
    let path = api.one("configmaps", "a");
    let gone = api.delete(&path, &Value::Null).await.is(200).body;
    let details = json!({"name": name, "kind": "configmaps", "uid": text(&made, "uid")});
    assert_eq!(
        gone,
        json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details})
    );
    api.delete(&path, &Value::Null).await.refused(
        404,
        "NotFound",
        format!("configmaps {name:?} not found"),
    );
    api.get(&path).await.refused_for(404, "NotFound");
}

async fn a_deletion_heeds_its_preconditions(api: Api) {
    let made = api.create("configmaps", &api.config_map("a", "1")).await;
    let (path, name) = (api.one("configmaps", "a"), api.name("a"));
    let (uid, version) = (text(&made, "uid"), text(&made, "resourceVersion"));
    let refused = api.delete(&path, &json!({"preconditions": {"uid": "another"}})).await.refused(
        409,
        "Conflict",
        format!(
            "Operation cannot be fulfilled on ConfigMap {name:?}: the UID in the precondition (another) does not match the UID in \
             record ({uid}). The object might have been deleted and then recreated"
        ),
    );
    assert_eq!(
        refused.body["details"],
        json!({"name": name, "kind": "ConfigMap"})
    );
    let wrong = json!({"kind": "DeleteOptions", "apiVersion": "v1", "preconditions": {"uid": uid, "resourceVersion": "1"}});
    api.delete(&path, &wrong).await.refused(
        409,
        "Conflict",
        format!(
            "Operation cannot be fulfilled on ConfigMap {name:?}: the ResourceVersion in the precondition (1) does not match the \
             ResourceVersion in record ({version}). The object might have been modified"
        ),
    );
    api.get(&path).await.is(200);
    api.delete(
        &path,
        &json!({"preconditions": {"uid": uid, "resourceVersion": version}}),
    )
    .await
    .is(200);
    api.get(&path).await.is(404);
}

async fn an_object_with_a_finalizer_waits_for_it(api: Api) {
    let mut object = api.config_map("a", "1");
    object["metadata"]["finalizers"] = json!(["example.com/wait"]);
    let made = api.create("configmaps", &object).await;
    let path = api.one("configmaps", "a");
    let marked = api.delete(&path, &Value::Null).await.is(200).body;
    assert_eq!(text(&marked, "uid"), text(&made, "uid"));
    assert!(!text(&marked, "deletionTimestamp").is_empty());
    assert_eq!(api.get(&path).await.is(200).body, marked);
    api.post(&api.path("configmaps", ""), &object)
        .await
        .refused_for(409, "AlreadyExists");
    let more = json!({"metadata": {"finalizers": ["example.com/wait", "example.com/more"]}});
    api.patch(&path, "merge", &more)
        .await
        .because(&["FieldValueForbidden metadata.finalizers"]);
    api.patch(&path, "merge", &json!({"metadata": {"finalizers": null}}))
        .await
        .is(200);
    api.get(&path).await.is(404);
}

async fn a_collection_is_deleted_by_selector(api: Api) {
    for name in ["a", "b", "c"] {
        let mut object = api.config_map(name, "1");
        object["metadata"]["labels"]["name"] = json!(name);
        api.create("configmaps", &object).await;
    }
    let path = api.path("configmaps", &format!("{},name%21%3Db", api.mine()));
    let gone = api.delete(&path, &Value::Null).await.is(200).body;
    assert_eq!(
        (&gone["kind"], gone["items"].as_array().unwrap().len()),
        (&json!("ConfigMapList"), 2)
    );
    for (name, status) in [("a", 404), ("b", 200), ("c", 404)] {
        api.get(&api.one("configmaps", name)).await.is(status);
    }
}
